"""IdentityProvider: memory, and a local provider that speaks OpenID Connect."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from adapters.google.identity_provider import OpenIDIdentityProvider
from adapters.memory.identity_provider import MemoryIdentityProvider
from core.ports.identity_provider import Identity, IdentityProvider, SignInFailed
from core.secret import Secret
from tests.support.openid import Provider

CALLBACK = "http://localhost:8000/api/auth/google/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@dataclass(frozen=True, slots=True)
class Case:
    provider: IdentityProvider
    sign_in: Callable[[str, Identity], Awaitable[str]]
    """Where the browser is sent back to after this person has signed in at that URL."""


@pytest.fixture(params=["memory", "openid"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "memory":
        return in_memory()
    local: Provider = request.getfixturevalue("openid_provider")
    return Case(
        OpenIDIdentityProvider("google", "client", Secret("secret"), local.discovery_url),
        lambda url, identity: at_the_provider(local, url, identity),
    )


def in_memory() -> Case:
    provider = MemoryIdentityProvider()

    async def sign_in(url: str, identity: Identity) -> str:
        return provider.sign_in(url, identity)

    return Case(provider, sign_in)


async def at_the_provider(local: Provider, url: str, identity: Identity) -> str:
    local.add_user(
        identity.subject,
        email=identity.email,
        email_verified=True,
        name=identity.name,
        picture=identity.picture,
    )
    return await local.sign_in(url, identity.subject)


def somebody() -> Identity:
    subject = uuid4().hex
    return Identity("google", subject, f"{subject}@example.com", "최이나", "https://example.com/ina.png")


async def url_of(case: Case, *, state: str = "state", nonce: str = "nonce", login_hint: str | None = None) -> str:
    return await case.provider.authorization_url(
        redirect_uri=CALLBACK, state=state, nonce=nonce, code_verifier=VERIFIER, login_hint=login_hint
    )


async def code_for(case: Case, identity: Identity, *, nonce: str = "nonce") -> str:
    return query_of(await case.sign_in(await url_of(case, nonce=nonce), identity))["code"]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def identify(case: Case, code: str, *, nonce: str = "nonce", redirect_uri: str = CALLBACK) -> Identity:
    return await case.provider.identify(code=code, redirect_uri=redirect_uri, nonce=nonce, code_verifier=VERIFIER)


async def refusal(case: Case, code: str, *, nonce: str = "nonce", redirect_uri: str = CALLBACK) -> str:
    with pytest.raises(SignInFailed) as refused:
        await identify(case, code, nonce=nonce, redirect_uri=redirect_uri)
    return refused.value.reason


async def test_a_sign_in_identifies_the_user(case: Case) -> None:
    person = somebody()
    assert await identify(case, await code_for(case, person)) == person


async def test_the_callback_has_the_state_of_the_request(case: Case) -> None:
    back = await case.sign_in(await url_of(case, state="a state & more"), somebody())
    assert back.startswith(CALLBACK)
    assert query_of(back)["state"] == "a state & more"


async def test_the_authorization_url_does_not_contain_the_verifier(case: Case) -> None:
    url = await url_of(case)
    assert VERIFIER not in url
    # the example of RFC 7636, appendix B
    assert query_of(url)["code_challenge"] == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_a_login_hint_is_passed_on(case: Case) -> None:
    assert query_of(await url_of(case, login_hint="ina+art@example.com"))["login_hint"] == "ina+art@example.com"
    assert "login_hint" not in query_of(await url_of(case))


async def test_different_users_have_different_subjects(case: Case) -> None:
    first, second = somebody(), somebody()
    first_code, second_code = await code_for(case, first), await code_for(case, second)
    assert await identify(case, second_code) == second
    assert await identify(case, first_code) == first


async def test_an_unknown_code_is_refused(case: Case) -> None:
    assert await refusal(case, "made-up") == "invalid_code"


async def test_a_code_is_valid_once(case: Case) -> None:
    code = await code_for(case, somebody())
    await identify(case, code)
    assert await refusal(case, code) == "invalid_code"


async def test_a_code_is_bound_to_its_redirect_uri(case: Case) -> None:
    code = await code_for(case, somebody())
    assert await refusal(case, code, redirect_uri="http://localhost:8000/elsewhere") == "invalid_code"


async def test_a_code_of_another_attempt_is_refused(case: Case) -> None:
    code = await code_for(case, somebody(), nonce="the nonce of another attempt")
    assert await refusal(case, code) == "invalid_token"
