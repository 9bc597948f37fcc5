from datetime import timedelta

import pytest

from core.ports.rate_limiter import Limit
from entrypoints.settings import GOOGLE_DISCOVERY, SettingsError, read_settings

PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://app:secret@db/app",
    "RABBITMQ_HOST": "broker",
    "RABBITMQ_USER": "app",
    "RABBITMQ_PASS": "long-and-random",
    "GCS_BUCKET_NAME": "style-license-media",
    "GOOGLE_CLIENT_ID": "client",
    "GOOGLE_CLIENT_SECRET": "secret",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
    "INTERNAL_API_TOKEN": "vutsrqponmlkjihgfedcba9876543210",
    "API_BASE_URL": "https://api.example.com/",
    "FRONTEND_URL": "https://example.com",
    "CORS_ALLOWED_ORIGINS": "https://example.com, https://www.example.com",
}


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_settings(environ)
    return refused.value.problems


def test_an_empty_environment_is_development_with_every_part_embedded() -> None:
    settings = read_settings({})

    assert not settings.production
    assert settings.api_base_url == "http://127.0.0.1:8000"
    assert (settings.database_url, settings.rabbitmq, settings.gcs_bucket_name, settings.google) == (None,) * 4
    assert settings.ai_servers == "simulated"
    assert settings.rate_limits is None


def test_production_with_all_that_it_needs() -> None:
    settings = read_settings(PRODUCTION)

    assert settings.production
    assert settings.host == "0.0.0.0"
    assert settings.api_base_url == "https://api.example.com"
    assert settings.cors_allowed_origins == ["https://example.com", "https://www.example.com"]
    assert settings.rabbitmq is not None
    assert (settings.rabbitmq.port, settings.rabbitmq.vhost) == (5672, "/")
    assert settings.google is not None
    assert settings.google.discovery_url == GOOGLE_DISCOVERY
    assert settings.ai_servers == "none"
    assert settings.rate_limits is not None
    assert settings.rate_limits.sign_in == Limit(5, timedelta(minutes=5))


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "APP_ENV"])
def test_production_names_each_missing_variable(name: str) -> None:
    told = problems(**{**PRODUCTION, name: " "})

    assert any(problem.startswith(f"{name} is missing") or name in problem for problem in told)


def test_production_names_all_missing_variables_at_once() -> None:
    told = problems(APP_ENV="production")

    assert {problem.split()[0] for problem in told} == set(PRODUCTION) - {"APP_ENV"}


@pytest.mark.parametrize(
    ("name", "weak"),
    [
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("INTERNAL_API_TOKEN", "short"),
        ("INTERNAL_API_TOKEN", PRODUCTION["SECRET_KEY"]),
        ("INTERNAL_API_TOKEN_PREVIOUS", "short"),
        ("RABBITMQ_PASS", "guest"),
        ("API_BASE_URL", "http://api.example.com"),
        ("FRONTEND_URL", "http://example.com"),
        ("AI_SERVERS", "simulated"),
        ("RATE_LIMITS", "off"),
        ("STORAGE_EMULATOR_HOST", "http://localhost:9023"),
        ("TOSS_SECRET_KEY", "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"),
    ],
)
def test_production_refuses_what_is_weak(name: str, weak: str) -> None:
    told = problems(**{**PRODUCTION, name: weak})

    assert len(told) == 1
    assert name in told[0]


def test_tokens_are_sold_with_the_key_of_a_payment_provider_and_not_without() -> None:
    assert read_settings(PRODUCTION).toss is None

    toss = read_settings({**PRODUCTION, "TOSS_SECRET_KEY": "live_sk_Z1aOwX7K8m"}).toss
    assert toss is not None
    assert (toss.secret_key, toss.api_base) == ("live_sk_Z1aOwX7K8m", "https://api.tosspayments.com")


def test_the_key_of_the_payment_provider_does_not_travel_in_the_clear() -> None:
    told = problems(**PRODUCTION, TOSS_SECRET_KEY="live_sk_Z1aOwX7K8m", TOSS_API_BASE="http://toss.example.com")
    assert [problem.partition(" ")[0] for problem in told] == ["TOSS_API_BASE"]


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("APP_ENV", "staging"),
        ("AI_SERVERS", "real"),
        ("RATE_LIMITS", "yes"),
        ("RELAY", "maybe"),
        ("RATE_LIMIT_SIGN_IN", "5"),
        ("RATE_LIMIT_ANONYMOUS", "0/60"),
        ("COOKIE_SAMESITE", "strict"),
        ("PORT", "80a"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("STYLES_PER_ARTIST", "0"),
        ("GENERATION_TIMEOUT", "0"),
        ("TRAINING_TIMEOUT", "6h"),
        ("ORPHAN_AGE", "3599"),
        ("API_BASE_URL", "example.com"),
        ("FRONTEND_URL", "ftp://example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://example.com/path"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy"),
        ("GOOGLE_CLIENT_ID", "without-its-secret"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, nonsense: str) -> None:
    assert any(name in problem for problem in problems(**{name: nonsense}))
