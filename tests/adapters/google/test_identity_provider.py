"""Requests to an OpenID provider, and the identity that is read from its answers."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.google.identity_provider import OpenIDIdentityProvider
from core.ports.identity_provider import Identity
from tests.adapters.google.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    NONCE,
    HostileProvider,
)
from tests.adapters.google.steps import CALLBACK, VERIFIER, Changes, identify, url_from


async def test_a_valid_id_token_is_accepted(provider: OpenIDIdentityProvider) -> None:
    assert await identify(provider) == Identity(
        "google", "subject-1", "ina@example.com", "Ina", "https://example.com/ina.png"
    )


async def test_the_authorization_url_has_state_nonce_and_pkce(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    url = await url_from(provider)
    assert url.startswith(f"{hostile.issuer}/authorize?")
    challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    assert {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "state": "state",
        "scope": "openid email profile",
        "nonce": NONCE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": "ina@example.com",
    }


async def test_the_code_is_redeemed_with_the_verifier_and_the_callback(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    await identify(provider)
    assert hostile.forms == [
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
    ]
    assert hostile.authorizations == [f"{CLIENT_ID}:{CLIENT_SECRET}"]


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({}, "ina@example.com"),
        ({"email_verified": False}, None),
        ({"email_verified": None}, None),
        ({"email_verified": "true"}, None),
        ({"email_verified": 1}, None),
        ({"email": None}, None),
        ({"email": ""}, None),
        ({"email": ["ina@example.com"]}, None),
    ],
)
async def test_only_a_verified_email_is_kept(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, claims: Changes, email: str | None
) -> None:
    hostile.says(hostile.token(claims))
    assert (await identify(provider)).email == email


@pytest.mark.parametrize("text", ["Ina\0", "\udce9Ina"])
async def test_an_unstorable_name_or_picture_is_dropped(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, text: str
) -> None:
    hostile.says(hostile.token({"name": text, "picture": f"https://example.com/{text}.png"}))
    identity = await identify(provider)
    assert (identity.subject, identity.name, identity.picture) == ("subject-1", None, None)


@pytest.mark.parametrize("picture", [None, "", 5, "javascript:alert(1)", "http://example.com/a.png", "data:image/png,"])
async def test_only_an_https_picture_is_kept(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, picture: object
) -> None:
    hostile.says(hostile.token({"picture": picture, "name": picture}))
    identity = await identify(provider)
    assert identity.picture is None
    assert identity.name == (picture if isinstance(picture, str) and picture else None)
