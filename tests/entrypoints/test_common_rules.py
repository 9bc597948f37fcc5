"""Rules for all answers."""

import json
import logging
import re
from typing import Any

import httpx
import pytest

from adapters.memory.accounts import MemoryAccountsReader
from core.errors import Category
from core.ports.blob_store import StoreUnavailable
from entrypoints.http import errors
from entrypoints.http.app import create_app
from entrypoints.http.middleware.cors import Cors
from entrypoints.messages import KOREAN
from tests.entrypoints.refusals import refusal
from tests.entrypoints.service import FRONTEND, Browser, Service, asgi, settings
from tests.support.memory_world import MemoryWorld


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/nothing", "/api/styles/abc", "/api/styles/1/2/3", "/api", "/api/users/-1"]
)
async def test_an_unknown_path_is_404(anonymous: Browser, path: str) -> None:
    assert refusal(await anonymous.get(path)) == (404, "NOT_FOUND", None)


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
@pytest.mark.parametrize("path", ["/api/users/{}", "/api/styles/{}", "/api/generations/{}"])
async def test_an_invalid_id_is_404(anonymous: Browser, path: str, number: int) -> None:
    assert refusal(await anonymous.get(path.format(number)))[:2] == (404, "NOT_FOUND")


async def test_an_unsupported_method_is_405(anonymous: Browser) -> None:
    response = await anonymous.call("DELETE", "/api/styles")
    assert refusal(response) == (405, "METHOD_NOT_ALLOWED", None)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    "path",
    [
        "/api/styles",
        "/api/health",
        "/api/generations/feed",
        "/api/schema",
        "/api/schema/openapi.json",
        "/api/health/live",
    ],
)
async def test_a_trailing_slash_is_accepted_without_a_redirect(anonymous: Browser, path: str) -> None:
    with_slash, without = await anonymous.get(f"{path}/"), await anonymous.get(path)
    assert (with_slash.status_code, with_slash.content) == (200, without.content)


async def test_a_trailing_slash_is_accepted_for_changing_calls(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        assert (await browser.post("/api/notifications/read-all/")).status_code == 200
        assert (await browser.patch("/api/users/me/", json={"bio": "Hello"})).status_code == 200


async def test_head_is_get_without_the_body(anonymous: Browser) -> None:
    head, get = await anonymous.call("HEAD", "/api/styles"), await anonymous.get("/api/styles")
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(get.content))
    assert (await anonymous.call("HEAD", "/api/nothing")).status_code == 404
    assert (await anonymous.call("HEAD", "/api/auth/logout")).status_code == 405


async def test_options_lists_the_methods_of_a_path(service: Service) -> None:
    paths = {route.path_format for route in service.app.routes}
    async with service.browser() as browser:
        for path in sorted(paths):
            filled = re.sub(r"\{[a-z_]+\}", "1", path)
            options = await browser.call("OPTIONS", filled)
            refused = await browser.call("CONNECT", filled)
            assert (options.status_code, options.content, refused.status_code) == (204, b"", 405), path
            assert options.headers.get_list("allow") == refused.headers.get_list("allow"), path
            allowed = options.headers["allow"].split(", ")
            assert ("GET" in allowed) == ("HEAD" in allowed)
    assert (await _options(service, "/api/styles")) == "GET, HEAD, OPTIONS, POST"
    assert len(paths) > 50


async def _options(service: Service, path: str) -> str:
    async with service.browser() as browser:
        allow: str = (await browser.call("OPTIONS", path)).headers["allow"]
    return allow


async def test_options_of_an_unknown_path_is_404(anonymous: Browser) -> None:
    assert refusal(await anonymous.call("OPTIONS", "/api/nothing"))[:2] == (404, "NOT_FOUND")


async def test_repeated_list_headers_are_joined(service: Service, world: MemoryWorld) -> None:
    session = await service.session_of(await world.user())
    transport = asgi(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
        languages = [("Accept-Language", "en;q=0.5"), ("Accept-Language", "ko;q=0.7")]
        refused = await client.get("/api/auth/me", headers=languages)
        cookies = [("Cookie", "theme=dark"), ("Cookie", f"sessionid={session}")]
        me = await client.get("/api/auth/me", headers=cookies)
    assert refused.json()["error"]["message"] == KOREAN.message("UNAUTHORIZED")
    assert me.status_code == 200


@pytest.mark.parametrize("header", ["Content-Type", "X-CSRFToken"])
async def test_repeated_single_value_headers_are_refused(service: Service, world: MemoryWorld, header: str) -> None:
    async with service.browser(await world.user()) as browser:
        right = {"Content-Type": "application/json", "X-CSRFToken": browser.csrf or ""}
        headers = [*right.items(), (header, right[header])]
        response = await browser.client.patch("/api/users/me", content=b"{}", headers=headers)
        assert response.status_code == {"Content-Type": 415, "X-CSRFToken": 403}[header]
        assert (await browser.client.patch("/api/users/me", content=b"{}", headers=right)).status_code == 200


@pytest.mark.parametrize("host", ["", "[", "[::1", "[nowhere]", "a b", "a/b", "a:b", "a:99999", "\xbd", "a, a"])
@pytest.mark.parametrize("path", ["/api/auth/google/login", "/api/styles?limit=0", "/api/health/live"])
async def test_an_invalid_host_is_refused(service: Service, path: str, host: str) -> None:
    async with httpx.AsyncClient(transport=asgi(service.app), base_url="https://api.example.com") as client:
        response = await client.get(path, headers=[(b"Host", host.encode("latin-1"))])
    assert refusal(response) == (400, "BAD_REQUEST", None)


@pytest.mark.parametrize(("version", "status"), [("1.1", 400), ("1.0", 200)])
async def test_only_http_1_0_may_omit_the_host(service: Service, version: str, status: int) -> None:
    """RFC 9112, 3.2."""

    async def old(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, b"" if name == b"host" else value) for name, value in scope["headers"]]  # as the server does
        await asgi(service.app).app(scope | {"headers": headers, "http_version": version}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(old), base_url="https://api.example.com") as client:
        assert (await client.get("/api/health/live")).status_code == status


@pytest.mark.parametrize(
    "head",
    [
        {"Accept-Language": "ko," * 12_000},
        {"Cookie": "; ".join(f"c{number}=" for number in range(6000))},
        {f"X-{number}": "x" * 1000 for number in range(40)},
    ],
    ids=["one field", "cookies", "many fields"],
)
async def test_a_too_large_head_is_refused(service: Service, head: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=asgi(service.app), base_url="https://api.example.com") as client:
        response = await client.get("/api/styles", headers=head)
        long = await client.get(f"/api/styles?tags={'x' * 33_000}")

    assert [refusal(response)[:2], refusal(long)[:2]] == [(431, "HEAD_TOO_LARGE")] * 2


async def test_a_long_accept_language_is_truncated(anonymous: Browser) -> None:
    unread = await anonymous.get("/api/no-such-path", headers={"Accept-Language": "xx," * 400 + "ko"})
    read = await anonymous.get("/api/no-such-path", headers={"Accept-Language": "xx," * 100 + "ko"})

    assert unread.json()["error"]["message"].isascii()
    assert not read.json()["error"]["message"].isascii()


@pytest.mark.parametrize("host", ["localhost", "api.example.com:8000", "[::1]:8000", "127.0.0.1", "xn--9d0bm53a.kr"])
async def test_a_valid_host_is_accepted(anonymous: Browser, host: str) -> None:
    assert (await anonymous.client.get("/api/health/live", headers={"Host": host})).status_code == 200


async def test_every_response_has_its_own_trace_id(anonymous: Browser) -> None:
    first = await anonymous.get("/api/health/live", headers={"X-Trace-Id": "theirs"})
    second = await anonymous.get("/api/health/live", headers={"X-Trace-Id": "theirs"})
    assert len({"theirs", first.headers["x-trace-id"], second.headers["x-trace-id"]}) == 3


async def test_an_unexpected_error_is_logged_in_full_and_hidden_from_the_client(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(MemoryAccountsReader, "profile", fails)
    async with service.browser() as browser:
        response = await browser.get(f"/api/users/{(await world.user()).id}")
    assert refusal(response) == (500, "INTERNAL_ERROR", None)
    assert "swordfish" not in response.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert "swordfish" in str(record.exc_info[1])


async def test_errors_outside_routes_have_the_error_shape(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr(Cors, "__call__", fails)
    app = create_app(service.container, service.settings)
    async with httpx.AsyncClient(transport=asgi(app), base_url="https://api.example.com") as client:
        response = await client.get("/api/health/live")
    assert refusal(response) == (500, "INTERNAL_ERROR", None)
    assert response.headers["x-trace-id"]
    assert "swordfish" in caplog.text


async def test_an_unavailable_dependency_is_503(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(world.blobs, "signed_url", unavailable)
    async with service.browser(await world.user()) as browser:
        monkeypatch.setattr(MemoryAccountsReader, "me", unavailable)
        response = await browser.get("/api/auth/me")
    assert refusal(response)[:2] == (503, "STORE_UNAVAILABLE")
    assert "STORE_UNAVAILABLE" in caplog.text


@pytest.mark.parametrize(
    ("accepted", "korean"),
    [
        (None, False),
        ("ko", True),
        ("ko-KR,ko;q=0.9,en;q=0.8", True),
        ("en-US,en;q=0.9,ko;q=0.8", False),
        ("en;q=0.5,ko;q=0.7", True),
        ("fr,de", False),
        ("fr,ko;q=0.1", True),
        ("ko;q=0", False),
        ("ko;q=x", False),
        ("*", False),
        (",;,", False),
    ],
)
async def test_messages_follow_accept_language(anonymous: Browser, accepted: str | None, korean: bool) -> None:
    headers = {"Accept-Language": accepted} if accepted else {"Accept-Language": ""}
    error = (await anonymous.get("/api/auth/me", headers=headers)).json()["error"]
    assert error["code"] == "UNAUTHORIZED"
    assert (error["message"] == KOREAN.message("UNAUTHORIZED")) is korean


def test_every_category_has_a_status() -> None:
    assert errors.STATUS.keys() == set(Category)


@pytest.mark.parametrize("path", ["/api/health/live", "/api/nothing", "/api/auth/me"])
async def test_the_frontend_origin_can_read_responses_with_credentials(anonymous: Browser, path: str) -> None:
    headers = (await anonymous.get(path, headers={"Origin": FRONTEND})).headers
    assert headers["access-control-allow-origin"] == FRONTEND
    assert headers["access-control-allow-credentials"] == "true"
    assert {"X-CSRFToken", "X-Trace-Id", "ETag", "Location"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )
    assert "Origin" in headers.get_list("vary", split_commas=True)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://example.com", f"{FRONTEND}.evil.example"])
async def test_other_origins_cannot_read_responses(anonymous: Browser, origin: str) -> None:
    answer = await anonymous.get("/api/health/live", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    preflight = await anonymous.call(
        "OPTIONS", "/api/styles", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    assert not any(name.startswith("access-control") for name in preflight.headers)


async def test_a_preflight_of_the_frontend_is_answered(anonymous: Browser) -> None:
    asked = {
        "Origin": FRONTEND,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,x-csrftoken",
    }
    headers = (await anonymous.call("OPTIONS", "/api/users/me", headers=asked)).headers
    assert headers["access-control-allow-origin"] == FRONTEND
    assert "PATCH" in headers["access-control-allow-methods"]
    assert {"Content-Type", "X-CSRFToken"} <= set(headers["access-control-allow-headers"].split(", "))


async def test_responses_are_not_cached_or_framed(world: MemoryWorld) -> None:
    async with Service(world, app_env="production").browser() as browser:
        headers = (await browser.get("/api/styles")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "max-age" in headers["strict-transport-security"]


@pytest.mark.parametrize(
    "missing", [{"secret_key": None}, {"training_tokens": []}, {"inference_tokens": []}, {"operator_tokens": []}]
)
def test_an_app_requires_its_secrets(service: Service, missing: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the service needs"):
        create_app(service.container, settings(**missing))


async def test_times_are_utc_and_end_in_z(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        me = json.loads((await browser.get("/api/auth/me")).content)
    assert me["data"]["created_at"].endswith("Z")
