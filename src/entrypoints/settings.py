"""The only reader of the environment and of `.env`."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
from dotenv.parser import Original, parse_stream

from core.ports.rate_limiter import Limit
from core.secret import Secret
from entrypoints.database_url import names_a_database, split_database_url
from entrypoints.encryption import PLAINTEXT, unencrypted_connections, unencrypted_urls
from entrypoints.parts import (
    OpenIDSettings,
    RabbitMQ,
    RateLimits,
    Toss,
    read_google,
    read_rabbitmq,
    read_rate_limits,
    read_toss,
)
from entrypoints.strength import MIN_SECRET, equal_secrets, weak_passwords, weak_secrets
from entrypoints.variables import Network, Reader

ENV_FILE = ".env"
TOKENS = ("INTERNAL_API_TOKEN", "TRAINING_API_TOKEN", "INFERENCE_API_TOKEN", "OPERATOR_TOKEN")
"""Bearer tokens. While one is replaced, the previous one has the same name with `_PREVIOUS`."""
ONCE_SHARED = frozenset({"INTERNAL_API_TOKEN", "TRAINING_API_TOKEN_PREVIOUS", "INFERENCE_API_TOKEN_PREVIOUS"})
"""May be equal: a token of all AI servers that gives way to one each."""
WIDEST_NETWORK = 4
"""Bits of the prefix of the widest network that may be trusted."""
MAX_RATE = 100
"""Calls a second; a higher rate limit has no effect."""

AppEnv = Literal["development", "production"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration. A part that is None is embedded, in development only."""

    app_env: AppEnv
    host: str
    port: int
    log_format: Literal["plain", "json"]
    data_dir: Path
    api_base_url: str
    frontend_url: str | None
    """None: browsers are sent to the service's own start page."""
    cors_allowed_origins: list[str]
    cookie_samesite: Literal["lax", "none"]
    secret_key: Secret | None
    training_tokens: list[Secret]
    """Bearer tokens of the training server: the present one first, then the previous one while it is replaced."""
    inference_tokens: list[Secret]
    operator_tokens: list[Secret]
    """Of whoever reads metrics and calls the periodic work."""
    webhook_allowed_networks: list[Network]
    """Empty: any network."""
    trusted_proxies: list[Network]
    """Proxies whose X-Forwarded-For is trusted."""
    database_url: Secret | None
    database_pool_size: int
    rabbitmq: RabbitMQ | None
    plaintext_connections: Literal["on", "off"]
    """Whether production may connect to database and broker unencrypted, over a network."""
    gcs_bucket_name: str | None
    storage_emulator_host: str | None
    """The URL of a storage emulator to use instead of Google's service."""
    google: OpenIDSettings | None
    toss: Toss | None
    """None in production: no tokens are sold."""
    ai_servers: Literal["simulated", "none"]
    relay: Literal["on", "off"]
    """Whether the server publishes tasks itself; with `off` a separate relay has to run."""
    rate_limits: RateLimits | None
    """None: no limits, in development only."""
    image_workers: int
    """Processes that decode images, and images that are decoded at the same time."""
    styles_per_artist: int
    review_near_copies: Literal["on", "off"]
    """Whether near copies of another artist's artworks wait for an admin."""
    generation_timeout: timedelta
    retry_grace: timedelta
    """How long the inference server may take to report again when it retries by itself."""
    training_timeout: timedelta
    orphan_age: timedelta
    """The age at which an unreferenced object is removed."""
    platform_fee_percent: int
    """The platform's fee as a percentage of the price of a generation."""
    payout_delay: timedelta
    """The time after which earnings can be withdrawn."""
    refund_period: timedelta
    """How long after its payment a purchase can be refunded."""
    withdrawal_min: int
    """Tokens of a withdrawal."""
    reports_to_hide: int
    """Open reports that hide a target until an admin decides; 0: none do."""

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    @property
    def local_url(self) -> str:
        """Where this machine reaches the service, which `api_base_url` is unless set."""
        return _local_url(self.host, self.port)

    def signing_secret(self) -> str:
        """SECRET_KEY. Raises ValueError without one."""
        if self.secret_key is None:
            raise ValueError("the service needs SECRET_KEY")
        return self.secret_key.reveal()

    def database_dsn(self) -> str:
        """DATABASE_URL. Raises ValueError without one."""
        if self.database_url is None:
            raise ValueError("no database in the settings")
        return self.database_url.reveal()


class SettingsError(Exception):
    """All problems of the environment, in one message."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        listed = f" {problems[0]}" if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The settings are not complete:{listed}")


def environment(directory: Path) -> dict[str, str]:
    """The process's environment, and the variables in the directory's `.env` that the environment does not have.

    A variable that is set and empty is set. Values in the file are literal: nothing is put in place of `$NAME`. Raises
    SettingsError.
    """
    file = directory / ENV_FILE
    try:
        with file.open(encoding="utf-8-sig") as opened:
            lines = list(parse_stream(opened))
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeError) as error:
        raise SettingsError([f"{file} cannot be read: {error}"]) from error
    if wrong := [line.original for line in lines if line.error or (line.key and line.value is None)]:
        raise SettingsError([f"{file}, line {_first_line(statement)}, is not NAME=value" for statement in wrong])
    return {line.key: line.value for line in lines if line.key and line.value is not None} | dict(os.environ)


def _first_line(statement: Original) -> int:
    """Without the empty lines that the parser takes for a part of it."""
    return statement.line + statement.string[: -len(statement.string.lstrip())].count("\n")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings given by the variables. Raises SettingsError, which lists all problems."""
    reader = Reader(environ)
    app_env: AppEnv = reader.choice("APP_ENV", ("development", "production"), "development")
    production = app_env == "production"
    host = reader.text("HOST") or ("0.0.0.0" if production else "127.0.0.1")  # noqa: S104 - a container's port
    port = reader.number("PORT", 8000, low=0, high=65535)
    shared = _tokens(reader, "INTERNAL_API_TOKEN")
    settings = Settings(
        app_env=app_env,
        host=host,
        port=port,
        log_format=reader.choice("LOG_FORMAT", ("plain", "json"), "json" if production else "plain"),
        data_dir=Path(reader.text("DATA_DIR") or ".data"),
        api_base_url=reader.url("API_BASE_URL") or _local_url(host, port),
        frontend_url=reader.url("FRONTEND_URL"),
        cors_allowed_origins=reader.origins("CORS_ALLOWED_ORIGINS"),
        cookie_samesite=reader.choice("COOKIE_SAMESITE", ("lax", "none"), "lax"),
        secret_key=reader.secret("SECRET_KEY"),
        training_tokens=_tokens(reader, "TRAINING_API_TOKEN") or shared,
        inference_tokens=_tokens(reader, "INFERENCE_API_TOKEN") or shared,
        operator_tokens=_tokens(reader, "OPERATOR_TOKEN"),
        webhook_allowed_networks=reader.networks("WEBHOOK_ALLOWED_NETWORKS"),
        trusted_proxies=reader.networks("TRUSTED_PROXIES"),
        database_url=_database_url(reader, production=production),
        database_pool_size=reader.number("DATABASE_POOL_SIZE", 10, low=1, high=1000),
        rabbitmq=read_rabbitmq(reader),
        plaintext_connections=reader.choice(PLAINTEXT, ("on", "off"), "off"),
        gcs_bucket_name=reader.text("GCS_BUCKET_NAME"),
        storage_emulator_host=reader.url("STORAGE_EMULATOR_HOST"),
        google=read_google(reader),
        toss=read_toss(reader),
        ai_servers=reader.choice("AI_SERVERS", ("simulated", "none"), "none" if production else "simulated"),
        relay=reader.choice("RELAY", ("on", "off"), "on"),
        rate_limits=read_rate_limits(reader, default="on" if production else "off"),
        image_workers=reader.number("IMAGE_WORKERS", 2, low=1, high=16),
        styles_per_artist=reader.number("STYLES_PER_ARTIST", 10, low=1, high=10_000),
        review_near_copies=reader.choice("REVIEW_NEAR_COPIES", ("on", "off"), "on" if production else "off"),
        generation_timeout=reader.seconds("GENERATION_TIMEOUT", 30 * 60),
        retry_grace=reader.seconds("RETRY_GRACE", 2 * 60),
        training_timeout=reader.seconds("TRAINING_TIMEOUT", 6 * 60 * 60),
        orphan_age=reader.seconds("ORPHAN_AGE", 24 * 60 * 60, low=60 * 60),
        platform_fee_percent=reader.number("PLATFORM_FEE_PERCENT", 0, low=0, high=100),
        payout_delay=timedelta(days=reader.number("PAYOUT_DELAY_DAYS", 14, low=0, high=365)),
        refund_period=timedelta(days=reader.number("REFUND_DAYS", 7, low=0, high=365)),
        withdrawal_min=reader.number("WITHDRAWAL_MIN", 100, low=1, high=1_000_000),
        reports_to_hide=reader.number("REPORTS_TO_HIDE", 0, low=0, high=1000),
    )
    if production:
        reader.problems += _unfit_for_production(settings, reader)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def _local_url(host: str, port: int) -> str:
    """How clients on this machine reach a server that listens there."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _tokens(reader: Reader, name: str) -> list[Secret]:
    """The valid tokens, the present one first."""
    present, previous = reader.secret(name), reader.secret(f"{name}_PREVIOUS")
    if previous and not present:
        reader.problems.append(f"{name}_PREVIOUS is set without {name}")
    return [token for token in (present, previous) if token]


def _database_url(reader: Reader, *, production: bool) -> Secret | None:
    url = reader.secret("DATABASE_URL")
    if url and not (names_a_database(url.reveal()) if production else split_database_url(url.reveal())):
        reader.problems.append("DATABASE_URL is not a URL such as postgresql://user:password@host/database")
    return url


def _unfit_for_production(settings: Settings, reader: Reader) -> list[str]:
    problems = [
        f"{name} is missing: {what}"
        for name, what in (
            ("DATABASE_URL", "PostgreSQL, as postgresql://user:password@host/database"),
            ("RABBITMQ_HOST", "the broker that the AI servers listen to"),
            ("RABBITMQ_USER", "the broker's user"),
            ("RABBITMQ_PASS", "the broker user's password"),
            ("GCS_BUCKET_NAME", "the Google Cloud Storage bucket"),
            ("GOOGLE_CLIENT_ID", "the OAuth client of Google sign-in"),
            ("GOOGLE_CLIENT_SECRET", "the OAuth client's secret"),
            ("SECRET_KEY", f"at least {MIN_SECRET} random characters"),
            ("OPERATOR_TOKEN", f"at least {MIN_SECRET} random characters, for metrics and the scheduled job"),
            ("API_BASE_URL", "the https URL under which the AI servers reach this service"),
            ("FRONTEND_URL", "the https URL of the frontend"),
            ("CORS_ALLOWED_ORIGINS", "the frontend's origins, comma-separated"),
        )
        if reader.text(name) is None
    ]
    if not (settings.training_tokens and settings.inference_tokens):
        problems.append(
            f"INTERNAL_API_TOKEN is missing: at least {MIN_SECRET} random characters, shared with the AI servers"
            " (or TRAINING_API_TOKEN and INFERENCE_API_TOKEN, one for each)"
        )
    problems += _bad_secrets(settings, reader)
    problems += _unencrypted(settings, reader)
    problems += [
        f"{name} contains every address: it restricts nothing"
        for name, networks in (
            ("TRUSTED_PROXIES", settings.trusted_proxies),
            ("WEBHOOK_ALLOWED_NETWORKS", settings.webhook_allowed_networks),
        )
        if any(network.prefixlen < WIDEST_NETWORK for network in networks)
    ]
    problems += [
        f"{name} is no limit: more than {MAX_RATE} calls a second"
        for name, limit in _named_limits(settings.rate_limits)
        if limit.calls > MAX_RATE * limit.window.total_seconds()
    ]
    if settings.toss and settings.toss.secret_key.reveal().lower().startswith("test"):
        problems.append("TOSS_SECRET_KEY is a test key: no money would be paid")
    if settings.ai_servers == "simulated":
        problems.append("AI_SERVERS=simulated is for development: users would pay for simulated images")
    if settings.rate_limits is None:
        problems.append("RATE_LIMITS=off is for development")
    if settings.storage_emulator_host is not None:
        problems.append("STORAGE_EMULATOR_HOST is for development")
    return problems


def _bad_secrets(settings: Settings, reader: Reader) -> list[str]:
    database = split_database_url(settings.database_url.reveal()) if settings.database_url else None
    passwords = {
        "RABBITMQ_PASS": reader.secret("RABBITMQ_PASS"),
        "DATABASE_URL": Secret(database.password) if database and database.password else None,
    }
    names = ("SECRET_KEY", *TOKENS, *(f"{name}_PREVIOUS" for name in TOKENS))
    tokens = {name: reader.secret(name) for name in names}
    others = {name: reader.secret(name) for name in ("GOOGLE_CLIENT_SECRET", "TOSS_SECRET_KEY")}
    return [
        *weak_secrets(tokens),
        *weak_passwords(passwords),
        *equal_secrets(tokens | others | passwords, but=ONCE_SHARED),
    ]


def _unencrypted(settings: Settings, reader: Reader) -> list[str]:
    urls = [("API_BASE_URL", reader.text("API_BASE_URL")), ("FRONTEND_URL", settings.frontend_url)]
    urls += [("CORS_ALLOWED_ORIGINS", origin) for origin in settings.cors_allowed_origins]
    urls.append(("OPENID_DISCOVERY_URL", reader.text("OPENID_DISCOVERY_URL")))
    urls.append(("TOSS_API_BASE", reader.text("TOSS_API_BASE")))
    if settings.plaintext_connections == "on":
        return unencrypted_urls(urls)
    broker = settings.rabbitmq.host if settings.rabbitmq and not settings.rabbitmq.tls else None
    return unencrypted_urls(urls) + unencrypted_connections(settings.database_url, broker)


def _named_limits(limits: RateLimits | None) -> list[tuple[str, Limit]]:
    found: dict[str, Limit] = msgspec.structs.asdict(limits) if limits else {}
    return [(f"RATE_LIMIT_{name.upper()}", limit) for name, limit in found.items()]
