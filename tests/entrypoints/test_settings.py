import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from core.ports.rate_limiter import Limit
from core.secret import Secret
from entrypoints.parts import GOOGLE_DISCOVERY
from entrypoints.settings import SettingsError, read_settings
from tests.entrypoints.production import PRODUCTION, problems

OTHER_TOKEN = "k1l2m3n4o5p6q7r8s9t0uvwxyzabcdef"


THIRD_TOKEN = "q0w9e8r7t6y5u4i3o2p1asdfghjklzxc"


def test_an_empty_environment_is_development_with_every_part_embedded() -> None:
    settings = read_settings({})

    assert not settings.production
    assert settings.api_base_url == "http://127.0.0.1:8000"
    assert (settings.database_url, settings.rabbitmq, settings.gcs_bucket_name, settings.google) == (None,) * 4
    assert settings.ai_servers == "simulated"
    assert settings.log_format == "plain"
    assert settings.review_near_copies == "off"
    assert settings.rate_limits is None


def test_production_accepts_complete_settings() -> None:
    settings = read_settings(PRODUCTION)

    assert settings.production
    assert settings.host == "0.0.0.0"
    assert settings.api_base_url == "https://api.example.com"
    assert settings.cors_allowed_origins == ["https://example.com", "https://www.example.com"]
    assert settings.rabbitmq is not None
    assert (settings.rabbitmq.port, settings.rabbitmq.vhost) == (5671, "/")
    assert settings.google is not None
    assert settings.google.discovery_url == GOOGLE_DISCOVERY
    assert settings.ai_servers == "none"
    assert settings.log_format == "json"
    assert settings.review_near_copies == "on"
    assert settings.rate_limits is not None
    assert settings.rate_limits.sign_in == Limit(5, timedelta(minutes=5))


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "APP_ENV"])
def test_production_names_each_missing_variable(name: str) -> None:
    found = problems(**{**PRODUCTION, name: " "})

    assert any(problem.startswith(f"{name} is missing") or name in problem for problem in found)


def test_production_names_all_missing_variables_at_once() -> None:
    found = problems(APP_ENV="production")

    assert {problem.split()[0] for problem in found} == set(PRODUCTION) - {"APP_ENV", "RABBITMQ_TLS"}


@pytest.mark.parametrize(
    ("name", "weak"),
    [
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "correcthorse" * 4),
        ("SECRET_KEY", PRODUCTION["GOOGLE_CLIENT_SECRET"] * 2),
        ("GOOGLE_CLIENT_SECRET", PRODUCTION["SECRET_KEY"]),
        ("RABBITMQ_PASS", PRODUCTION["INTERNAL_API_TOKEN"]),
        ("RABBITMQ_PASS", "x"),
        ("RABBITMQ_PASS", "aaaaaaaaaaaa"),
        ("RABBITMQ_PASS", "Password123!"),
        ("DATABASE_URL", "postgresql://app:postgres@db/app?sslmode=require"),
        ("DATABASE_URL", "mysql://app:correct-horse@db/app?sslmode=require"),
        ("DATABASE_URL", "postgresql://app:correct-horse@db?sslmode=require"),
        ("DATABASE_URL", "postgresql:///app"),
        ("DATABASE_URL", "postgresql://app@:5432/app?sslmode=require"),
        ("DATABASE_URL", "postgresql://app@one,,two/app?sslmode=require"),
        ("DATABASE_URL", "db?sslmode=require"),
        ("DATABASE_URL", "postgresql://db:port/app"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "::/0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 128.0.0.0/1"),
        ("WEBHOOK_ALLOWED_NETWORKS", "0.0.0.0/0"),
        ("CORS_ALLOWED_ORIGINS", "https://example.com, http://example.com"),
        ("OPENID_DISCOVERY_URL", "http://accounts.example.com/.well-known/openid-configuration"),
        ("RATE_LIMIT_ANONYMOUS", "1000000/60"),
        ("RATE_LIMIT_SIGN_IN", "101/1"),
        ("INTERNAL_API_TOKEN", "short"),
        ("INTERNAL_API_TOKEN", PRODUCTION["SECRET_KEY"]),
        ("INTERNAL_API_TOKEN_PREVIOUS", "short"),
        ("INTERNAL_API_TOKEN_PREVIOUS", PRODUCTION["INTERNAL_API_TOKEN"]),
        ("TRAINING_API_TOKEN", "short"),
        ("TRAINING_API_TOKEN", PRODUCTION["INTERNAL_API_TOKEN"]),
        ("TRAINING_API_TOKEN_PREVIOUS", OTHER_TOKEN),
        ("INFERENCE_API_TOKEN", PRODUCTION["OPERATOR_TOKEN"]),
        ("OPERATOR_TOKEN", "short"),
        ("OPERATOR_TOKEN", PRODUCTION["INTERNAL_API_TOKEN"]),
        ("OPERATOR_TOKEN_PREVIOUS", "short"),
        ("OPERATOR_TOKEN_PREVIOUS", PRODUCTION["INTERNAL_API_TOKEN"]),
        ("RABBITMQ_PASS", "guest"),
        ("API_BASE_URL", "http://api.example.com"),
        ("FRONTEND_URL", "http://example.com"),
        ("AI_SERVERS", "simulated"),
        ("RATE_LIMITS", "off"),
        ("STORAGE_EMULATOR_HOST", "http://localhost:9023"),
        ("TOSS_SECRET_KEY", "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"),
        ("TOSS_SECRET_KEY", "TEST_gsk_zXLkKEypNArWmo50nX3lmeaxYG5R"),
    ],
)
def test_production_refuses_weak_settings(name: str, weak: str) -> None:
    found = problems(**{**PRODUCTION, name: weak})

    assert len(found) == 1
    assert name in found[0]


def test_the_shared_token_is_accepted_from_each_ai_server() -> None:
    settings = read_settings({**PRODUCTION, "INTERNAL_API_TOKEN_PREVIOUS": OTHER_TOKEN})

    valid = [Secret(PRODUCTION["INTERNAL_API_TOKEN"]), Secret(OTHER_TOKEN)]
    assert settings.training_tokens == settings.inference_tokens == valid
    assert settings.operator_tokens == [Secret(PRODUCTION["OPERATOR_TOKEN"])]


def test_a_separate_token_excludes_the_shared_one() -> None:
    settings = read_settings({**PRODUCTION, "TRAINING_API_TOKEN": OTHER_TOKEN})

    assert settings.training_tokens == [Secret(OTHER_TOKEN)]
    assert settings.inference_tokens == [Secret(PRODUCTION["INTERNAL_API_TOKEN"])]


@pytest.mark.parametrize("still_set", [True, False])
def test_separate_tokens_replace_the_shared_one_seamlessly(still_set: bool) -> None:
    shared = PRODUCTION["INTERNAL_API_TOKEN"]
    own = {
        "TRAINING_API_TOKEN": OTHER_TOKEN,
        "TRAINING_API_TOKEN_PREVIOUS": shared,
        "INFERENCE_API_TOKEN": THIRD_TOKEN,
        "INFERENCE_API_TOKEN_PREVIOUS": shared,
    }
    settings = read_settings({**PRODUCTION, **own, "INTERNAL_API_TOKEN": shared if still_set else ""})

    assert settings.training_tokens == [Secret(OTHER_TOKEN), Secret(shared)]
    assert settings.inference_tokens == [Secret(THIRD_TOKEN), Secret(shared)]


@pytest.mark.parametrize("name", ["INTERNAL_API_TOKEN", "TRAINING_API_TOKEN", "INFERENCE_API_TOKEN", "OPERATOR_TOKEN"])
def test_a_previous_token_requires_a_current_one(name: str) -> None:
    assert problems(**{f"{name}_PREVIOUS": OTHER_TOKEN}) == [f"{name}_PREVIOUS is set without {name}"]


@pytest.mark.parametrize("number", range(50))
def test_production_accepts_random_secrets_of_minimum_length(number: int) -> None:
    made = (secrets.token_hex(16), secrets.token_urlsafe(24))
    assert read_settings({**PRODUCTION, "SECRET_KEY": made[number % 2]}).production


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://app:correct-horse@/app?host=/cloudsql/project:region:instance"),
        ("DATABASE_URL", "postgres://app@db:6432/app?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem"),
        ("DATABASE_URL", "postgresql://app@one,two/app?sslmode=verify-ca"),
        ("DATABASE_URL", "postgresql://app:correct-horse@one:5432,two:6432/app?sslmode=verify-full"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
        ("RATE_LIMIT_ANONYMOUS", "6000/60"),
    ],
)
def test_production_accepts_other_strong_settings(name: str, value: str) -> None:
    assert read_settings({**PRODUCTION, name: value}).production


def test_selling_tokens_requires_a_payment_key() -> None:
    assert read_settings(PRODUCTION).toss is None

    toss = read_settings({**PRODUCTION, "TOSS_SECRET_KEY": "live_sk_Z1aOwX7K8m"}).toss
    assert toss is not None
    assert (toss.secret_key.reveal(), toss.api_base) == ("live_sk_Z1aOwX7K8m", "https://api.tosspayments.com")


def test_the_payment_key_requires_https() -> None:
    found = problems(**PRODUCTION, TOSS_SECRET_KEY="live_sk_Z1aOwX7K8m", TOSS_API_BASE="http://toss.example.com")
    assert [problem.partition(" ")[0] for problem in found] == ["TOSS_API_BASE"]


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("APP_ENV", "staging"),
        ("AI_SERVERS", "real"),
        ("LOG_FORMAT", "text"),
        ("RATE_LIMITS", "yes"),
        ("RELAY", "maybe"),
        ("ALLOW_PLAINTEXT_CONNECTIONS", "true"),
        ("RATE_LIMIT_SIGN_IN", "5"),
        ("RATE_LIMIT_ANONYMOUS", "0/60"),
        ("COOKIE_SAMESITE", "strict"),
        ("PORT", "80a"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "9" * 5000),
        ("STYLES_PER_ARTIST", "0"),
        ("RATE_LIMIT_EXPORT", f"1/{'9' * 5000}"),
        ("GENERATION_TIMEOUT", "0"),
        ("TRAINING_TIMEOUT", "6h"),
        ("ORPHAN_AGE", "3599"),
        ("API_BASE_URL", "example.com"),
        ("API_BASE_URL", "http://[::1"),
        ("API_BASE_URL", "http://example.com:99999"),
        ("FRONTEND_URL", "ftp://example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://example.com/path"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("CORS_ALLOWED_ORIGINS", "http://[::1"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy"),
        ("DATABASE_URL", "postgresql://app:correct#horse@db/app"),
        ("DATABASE_URL", "postgresql://app@one:5432,two:port/app"),
        ("DATABASE_URL", "postgresql://app@one:5432,two:99999/app"),
        ("GOOGLE_CLIENT_ID", "without-its-secret"),
    ],
)
def test_invalid_values_are_refused_by_name(name: str, nonsense: str) -> None:
    assert any(name in problem for problem in problems(**{name: nonsense}))


def test_one_problem_is_a_line_and_several_are_a_list() -> None:
    assert str(SettingsError(["PORT is wrong"])) == "The settings are not complete: PORT is wrong"
    assert str(SettingsError(["A", "B"])) == "The settings are not complete:\n  - A\n  - B"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_default_base_url_is_reachable_locally(host: str, url: str) -> None:
    settings = read_settings({"HOST": host})

    assert (settings.local_url, settings.api_base_url) == (url, url)


SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|DATABASE_URL")


MARK = "marked-as-secret"


def secret_names() -> list[str]:
    """The variables of `.env.example` whose names say that they hold a secret, or that are known to."""
    lines = (Path(__file__).parents[2] / ".env.example").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if re.match(r"[A-Z_]+=", line)]
    return [name for name in names if SECRET_NAME.search(name)]


def marked(name: str) -> str:
    return (
        f"postgresql://app:{MARK}-0@db/app?sslmode=require"
        if name == "DATABASE_URL"
        else f"{MARK}-{secret_names().index(name)}"
    )


def values_in(value: object) -> Iterator[object]:
    """All that settings are made of, however deep."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from values_in(one)
    else:
        yield value


def test_secrets_are_not_shown_in_repr() -> None:
    given = {name: marked(name) for name in secret_names()} | {"RABBITMQ_HOST": "broker", "GOOGLE_CLIENT_ID": "client"}
    shared = {name: value for name, value in given.items() if not name.startswith(("TRAINING_API", "INFERENCE_API"))}
    settings = [read_settings(given), read_settings(shared)]

    values = list(values_in(settings))
    hidden = {value.reveal() for value in values if isinstance(value, Secret)}
    assert hidden == {marked(name) for name in secret_names()}
    assert not [value for value in values if MARK in str(value)]
    assert MARK not in repr(settings)


@pytest.mark.parametrize("name", secret_names())
def test_an_error_does_not_quote_a_secret(name: str) -> None:
    given = {**PRODUCTION, name: marked(name), "SECRET_KEY": "weak", "PORT": "none"}
    with pytest.raises(SettingsError) as refused:
        read_settings(given)

    assert MARK not in str(refused.value)
