"""ID tokens of a faulty or hostile provider."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from adapters.google.identity_provider import OpenIDIdentityProvider
from tests.adapters.google.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    NONCE,
    HostileProvider,
    an_elliptic_key,
    an_rsa_key,
)
from tests.adapters.google.steps import KEYS, Changes, always, identify, refusal


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
