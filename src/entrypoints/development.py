"""Embedded parts for development: secrets, a database, an identity and a payment provider."""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from core.secret import Secret
from entrypoints.command_failed import CommandFailed
from entrypoints.container.development import embedded_database
from entrypoints.data_directory import UNKNOWN, DataDirectory, Holder
from entrypoints.parts import OpenIDSettings, Toss
from entrypoints.settings import Settings

LOCAL_SIGN_IN = "/local-sign-in"
"""The path of the stand-in for Google."""
SANDBOX_PAYMENTS = "/sandbox/toss"
"""The path of the stand-in for Toss Payments."""

SERVICE = "run"
"""The command that is the service."""
STARTS_WITHIN = 60.0
"""Seconds that a database which is being created may take."""

Say = Callable[[str], None]


class _Secrets(msgspec.Struct, frozen=True):
    secret_key: Secret
    training_api_token: Secret
    inference_api_token: Secret
    operator_token: Secret


@contextlib.contextmanager
def embedded_parts(
    settings: Settings, *, command: str, say: Say, beside: bool = False, create: bool = True
) -> Iterator[Settings]:
    """The settings completed by what is embedded; it runs until the block is left.

    `command` is what runs in the block. `beside` another process that uses the data directory it takes that one's
    database and address, unless its own settings name others. Raises Refused if another process uses the directory and
    it is not to run beside it, and if there is no database and it is not to `create` one.
    """
    directory = DataDirectory(settings.data_dir)
    database = embedded_database(settings.data_dir / "postgres") if settings.database_url is None else None
    other = _started_database(directory) if database and beside else None
    if database and not (other or create or database.exists):
        raise CommandFailed(f"There is no database in {_shown(directory)} yet: `make run` creates it.")
    me = Holder(command, os.getpid(), settings.api_base_url if command == SERVICE else None, settings.database_url)
    with directory.held(me) as held:
        if not held:
            if not beside:
                raise CommandFailed(_in_use(directory))
            settings = _beside(settings, directory)
        settings = _with_stand_ins(_with_secrets(settings))
        if settings.database_url or not database:
            yield settings
            return
        if not database.exists:
            say(f"Creating a database in {settings.data_dir} (once, a few seconds) ...")
        try:
            url = database.start()
            directory.describe(msgspec.structs.replace(me, database_url=Secret(url)))
            yield msgspec.structs.replace(settings, database_url=Secret(url))
        finally:
            database.stop()


def service_url(settings: Settings) -> str | None:
    """The URL of the service that uses the data directory, also of one that has yet to answer; None if there is none.

    Raises Refused if another command uses the directory, so that no service can be started on it.
    """
    directory = DataDirectory(settings.data_dir)
    holder = directory.holder()
    if holder is not None and holder.command not in {SERVICE, UNKNOWN}:
        raise CommandFailed(_in_use(directory))
    return holder.api_base_url if holder else None


def _started_database(directory: DataDirectory) -> Secret | None:
    """The URL of the database of the process that uses the directory, which may be about to start it."""
    deadline = time.monotonic() + STARTS_WITHIN
    while (holder := directory.holder()) and holder.database_url is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return holder.database_url if holder else None


def _beside(settings: Settings, directory: DataDirectory) -> Settings:
    """The settings with the database and the address of the process that uses the directory, where none are set."""
    holder = directory.holder()
    database_url = settings.database_url or (holder and holder.database_url)
    if database_url is None:
        raise CommandFailed(_in_use(directory))
    own_address = settings.api_base_url != settings.local_url
    return msgspec.structs.replace(
        settings,
        database_url=database_url,
        api_base_url=settings.api_base_url if own_address or not holder else holder.api_base_url or settings.local_url,
    )


def _in_use(directory: DataDirectory) -> str:
    holder = directory.holder()
    if holder and holder.api_base_url:
        return (
            f"The service is running already on the state in {_shown(directory)}, at {holder.api_base_url}: "
            "stop that one first."
        )
    return f"The state in {_shown(directory)} is in use by {holder or UNKNOWN}: try again when that has ended."


def _shown(directory: DataDirectory) -> Path:
    return directory.path.resolve()


def _with_stand_ins(settings: Settings) -> Settings:
    if settings.google is None:
        client = OpenIDSettings("local", Secret(settings.signing_secret()), _discovery_url(settings))
        settings = msgspec.structs.replace(settings, google=client)
    if settings.toss is None:
        sandbox = Toss(Secret("sandbox"), f"{settings.api_base_url}{SANDBOX_PAYMENTS}")
        settings = msgspec.structs.replace(settings, toss=sandbox)
    return settings


def _discovery_url(settings: Settings) -> str:
    return f"{settings.api_base_url}{LOCAL_SIGN_IN}/.well-known/openid-configuration"


def _with_secrets(settings: Settings) -> Settings:
    given = (settings.secret_key, settings.training_tokens, settings.inference_tokens, settings.operator_tokens)
    if all(given):
        return settings
    own = _kept_secrets(settings.data_dir / "secrets.json")
    return msgspec.structs.replace(
        settings,
        secret_key=settings.secret_key or own.secret_key,
        training_tokens=settings.training_tokens or [own.training_api_token],
        inference_tokens=settings.inference_tokens or [own.inference_api_token],
        operator_tokens=settings.operator_tokens or [own.operator_token],
    )


def _kept_secrets(file: Path) -> _Secrets:
    """The same at every start, so that sessions and signed URLs stay valid. What the file lacks is added to it."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        kept = {}
    except msgspec.MsgspecError as error:
        raise CommandFailed(f"{file} is damaged ({error}): remove it; all users then have to sign in again.") from error
    names = _Secrets.__struct_fields__
    complete = {name: secrets.token_urlsafe(48) for name in names} | kept
    if complete != kept:
        unfinished = file.with_suffix(".new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(msgspec.json.encode(complete))
        unfinished.rename(file)
    return _Secrets(*(Secret(complete[name]) for name in names))
