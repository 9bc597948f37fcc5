"""Answers of a faulty or hostile provider."""

import asyncio
import functools
import hmac
import json
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.google import identity_provider as module
from adapters.google.identity_provider import OpenIDIdentityProvider
from core.ports.identity_provider import Identity, SignInFailed
from core.secret import Secret
from tests.adapters.google.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    NONCE,
    Answer,
    HostileProvider,
    an_elliptic_key,
    an_rsa_key,
    hostile_provider,
)

CALLBACK = "https://api.example.com/api/auth/google/callback"
VERIFIER = "a-verifier-that-is-long-enough-for-the-protocol"
TLS = functools.cache(ssl.create_default_context)
DISCOVERY, KEYS, TOKEN = "/.well-known/openid-configuration", "/keys", "/token"


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESPONSE_TIMEOUT", 0.3)


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


Changes = dict[str, object]


class FromNow(int):
    """Seconds from the moment of the test, which may come minutes after these cases were collected."""


def at_this_moment(changes: Changes) -> Changes:
    now = int(time.time())
    return {name: now + value if isinstance(value, FromNow) else value for name, value in changes.items()}


UNBELIEVABLE: dict[str, Changes] = {
    "another issuer": {"iss": "https://accounts.example.com"},
    "an issuer that only begins alike": {"iss": "http://127.0.0.1:1"},
    "no issuer": {"iss": None},
    "an issuer that is a list": {"iss": ["http://127.0.0.1"]},
    "another audience": {"aud": "another-client"},
    "other audiences": {"aud": ["another-client", "a-third"]},
    "no audience": {"aud": None},
    "several audiences and no word to whom": {"aud": [CLIENT_ID, "another-client"]},
    "issued to another of several": {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
    "issued to another": {"azp": "another-client"},
    "expired": {"exp": FromNow(-600)},
    "no expiry": {"exp": None},
    "an expiry that is text": {"exp": "tomorrow"},
    "issued in the future": {"iat": FromNow(600)},
    "not issued at all": {"iat": None},
    "not valid yet": {"nbf": FromNow(600)},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "an empty nonce": {"nonce": ""},
    "a nonce among others": {"nonce": [NONCE]},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 5},
    "a subject with a NUL": {"sub": "subject\0-1"},
    "a subject with half of a surrogate pair": {"sub": "subject-\udce9"},
    "a verified e-mail with a NUL": {"email": "ina\0@example.com"},
    "an e-mail with a NUL that nobody has verified": {"email": "ina\0@example.com", "email_verified": False},
    "an e-mail with half of a surrogate pair": {"email": "ina\ud83d@example.com"},
}


@pytest.mark.parametrize("changes", UNBELIEVABLE.values(), ids=UNBELIEVABLE.keys())
async def test_a_token_with_invalid_claims_is_refused(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, changes: Changes
) -> None:
    hostile.says(hostile.token(at_this_moment(changes)))
    assert await refusal(provider) == "invalid_token"


ACCEPTABLE: dict[str, Changes] = {
    "one audience in a list": {"aud": [CLIENT_ID]},
    "several audiences and issued to us": {"aud": ["another-client", CLIENT_ID], "azp": CLIENT_ID},
    "expired a moment ago": {"exp": FromNow(-1)},
    "issued in a moment": {"iat": FromNow(5)},
}


@pytest.mark.parametrize("changes", ACCEPTABLE.values(), ids=ACCEPTABLE.keys())
async def test_valid_variants_of_the_protocol_are_accepted(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, changes: Changes
) -> None:
    hostile.says(hostile.token(at_this_moment(changes)))
    assert (await identify(provider)).subject == "subject-1"


def encoded(data: object) -> str:
    return urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


def without_signature(hostile: HostileProvider) -> str:
    return f"{encoded({'alg': 'none'})}.{encoded(hostile.claims())}."


def changed_after_signing(hostile: HostileProvider) -> str:
    header, _, signature = hostile.token().split(".")
    return f"{header}.{encoded(hostile.claims({'sub': 'subject-2'}))}.{signature}"


def with_another_header(hostile: HostileProvider) -> str:
    _, payload, signature = hostile.token().split(".")
    return f"{encoded({'alg': 'none', 'kid': 'key-1'})}.{payload}.{signature}"


def with_a_key_of_its_own(hostile: HostileProvider) -> str:
    key = an_rsa_key(number=2)
    header = {"alg": "RS256", "jwk": key.as_dict(private=False), "jku": f"{hostile.issuer}/other-keys"}
    token = hostile.token(key=key).split(".")
    return f"{encoded(header)}.{token[1]}.{token[2]}"


def by_a_secret(hostile: HostileProvider, secret: bytes) -> str:
    signed = f"{encoded({'alg': 'HS256', 'kid': 'key-1'})}.{encoded(hostile.claims())}"
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


FORGED: dict[str, Callable[[HostileProvider], object]] = {
    "signed by another key": lambda hostile: hostile.token(key=an_rsa_key(number=2)),
    "signed by an unknown key": lambda hostile: hostile.token(key=an_rsa_key(number=2), kid="key-2"),
    "changed after signing": changed_after_signing,
    "without a signature": without_signature,
    "with another header": with_another_header,
    "with a key of its own": with_a_key_of_its_own,
    "signed by the client's secret": lambda hostile: by_a_secret(hostile, CLIENT_SECRET.encode()),
    "signed by the public key as a secret": lambda hostile: by_a_secret(hostile, an_rsa_key().as_pem(private=False)),
    "signed with an algorithm of another key": lambda hostile: hostile.token(key=an_elliptic_key(), alg="ES256"),
    "no token": lambda _: None,
    "an empty token": lambda _: "",
    "something else": lambda _: "something else",
    "a number": lambda _: 5,
    "an object": lambda _: {"sub": "subject-1"},
    "too long": lambda _: "a" * 1_000_000,
    "deeply nested": lambda _: f"{urlsafe_b64encode(b'[' * 100_000).decode()}.e30.e30",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_a_token_with_an_invalid_signature_is_refused(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, forged: Callable[[HostileProvider], object]
) -> None:
    hostile.says(forged(hostile))
    assert await refusal(provider) == "invalid_token"


async def test_an_algorithm_that_the_provider_does_not_use_is_refused(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    hostile.configuration["id_token_signing_alg_values_supported"] = ["ES256"]
    assert await refusal(provider) == "invalid_token"


async def test_a_published_symmetric_key_is_not_accepted(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    secret = b"a secret that everybody can read among the keys"
    published = {"kty": "oct", "kid": "key-1", "k": urlsafe_b64encode(secret).decode().rstrip("=")}
    hostile.answers[KEYS] = always(200, {"keys": [published]})
    hostile.says(by_a_secret(hostile, secret))
    assert await refusal(provider) == "invalid_token"


@pytest.mark.parametrize("alg", ["PS256", "ES256"])
async def test_other_asymmetric_algorithms_are_accepted(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, alg: str
) -> None:
    hostile.key = an_elliptic_key() if alg == "ES256" else hostile.key
    hostile.says(hostile.token(alg=alg))
    assert (await identify(provider)).subject == "subject-1"


async def test_keys_are_cached_and_fetched_again_after_rotation(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    await identify(provider)
    await identify(provider)
    assert hostile.asked.count(KEYS) == 1
    hostile.key = an_rsa_key("key-2")
    hostile.says(hostile.token(kid="key-2"))
    await identify(provider)
    await identify(provider)
    assert hostile.asked.count(KEYS) == 2
    hostile.says(hostile.token(key=an_rsa_key(number=2), kid="key-3"))
    assert await refusal(provider) == "invalid_token"
    assert hostile.asked.count(KEYS) == 3


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


def always(status: int, answer: object) -> Callable[[], Answer]:
    return lambda: (status, answer)


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (400, {"error": "invalid_grant"}, "invalid_code"),
        (400, {"error": "invalid_request"}, "invalid_code"),
        (400, {"error": "unauthorized_client"}, "provider_unavailable"),
        (400, {}, "provider_unavailable"),
        (400, [], "provider_unavailable"),
        (400, b"no", "provider_unavailable"),
        (401, {"error": "invalid_client"}, "provider_unavailable"),
        (403, {"error": "invalid_grant"}, "provider_unavailable"),
        (429, {}, "provider_unavailable"),
        (500, {}, "provider_unavailable"),
        (503, b"<html>", "provider_unavailable"),
        (302, b"", "provider_unavailable"),
        (200, b"<html>", "provider_unavailable"),
        (200, b"\xff", "provider_unavailable"),
        (200, [1], "provider_unavailable"),
        (200, "token", "provider_unavailable"),
        (200, None, "provider_unavailable"),
        (200, {"id_token": "x", "expires_in": "soon"}, "provider_unavailable"),
        (200, {}, "invalid_token"),
    ],
)
async def test_a_refused_code_differs_from_an_unavailable_provider(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, status: int, answer: object, reason: str
) -> None:
    hostile.answers[TOKEN] = always(status, answer)
    assert await refusal(provider) == reason


NO_KEYS: list[Answer] = [
    (500, {}),
    (200, b"<html>"),
    (200, []),
    (200, {}),
    (200, {"keys": []}),
    (200, {"keys": 5}),
    (200, {"keys": [{"kty": "RSA"}]}),
]


@pytest.mark.parametrize("answer", NO_KEYS, ids=str)
async def test_without_keys_sign_in_is_unavailable(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, answer: Answer
) -> None:
    honest = hostile.answers[KEYS]
    hostile.answers[KEYS] = always(*answer)
    assert await refusal(provider) == "provider_unavailable"
    hostile.answers[KEYS] = honest
    assert (await identify(provider)).subject == "subject-1"


NO_CONFIGURATION: list[Answer] = [(404, {}), (500, {}), (200, b"<html>"), (200, []), (200, {}), (200, "configuration")]


@pytest.mark.parametrize("answer", NO_CONFIGURATION, ids=str)
async def test_without_a_configuration_sign_in_is_unavailable(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, answer: Answer
) -> None:
    honest = hostile.answers[DISCOVERY]
    hostile.answers[DISCOVERY] = always(*answer)
    with pytest.raises(SignInFailed) as refused:
        await url_from(provider)
    assert refused.value.reason == "provider_unavailable"
    assert await refusal(provider) == "provider_unavailable"
    hostile.answers[DISCOVERY] = honest
    assert (await identify(provider)).subject == "subject-1"


@pytest.mark.parametrize(
    "missing",
    ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "id_token_signing_alg_values_supported"],
)
async def test_an_incomplete_configuration_is_refused(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, missing: str
) -> None:
    del hostile.configuration[missing]
    assert await refusal(provider) == "provider_unavailable"


async def test_an_unreachable_server_is_unavailable() -> None:
    provider = OpenIDIdentityProvider("google", CLIENT_ID, Secret(CLIENT_SECRET), "http://127.0.0.1:9/")
    assert await refusal(provider) == "provider_unavailable"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", [DISCOVERY, KEYS, TOKEN])
async def test_a_silent_provider_times_out(
    hostile: HostileProvider, provider: OpenIDIdentityProvider, path: str
) -> None:
    hostile.silent.add(path)
    assert await asyncio.wait_for(refusal(provider), 5) == "provider_unavailable"


async def test_concurrent_sign_ins_share_the_configuration_request(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    await asyncio.gather(*(url_from(provider) for _ in range(20)))
    assert hostile.asked == [DISCOVERY]


@pytest.mark.usefixtures("impatient")
async def test_concurrent_sign_ins_share_a_failed_configuration_request(
    hostile: HostileProvider, provider: OpenIDIdentityProvider
) -> None:
    hostile.silent.add(DISCOVERY)
    async with asyncio.timeout(2):  # one after another would take 20 times 0.3 s
        answers = await asyncio.gather(*(url_from(provider) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {SignInFailed}


async def test_a_cancelled_sign_in_does_not_cancel_the_configuration_request(
    provider: OpenIDIdentityProvider,
) -> None:
    first, second = (asyncio.ensure_future(url_from(provider)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).startswith("http://127.0.0.1")


async def test_certificate_authorities_are_not_read_on_the_event_loop(
    provider: OpenIDIdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await url_from(provider)

    def slow(*_: Any, **__: Any) -> ssl.SSLContext:
        raise AssertionError("a tenth of a second in which nobody else is served")

    monkeypatch.setattr(ssl, "create_default_context", slow)
    monkeypatch.setattr(ssl, "SSLContext", slow)
    await identify(provider)
