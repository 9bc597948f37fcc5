"""What the tests of the identity provider share."""

from collections.abc import Callable

import pytest

from adapters.google.identity_provider import OpenIDIdentityProvider
from core.ports.identity_provider import Identity, SignInFailed
from tests.adapters.google.hostile_provider import (
    NONCE,
    Answer,
)

CALLBACK = "https://api.example.com/api/auth/google/callback"


VERIFIER = "a-verifier-that-is-long-enough-for-the-protocol"


DISCOVERY, KEYS, TOKEN = "/.well-known/openid-configuration", "/keys", "/token"


async def url_from(provider: OpenIDIdentityProvider) -> str:
    return await provider.authorization_url(
        redirect_uri=CALLBACK, state="state", nonce=NONCE, code_verifier=VERIFIER, login_hint="ina@example.com"
    )


async def identify(provider: OpenIDIdentityProvider) -> Identity:
    return await provider.identify(code="code", redirect_uri=CALLBACK, nonce=NONCE, code_verifier=VERIFIER)


async def refusal(provider: OpenIDIdentityProvider) -> str:
    with pytest.raises(SignInFailed) as refused:
        await identify(provider)
    return refused.value.reason


Changes = dict[str, object]


def always(status: int, answer: object) -> Callable[[], Answer]:
    return lambda: (status, answer)
