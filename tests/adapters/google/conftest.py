import functools
import ssl
from collections.abc import Iterator

import pytest

from adapters.google.identity_provider import OpenIDIdentityProvider
from core.secret import Secret
from tests.adapters.google.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    HostileProvider,
    hostile_provider,
)

TLS = functools.cache(ssl.create_default_context)


@pytest.fixture
def hostile() -> Iterator[HostileProvider]:
    with hostile_provider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes a tenth of a second."""
    monkeypatch.setattr(ssl, "create_default_context", TLS)


@pytest.fixture
def provider(hostile: HostileProvider) -> OpenIDIdentityProvider:
    return OpenIDIdentityProvider("google", CLIENT_ID, Secret(CLIENT_SECRET), hostile.discovery_url)
