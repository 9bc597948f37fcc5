import re
from datetime import UTC, datetime, timedelta

from adapters.system.clock import SystemClock
from adapters.system.secrets import SystemSecrets


def test_the_clock_returns_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_tokens_have_256_bits_and_fit_into_urls() -> None:
    tokens = {SystemSecrets().token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_suffixes_are_six_letters_or_digits() -> None:
    suffixes = {SystemSecrets().suffix() for _ in range(1000)}
    assert len(suffixes) > 990
    assert all(re.fullmatch(r"[a-z0-9]{6}", suffix) for suffix in suffixes)
    assert set("".join(suffixes)) == set("abcdefghijklmnopqrstuvwxyz0123456789")
