"""What the tests of settings share."""

import pytest

from entrypoints.settings import SettingsError, read_settings

PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://app:correct-horse@db/app?sslmode=require",
    "RABBITMQ_HOST": "broker",
    "RABBITMQ_TLS": "on",
    "RABBITMQ_USER": "app",
    "RABBITMQ_PASS": "long-and-random",
    "GCS_BUCKET_NAME": "style-license-media",
    "GOOGLE_CLIENT_ID": "client",
    "GOOGLE_CLIENT_SECRET": "GOCSPX-of-the-client",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
    "INTERNAL_API_TOKEN": "vutsrqponmlkjihgfedcba9876543210",
    "OPERATOR_TOKEN": "z9y8x7w6v5u4t3s2r1q0ponmlkjihgfe",
    "API_BASE_URL": "https://api.example.com/",
    "FRONTEND_URL": "https://example.com",
    "CORS_ALLOWED_ORIGINS": "https://example.com, https://www.example.com",
}


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_settings(environ)
    return refused.value.problems
