"""The command line: run, demo, migrate, relay, redrive, maintenance, reconcile, admin.

A command imports what it needs when it runs; `run` imports the server while the database starts. This saves
seconds.
"""

import argparse
import asyncio
import contextlib
import gc
import getpass
import importlib
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import uuid4

from core.accounts.model import User
from core.audit.model import Operator, Source
from core.errors import DomainError
from core.ports.database import DatabaseUnavailable
from entrypoints import logs, signals
from entrypoints.command_failed import CommandFailed
from entrypoints.messages import for_operators
from entrypoints.settings import Settings, SettingsError, environment, read_settings

Answer = TypeVar("Answer")
UseCase = Callable[..., Callable[..., Awaitable[Answer]]]

STARTED_AT = time.monotonic()
FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def run(settings: Settings) -> None:
    """start the service"""
    from entrypoints import development

    gc.disable()  # until it serves: objects made during the start stay
    _check_address(settings)
    local_sign_in = None if settings.google else development.LOCAL_SIGN_IN
    sandbox_payments = None if settings.toss or settings.production else development.SANDBOX_PAYMENTS
    with _imported("entrypoints.server") as importing, _complete(settings, "run") as complete:
        _prepare_database(complete)
        importing.join()
        from entrypoints import server

        def started() -> None:
            gc.freeze()
            gc.enable()
            _print_urls(complete)

        server.run(complete, local_sign_in=local_sign_in, sandbox_payments=sandbox_payments, started=started)
        signals.ignore_signals()


def demo(settings: Settings) -> None:
    """play an artist and a buyer through the API"""
    from entrypoints.demo import play

    play.main(settings)


def migrate(settings: Settings) -> None:
    """bring the database up to date"""
    from entrypoints.container.migrations import upgrade_database

    with _complete(settings, "migrate", beside=True) as complete:
        _say(f"The database is at revision {upgrade_database(_url(complete))}.")


def relay(settings: Settings) -> None:
    """publish tasks and run maintenance passes, as a separate process"""
    if settings.rabbitmq is None:
        raise CommandFailed("RABBITMQ_HOST is not set: the server publishes to the queues in DATA_DIR itself.")
    from entrypoints.relay import run_relay

    with _complete(settings, "relay", beside=True, create=False) as complete:
        with contextlib.suppress(DatabaseUnavailable):  # the relay waits for a database that is out of reach
            _refuse_if_behind(complete)
        asyncio.run(run_relay(complete))
        signals.ignore_signals()


def redrive(settings: Settings, limit: int) -> None:
    """move dead letters back to their queues"""
    from core.dead_letters.redrive_tasks import RedriveTasks

    with _database(settings, "redrive") as complete:
        redriven = asyncio.run(_called(complete, RedriveTasks, _operator(), limit=limit))
    _say(f"{redriven.moved:8} moved to their queues")
    _say(f"{redriven.obsolete:8} removed: their generation or training no longer needs them")
    _say(f"{redriven.foreign:8} left: not tasks of this service")
    if redriven.unconfirmed:
        raise CommandFailed(f"{redriven.unconfirmed:8} left: the broker has not confirmed them")


def maintenance(settings: Settings) -> None:
    """run one maintenance pass: time-outs, expiry, removal"""
    from entrypoints.maintenance import MaintenancePass

    with _database(settings, "maintenance") as complete:
        swept = asyncio.run(_called(complete, MaintenancePass))
    _say("\n".join(f"{number:8} {name.replace('_', ' ')}" for name, number in swept.done.items()))
    if swept.failed:
        raise CommandFailed(f"Steps that failed: {', '.join(swept.failed)}.")


def reconcile(settings: Settings) -> None:
    """check that no token was created, lost or spent twice"""
    from core.tokens.reconcile import Reconcile

    with _database(settings, "reconcile") as complete:
        reconciliation = asyncio.run(_called(complete, Reconcile))
    for finding in reconciliation.findings:
        result = f"{finding.broken} BROKEN, first: {finding.first}" if finding.broken else "ok"
        _say(f"{finding.checked:10} {finding.invariant.value}: {result}")
    if not reconciliation.sound:
        raise CommandFailed("The ledger breaks a rule.")


def admin(settings: Settings, email: str) -> None:
    """make a user who has signed in an admin"""
    with _database(settings, "admin") as complete:
        made = asyncio.run(_made_admin(complete, email))
    _say(f"{made.username} is an admin.")


COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "demo": demo,
    "migrate": migrate,
    "relay": relay,
    "redrive": redrive,
    "maintenance": maintenance,
    "reconcile": reconcile,
    "admin": admin,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m entrypoints.cli", description="The backend of Style License.")
    choice = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subcommand = choice.add_parser(name, help=command.__doc__)
        if command is admin:
            subcommand.add_argument("email", help="the e-mail address that the user signs in with")
        if command is redrive:
            subcommand.add_argument(
                "--limit", type=int, default=1000, help="maximum number of dead letters to read (1000)"
            )
    options = vars(parser.parse_args(arguments))
    chosen = COMMANDS[options.pop("command")]
    signals.interrupt_on_signals()
    try:
        settings = read_settings(environment(Path.cwd()))
        logs.configure(as_json=settings.production)
        chosen(settings, **options)
    except SettingsError as error:
        _say(error)
        return MISUSED
    except (CommandFailed, OSError) as error:
        _say(" ".join(str(error).split()) or type(error).__name__)
        return FAILED
    except DomainError as error:
        _say(" ".join(for_operators(error).split()))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


@contextlib.contextmanager
def _imported(module: str) -> Iterator[threading.Thread]:
    """Import the module while the block runs. The block is not left before: Python cannot end in the middle of it."""
    importing = threading.Thread(target=importlib.import_module, args=(module,))
    importing.start()
    try:
        yield importing
    finally:
        importing.join()


@contextlib.contextmanager
def _complete(settings: Settings, command: str, *, beside: bool = False, create: bool = True) -> Iterator[Settings]:
    """The settings with what is embedded in place of what is not given; production gives everything."""
    if settings.production:
        yield settings
        return
    from entrypoints import development

    with development.embedded_parts(settings, command=command, say=_say, beside=beside, create=create) as complete:
        yield complete


@contextlib.contextmanager
def _database(settings: Settings, command: str) -> Iterator[Settings]:
    """For a command that needs a migrated database, the running service's if it runs on this data directory."""
    with _complete(settings, command, beside=True, create=False) as complete:
        _refuse_if_behind(complete)
        yield complete


def _prepare_database(settings: Settings) -> None:
    """In production migrations are a step of their own: many servers start, and old ones are still running."""
    from entrypoints.container.migrations import upgrade_database

    if settings.production:
        _refuse_if_behind(settings)
    else:
        upgrade_database(_url(settings))


def _refuse_if_behind(settings: Settings) -> None:
    from entrypoints.container.migrations import database_is_behind

    if database_is_behind(_url(settings)):
        raise CommandFailed(
            "The database lacks migrations: run `make migrate` (`python -m entrypoints.cli migrate`) first."
        )


async def _called(settings: Settings, use_case: UseCase[Answer], *args: object, **options: object) -> Answer:
    from entrypoints.container import create_container

    parts = create_container(settings)
    try:
        async with parts() as scope:
            call = await scope.get(cast("type[Any]", use_case))
            answer: Answer = await call(*args, **options)
            return answer
    finally:
        await parts.close()


async def _made_admin(settings: Settings, who: str) -> User:
    from core.accounts.make_admin import MakeAdmin
    from core.accounts.views import AccountsReader
    from entrypoints.container import create_container

    parts = create_container(settings)
    try:
        async with parts() as scope:
            accounts: AccountsReader = await scope.get(AccountsReader)
            make_admin = await scope.get(MakeAdmin)
            return await make_admin(_operator(), await accounts.find(who))
    finally:
        await parts.close()


def _operator() -> Operator:
    """Whoever may run commands here, without the name of an admin."""
    return Operator(None, Source.COMMAND, account=getpass.getuser(), trace_id=uuid4().hex)


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        raise ValueError("no database in the settings")
    return settings.database_url


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
    _say("\n".join(lines))


def _say(text: object) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
