import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from adapters.development.local_openid.app import WithLocalOpenID
from adapters.development.local_openid.provider import CODE_LIFETIME, TOKEN_LIFETIME, LocalOpenIDProvider
from adapters.development.stand_in import Message, Receive, Send

ISSUER = "http://127.0.0.1:8000/sign-in"
CALLBACK = "http://127.0.0.1:8000/api/auth/google/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REQUEST = {
    "client_id": "client",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid email profile",
    "state": "state & more",
    "nonce": "nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


async def _service(_scope: Message, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
async def browser(stopwatch: Stopwatch) -> AsyncIterator[httpx.AsyncClient]:
    provider = LocalOpenIDProvider(
        issuer=ISSUER, client_id="client", client_secret="s%cret:x", redirect_uri=CALLBACK, seconds=stopwatch
    )
    app = WithLocalOpenID(_service, provider, path="/sign-in")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield client


async def code_for(browser: httpx.AsyncClient, email: str = "mina.k@example.com", **changes: str) -> str:
    answer = await browser.get("/authorize", params=REQUEST | {"login_hint": email} | changes)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


async def redeem(browser: httpx.AsyncClient, code: str, /, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    # As RFC 6749 (2.3.1) asks, the secret is form-encoded before it goes into the header.
    return await browser.post("/token", data=form | changes, auth=httpx.BasicAuth("client", "s%25cret%3Ax"))


async def claims(browser: httpx.AsyncClient, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set((await browser.get("/jwks")).json())
    return jwt.decode(token, keys, algorithms=["RS256"]).claims


async def test_discovery_names_working_endpoints(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/.well-known/openid-configuration")).json()

    assert document["issuer"] == ISSUER
    assert document["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert document["token_endpoint"] == f"{ISSUER}/token"
    assert document["jwks_uri"] == f"{ISSUER}/jwks"
    assert document["code_challenge_methods_supported"] == ["S256"]


async def test_a_login_hint_signs_in_without_a_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/authorize", params=REQUEST | {"login_hint": " Mina.K@Example.com "})

    target = urlsplit(answer.headers["Location"])
    assert answer.status_code == 302
    assert f"{target.scheme}://{target.netloc}{target.path}" == CALLBACK
    assert parse_qs(target.query)["state"] == ["state & more"]
    tokens = await redeem(browser, parse_qs(target.query)["code"][0])
    returned = await claims(browser, tokens.json()["id_token"])
    assert returned["iss"] == ISSUER
    assert returned["aud"] == "client"
    assert returned["nonce"] == "nonce"
    assert returned["exp"] > returned["iat"]
    assert (returned["email"], returned["email_verified"], returned["name"]) == ("mina.k@example.com", True, "Mina K")


async def test_without_a_hint_the_page_keeps_the_request(browser: httpx.AsyncClient) -> None:
    for hint in ({}, {"login_hint": "not an address"}):
        answer = await browser.get("/authorize", params=REQUEST | hint)

        assert answer.status_code == 200
        assert 'type="email" name="login_hint"' in answer.text
        assert 'name="state" value="state &amp; more"' in answer.text
        assert f'name="code_challenge" value="{CHALLENGE}"' in answer.text


async def test_the_page_offers_earlier_users(browser: httpx.AsyncClient) -> None:
    await code_for(browser, "kim@example.com")

    assert 'value="kim@example.com"' in (await browser.get("/authorize", params=REQUEST)).text


async def test_parameters_are_escaped(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/authorize", params=REQUEST | {"state": '"><script>alert(1)</script>'})

    assert "<script>" not in answer.text


async def test_each_address_has_its_own_stable_subject(browser: httpx.AsyncClient) -> None:
    subjects = []
    for email in ("a@example.com", "A@example.com", "b@example.com"):
        tokens = await redeem(browser, await code_for(browser, email))
        subjects.append((await claims(browser, tokens.json()["id_token"]))["sub"])

    assert subjects[0] == subjects[1] != subjects[2]


async def test_a_code_is_redeemed_once(browser: httpx.AsyncClient) -> None:
    code = await code_for(browser)

    first, second = await redeem(browser, code), await redeem(browser, code)

    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


async def test_codes_and_tokens_expire(browser: httpx.AsyncClient, stopwatch: Stopwatch) -> None:
    code = await code_for(browser)
    token = (await redeem(browser, await code_for(browser))).json()["access_token"]

    stopwatch.seconds += CODE_LIFETIME + 1
    assert (await redeem(browser, code)).json()["error"] == "invalid_grant"
    stopwatch.seconds += TOKEN_LIFETIME
    assert (await browser.get("/userinfo", headers={"Authorization": f"Bearer {token}"})).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:8000/elsewhere"},
        {"code": "made-up"},
    ],
)
async def test_a_code_is_invalid_for_another_client(browser: httpx.AsyncClient, changes: dict[str, str]) -> None:
    answer = await redeem(browser, await code_for(browser), **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_only_the_client_redeems_codes(browser: httpx.AsyncClient) -> None:
    code = await code_for(browser)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}

    wrong = await browser.post("/token", data=form, auth=httpx.BasicAuth("client", "guess"))
    in_the_form = await browser.post("/token", data=form | {"client_id": "client", "client_secret": "s%cret:x"})

    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert in_the_form.status_code == 200


async def test_redirects_keep_the_loopback_name_used(browser: httpx.AsyncClient) -> None:
    callback = CALLBACK.replace("127.0.0.1", "localhost")
    asked = REQUEST | {"login_hint": "a@example.com", "redirect_uri": callback}
    location = (await browser.get("/authorize", params=asked)).headers["Location"]
    assert location.startswith(f"{callback}?code=")


NOWHERE = [
    {"client_id": "another"},
    {"redirect_uri": "https://evil.example.com/"},
    {"redirect_uri": CALLBACK.replace("127.0.0.1", "localhost.evil.example.com")},
    {"redirect_uri": CALLBACK.replace("127.0.0.1:8000", "localhost:9000")},
]


@pytest.mark.parametrize("change", NOWHERE)
async def test_unregistered_redirect_uris_are_refused(browser: httpx.AsyncClient, change: dict[str, str]) -> None:
    answer = await browser.get("/authorize", params=REQUEST | {"login_hint": "a@example.com"} | change)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_errors_are_sent_to_the_client(browser: httpx.AsyncClient, change: dict[str, str], error: str) -> None:
    answer = await browser.get("/authorize", params=REQUEST | {"login_hint": "a@example.com"} | change)

    returned = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (returned["error"], returned["state"]) == ([error], ["state & more"])
    assert "code" not in returned


async def test_userinfo_requires_an_access_token(browser: httpx.AsyncClient) -> None:
    tokens = (await redeem(browser, await code_for(browser))).json()

    returned = await browser.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    refused = await browser.get("/userinfo", headers={"Authorization": "Bearer made-up"})

    assert returned.json()["email"] == "mina.k@example.com"
    assert refused.status_code == 401


async def test_other_paths_reach_the_service(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("http://127.0.0.1:8000/api/health")).status_code == 204
    assert (await browser.get("http://127.0.0.1:8000/sign-in-elsewhere")).status_code == 204
    assert (await browser.get("/nothing-here")).status_code == 404
