"""What a development machine lacks: secrets, a database, an identity and a payment provider. Never for production."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from entrypoints.container.development import embedded_database
from entrypoints.refused import Refused
from entrypoints.settings import OpenIDClient, Settings, Toss

LOCAL_SIGN_IN = "/local-sign-in"
"""The path below which the stand-in for Google answers."""
SANDBOX_PAYMENTS = "/sandbox/toss"
"""The path below which the stand-in for Toss Payments answers."""

Say = Callable[[str], None]


class _Secrets(msgspec.Struct, frozen=True):
    secret_key: str
    internal_api_token: str


@contextlib.contextmanager
def embedded_parts(settings: Settings, *, say: Say, share: bool = False) -> Iterator[Settings]:
    """The settings completed by what is embedded; it runs until the block is left.

    With `share` a database that another process has started is used along with it and left running; without it, raises
    Refused when another process uses the data directory.
    """
    data_dir = settings.data_dir
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(data_dir / "lock") as owned:
        if not owned and not share:
            raise Refused(f"The service is running already on the state in {data_dir.resolve()}: stop that one first.")
        settings = _with_secrets(settings)
        if settings.google is None:
            client = OpenIDClient("local", settings.secret_key or "", _discovery_url(settings))
            settings = msgspec.structs.replace(settings, google=client)
        if settings.toss is None:
            sandbox = Toss("sandbox", f"{settings.api_base_url}{SANDBOX_PAYMENTS}")
            settings = msgspec.structs.replace(settings, toss=sandbox)
        if settings.database_url is not None:
            yield settings
            return
        database = embedded_database(data_dir / "postgres")
        if not database.exists:
            say(f"Creating a database in {data_dir} (once, a few seconds) ...")
        try:
            yield msgspec.structs.replace(settings, database_url=database.start())
        finally:
            if owned:
                database.stop()


def _discovery_url(settings: Settings) -> str:
    return f"{settings.api_base_url}{LOCAL_SIGN_IN}/.well-known/openid-configuration"


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[bool]:
    """Whether this process is the one that has it; the lock goes with the process, however that ends."""
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _with_secrets(settings: Settings) -> Settings:
    if settings.secret_key and settings.internal_api_token:
        return settings
    own = _kept_secrets(settings.data_dir / "secrets.json")
    return msgspec.structs.replace(
        settings,
        secret_key=settings.secret_key or own.secret_key,
        internal_api_token=settings.internal_api_token or own.internal_api_token,
    )


def _kept_secrets(file: Path) -> _Secrets:
    """The same at every start, so that sessions and signed URLs outlive it."""
    with contextlib.suppress(FileNotFoundError):
        return msgspec.json.decode(file.read_bytes(), type=_Secrets)
    made = _Secrets(secrets.token_urlsafe(48), secrets.token_urlsafe(48))
    unfinished = file.with_suffix(".new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(msgspec.json.encode(made))
    unfinished.rename(file)
    return made
