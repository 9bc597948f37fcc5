"""The commands that run and maintain the service."""

import asyncio
import contextlib
import gc
import importlib
import socket
import threading
import time
from collections.abc import Iterator

import click

from core.ports.database import DatabaseUnavailable
from entrypoints import signals
from entrypoints.cli.output import say
from entrypoints.cli.parts import called, completed, database, refuse_if_behind, with_settings
from entrypoints.command_failed import CommandFailed
from entrypoints.settings import Settings

STARTED_AT = time.monotonic()
OBJECTS_PER_COLLECTION = 10_000
"""Requests leave no cycles behind; many at the same time have more objects than the default of 700."""


@click.command
@with_settings
def run(settings: Settings) -> None:
    """Start the service."""
    from entrypoints import development

    gc.disable()  # until it serves: objects made during the start stay
    _check_address(settings)
    local_sign_in = None if settings.google else development.LOCAL_SIGN_IN
    sandbox_payments = None if settings.toss or settings.production else development.SANDBOX_PAYMENTS
    with _imported("entrypoints.server") as importing, completed(settings, "run") as complete:
        _prepare_database(complete)
        importing.join()
        from entrypoints import server

        def started() -> None:
            gc.freeze()
            gc.set_threshold(OBJECTS_PER_COLLECTION)
            gc.enable()
            _print_urls(complete)

        server.run(complete, local_sign_in=local_sign_in, sandbox_payments=sandbox_payments, started=started)
        signals.ignore_signals()


@click.command
@click.argument("part", type=click.Choice(["image", "admin"]), default="image")
@with_settings
def demo(settings: Settings, part: str) -> None:
    """Play an artist and a buyer through the API (`image`), or an operator's day by command (`admin`)."""
    from entrypoints.demo.parts import main

    main(settings, admins_day=part == "admin")


@click.command
@with_settings
def migrate(settings: Settings) -> None:
    """Bring the database up to date."""

    from entrypoints.container.migrations import upgrade_database

    with completed(settings, "migrate", beside=True) as complete:
        say(f"The database is at revision {upgrade_database(complete.database_dsn())}.")


@click.command
@with_settings
def relay(settings: Settings) -> None:
    """Publish tasks and run maintenance passes, as a separate process."""
    if settings.rabbitmq is None:
        raise CommandFailed("RABBITMQ_HOST is not set: the server publishes to the queues in DATA_DIR itself.")
    from entrypoints.relay import run_relay

    with completed(settings, "relay", beside=True, create=False) as complete:
        with contextlib.suppress(DatabaseUnavailable):  # the relay waits for an unavailable database
            refuse_if_behind(complete)
        asyncio.run(run_relay(complete))
        signals.ignore_signals()


@click.command
@with_settings
def maintenance(settings: Settings) -> None:
    """Run one maintenance pass: time-outs, expiry, removal."""
    from entrypoints.maintenance import MaintenancePass

    with database(settings, "maintenance") as complete:
        report = asyncio.run(called(complete, MaintenancePass))
    say("\n".join(f"{number:8} {name.replace('_', ' ')}" for name, number in report.done.items()))
    if report.failed:
        raise CommandFailed(f"Steps that failed: {', '.join(report.failed)}.")


@click.command
@with_settings
def reconcile(settings: Settings) -> None:
    """Check the ledger: no token was created, lost or spent twice."""
    from core.tokens.reconcile import Reconcile

    with database(settings, "reconcile") as complete:
        reconciliation = asyncio.run(called(complete, Reconcile))
    for finding in reconciliation.findings:
        result = f"{finding.broken} BROKEN, first: {finding.first}" if finding.broken else "ok"
        say(f"{finding.checked:10} {finding.invariant.value}: {result}")
    if not reconciliation.sound:
        raise CommandFailed("The ledger breaks a rule.")


@click.command
@with_settings
def cors(settings: Settings) -> None:
    """Allow the frontend's origins to upload to the bucket."""
    from core.blobs.allow_uploads import AllowUploads

    if settings.gcs_bucket_name is None:
        raise CommandFailed("GCS_BUCKET_NAME is not set: the service answers for the files in DATA_DIR itself.")
    if not settings.cors_allowed_origins:
        raise CommandFailed("CORS_ALLOWED_ORIGINS is not set.")
    asyncio.run(called(settings, AllowUploads, settings.cors_allowed_origins))
    say(f"{settings.gcs_bucket_name} takes uploads from {', '.join(settings.cors_allowed_origins)}.")


COMMANDS = (run, demo, migrate, relay, maintenance, reconcile, cors)


@contextlib.contextmanager
def _imported(module: str) -> Iterator[threading.Thread]:
    """Import the module while the block runs. The block is not left before: Python cannot end in the middle of it."""
    importing = threading.Thread(target=importlib.import_module, args=(module,))
    importing.start()
    try:
        yield importing
    finally:
        importing.join()


def _prepare_database(settings: Settings) -> None:
    """In production migrations are a step of their own: many servers start, and old ones are still running."""

    from entrypoints.container.migrations import upgrade_database

    if settings.production:
        refuse_if_behind(settings)
    else:
        upgrade_database(settings.database_dsn())


def _check_address(settings: Settings) -> None:
    """Granian binds with SO_REUSEPORT: two services on one port would answer in turn."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandFailed(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            f"If the service runs there already, use that one; else choose another port: PORT=8001 make run"
        ) from error


def _print_urls(settings: Settings) -> None:
    base = settings.api_base_url
    lines = [f"Style License listens on {base} (after {time.monotonic() - STARTED_AT:.1f} s)."]
    if not settings.production:
        lines += [
            "",
            f"  Look around   {settings.frontend_url or base}/",
            f"  Sign in       {base}/api/auth/google/login?login_hint=someone@example.com",
            f"  Try the API   {base}/api/schema/",
            "  See it work   make demo    (in another terminal)",
            "",
            f"State is in {settings.data_dir.resolve()}. Ctrl-C stops everything.",
        ]
    say("\n".join(lines))
