"""A provider that is unreachable, slow or incomplete."""

import asyncio
import ssl
from typing import Any

import pytest

from adapters.google import identity_provider as module
from adapters.google.identity_provider import OpenIDIdentityProvider
from core.ports.identity_provider import SignInFailed
from core.secret import Secret
from tests.adapters.google.hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    HostileProvider,
)
from tests.adapters.google.steps import DISCOVERY, KEYS, TOKEN, always, identify, refusal, url_from


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESPONSE_TIMEOUT", 0.3)


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


@pytest.mark.usefixtures("short_timeouts")
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


@pytest.mark.usefixtures("short_timeouts")
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
