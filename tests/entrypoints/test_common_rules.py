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
from tests.entrypoints.service import FRONTEND, Browser, Service, asgi, settings
from tests.support.world import MemoryWorld


def refusal(response: httpx.Response) -> tuple[int, str, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["details"]


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


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"bio": nope}', b"[" * 10_000])
async def test_malformed_json_is_refused(service: Service, world: MemoryWorld, body: bytes) -> None:
    async with service.browser(await world.user(tokens=10)) as browser:
        for method, path in (("PATCH", "/api/users/me"), ("POST", "/api/generations")):
            response = await browser.call(method, path, content=body, headers={"Content-Type": "application/json"})
            assert refusal(response) == (400, "MALFORMED_BODY", None)


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true"])
async def test_json_that_is_not_an_object_is_refused(service: Service, world: MemoryWorld, body: str) -> None:
    async with service.browser(await world.user()) as browser:
        for method, path in (("PATCH", "/api/users/me"), ("POST", "/api/generations")):
            response = await browser.call(method, path, content=body, headers={"Content-Type": "application/json"})
            assert refusal(response) == (400, "MALFORMED_BODY", None)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_another_content_type_is_refused(service: Service, world: MemoryWorld, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    async with service.browser(await world.artist()) as browser:
        for method, path in (
            ("PATCH", "/api/users/me"),
            ("POST", "/api/users/me/upgrade-to-artist"),
            ("POST", "/api/generations"),
            ("POST", "/api/styles"),
        ):
            response = await browser.call(method, path, content=b"a=b", headers=headers)
            assert refusal(response) == (415, "UNSUPPORTED_MEDIA_TYPE", None)


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
async def test_a_too_large_body_is_refused(service: Service, world: MemoryWorld, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * 1024 * 1024

    headers = {"Content-Type": "application/json"}
    async with service.browser(await world.user()) as browser:
        for method, path, size in (("POST", "/api/generations", 2), ("PATCH", "/api/users/me", 8)):
            content = b" " * size * 1024 * 1024 if declared else chunks()
            response = await browser.call(method, path, content=content, headers=headers)
            assert refusal(response) == (413, "PAYLOAD_TOO_LARGE", None)


async def test_all_invalid_fields_are_named(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        response = await browser.post(
            "/api/generations",
            json={"style_id": "5", "prompt_tags": ["cat", 5], "aspect_ratio": "3:1", "seed": 1.5},
        )
    status, code, details = refusal(response)
    assert (status, code) == (422, "VALIDATION_ERROR")
    assert details == {
        "style_id": "Expected `int`, got `str`.",
        "prompt_tags.1": "Expected `str`, got `int`.",
        "aspect_ratio": "Invalid enum value '3:1'.",
        "seed": "Expected `int | null`, got `float`.",
    }


async def test_missing_and_unknown_fields_are_named(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        missing = await browser.post("/api/generations", json={})
        unknown = await browser.patch("/api/users/me", json={"role": "admin"})
    assert refusal(missing)[2] == {"style_id": "This field is required.", "prompt_tags": "This field is required."}
    assert refusal(unknown) == (422, "VALIDATION_ERROR", {"role": "Unknown field."})


async def test_unstorable_text_is_refused(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        body = {"style_id": 1, "prompt_tags": ["cat", "do\0g"], "description": "fine"}
        assert refusal(await browser.post("/api/generations", json=body))[2] == {
            "prompt_tags.1": "Text cannot contain the character NUL."
        }
        body = {"style_id": 1, "prompt_tags": ["cat"], "description": "a backslash: \\u0000"}
        assert refusal(await browser.post("/api/generations", json=body))[1] == "STYLE_NOT_FOUND"
        content = b'{"style_id": 1, "prompt_tags": ["cat", "caf\\udce9"]}'
        response = await browser.post("/api/generations", content=content, headers={"Content-Type": "application/json"})
        assert refusal(response)[2] == {"prompt_tags.1": "Text must be UTF-8."}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("cursor=made-up", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%00", "cursor"),
        ("sort=best", "sort"),
        ("training_status=some", "training_status"),
        ("artist_id=x", "artist_id"),
        ("artist_id=0", "artist_id"),
        (f"artist_id={2**63}", "artist_id"),
    ],
)
async def test_an_invalid_query_is_refused(anonymous: Browser, query: str, field: str) -> None:
    status, code, details = refusal(await anonymous.get(f"/api/styles?{query}"))
    assert (status, code, list(details)) == (422, "VALIDATION_ERROR", [field])


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
