"""Settings of one part each: the broker, sign-in, payments and rate limits."""

from datetime import timedelta
from pathlib import Path

import msgspec

from core.ports.rate_limiter import Limit
from core.secret import Secret
from entrypoints.variables import Reader

GOOGLE_DISCOVERY = "https://accounts.google.com/.well-known/openid-configuration"
TOSS_API = "https://api.tosspayments.com"


class RabbitMQ(msgspec.Struct, frozen=True):
    host: str
    port: int
    user: str
    password: Secret
    vhost: str
    tls: bool
    """Whether the connection is encrypted, and the broker's certificate verified."""
    ca_file: Path | None
    """Certificate authorities to trust instead of the system's."""


class OpenIDSettings(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: Secret
    discovery_url: str


class Toss(msgspec.Struct, frozen=True):
    secret_key: Secret
    api_base: str


class RateLimits(msgspec.Struct, frozen=True):
    """Rate limits."""

    sign_in: Limit
    """Sign-in attempts of an address."""
    generate: Limit
    """Generations requested by a user."""
    export: Limit
    """Exports of personal data by a user."""
    upload: Limit
    """Calls of a user that may have files, refused ones included."""
    payment: Limit
    """Payment webhooks and returns from the payment page of an address."""
    payment_order: Limit
    """The same for an order, from any address."""
    signed_in: Limit
    """All other calls of a user."""
    anonymous: Limit
    """Calls of an address without a session."""


def read_rabbitmq(reader: Reader) -> RabbitMQ | None:
    host = reader.text("RABBITMQ_HOST")
    if host is None:
        return None
    tls = reader.choice("RABBITMQ_TLS", ("on", "off"), "off") == "on"
    ca_file = reader.file("RABBITMQ_CA_FILE")
    if ca_file and not tls:
        reader.problems.append("RABBITMQ_CA_FILE is set without RABBITMQ_TLS=on")
    return RabbitMQ(
        host=host,
        port=reader.number("RABBITMQ_PORT", 5671 if tls else 5672, low=1, high=65535),
        user=reader.text("RABBITMQ_USER") or "guest",
        password=reader.secret("RABBITMQ_PASS") or Secret("guest"),
        vhost=reader.text("RABBITMQ_VHOST") or "/",
        tls=tls,
        ca_file=ca_file,
    )


def read_google(reader: Reader) -> OpenIDSettings | None:
    client_id, secret = reader.text("GOOGLE_CLIENT_ID"), reader.secret("GOOGLE_CLIENT_SECRET")
    if client_id is None and secret is None:
        return None
    if client_id is None or secret is None:
        reader.problems.append("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET belong together: one is missing")
    return OpenIDSettings(client_id or "", secret or Secret(""), reader.url("OPENID_DISCOVERY_URL") or GOOGLE_DISCOVERY)


def read_toss(reader: Reader) -> Toss | None:
    secret_key, api_base = reader.secret("TOSS_SECRET_KEY"), reader.url("TOSS_API_BASE")
    return Toss(secret_key, api_base or TOSS_API) if secret_key else None


def read_rate_limits(reader: Reader, *, default: str) -> RateLimits | None:
    limits = RateLimits(
        sign_in=reader.limit("RATE_LIMIT_SIGN_IN", Limit(5, timedelta(minutes=5))),
        generate=reader.limit("RATE_LIMIT_GENERATE", Limit(6, timedelta(minutes=1))),
        export=reader.limit("RATE_LIMIT_EXPORT", Limit(5, timedelta(hours=1))),
        upload=reader.limit("RATE_LIMIT_UPLOAD", Limit(30, timedelta(minutes=10))),
        payment=reader.limit("RATE_LIMIT_PAYMENT", Limit(60, timedelta(minutes=1))),
        payment_order=reader.limit("RATE_LIMIT_PAYMENT_ORDER", Limit(10, timedelta(minutes=10))),
        signed_in=reader.limit("RATE_LIMIT_SIGNED_IN", Limit(100, timedelta(minutes=1))),
        anonymous=reader.limit("RATE_LIMIT_ANONYMOUS", Limit(50, timedelta(minutes=1))),
    )
    return limits if reader.choice("RATE_LIMITS", ("on", "off"), default) == "on" else None
