"""HTML pages: the API page and, without a frontend, the start page."""

import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from adapters.filesystem.blobs import FilesystemBlobStore
from core.ports.identity_provider import Identity
from tests.entrypoints.service import API, Browser, Service
from tests.support.memory_world import MemoryWorld

ELSEWHERE = re.compile(r"(?:src|href|action)=[\"']?(?:https?:)?//")


@pytest.fixture
def service(world: MemoryWorld, tmp_path: Path) -> Service:
    media = FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")
    return Service(world, media=media, frontend_url=None)


async def test_the_document_is_openapi(anonymous: Browser) -> None:
    response = await anonymous.get("/api/schema/openapi.json")
    assert response.headers["content-type"] == "application/json"
    validate(response.json())
    assert (await anonymous.get("/api/schema/openapi.json")).content == response.content


async def test_operations_are_in_the_same_order_in_every_process(service: Service) -> None:
    paths = service.contract.document["paths"]
    operations = [(path, method) for path, methods in paths.items() for method in methods]
    assert operations == sorted(operations)


async def test_the_document_states_the_guards(service: Service) -> None:
    paths = service.contract.document["paths"]
    assert paths["/api/styles"]["get"]["security"] == [{}, {"session": []}]
    assert paths["/api/styles"]["post"]["security"] == [{"session": [], "csrf": []}]
    assert paths["/api/tokens/balance"]["get"]["security"] == [{"session": []}]
    assert paths["/api/health"]["get"]["security"] == []
    webhook = paths["/api/webhooks/training/failed"]["post"]
    assert webhook["security"] == [{"aiServer": []}]
    assert [parameter["name"] for parameter in webhook["parameters"]] == ["X-Request-Source"]


async def test_every_operation_has_a_unique_id_a_summary_and_a_tag(service: Service) -> None:
    operations = [operation for path in service.contract.document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and len(operation["tags"]) == 1 for operation in operations)


async def test_the_document_describes_uploads(service: Service) -> None:
    body = service.contract.document["paths"]["/api/styles"]["post"]["requestBody"]["content"]
    assert body.keys() == {"multipart/form-data", "application/json"}
    assert body["application/json"]["schema"]["required"] == ["name", "generation_cost_tokens", "upload_ids"]
    form = body["multipart/form-data"]["schema"]
    assert form["properties"]["images"] == {"type": "array", "items": {"type": "string", "format": "binary"}}
    assert form["required"] == ["name", "generation_cost_tokens"]
    profile = service.contract.document["paths"]["/api/users/me"]["patch"]["requestBody"]["content"]
    assert profile.keys() == {"multipart/form-data", "application/json"}


async def test_the_api_page_works_offline(anonymous: Browser) -> None:
    page = await anonymous.get("/api/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert not ELSEWHERE.search(page.text)
    needed = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert len(needed) == 4
    for path in needed:
        asset = await anonymous.get(path)
        assert asset.status_code == 200
        assert asset.content
        assert asset.headers["content-type"].partition(";")[0] in {"text/css", "text/javascript", "image/png"}
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", ["..%2f__init__.py", "LICENSE", "swagger-editor.js", "%2e%2e/core.py"])
async def test_no_other_file_is_served(anonymous: Browser, name: str) -> None:
    assert (await anonymous.get(f"/api/schema/assets/{name}")).status_code == 404


async def test_the_start_page_offers_sign_in(service: Service, anonymous: Browser) -> None:
    page = await anonymous.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert 'action="/api/auth/google/login"' in page.text
    assert 'name="login_hint"' in page.text
    assert 'href="/api/schema"' in page.text
    assert not ELSEWHERE.search(page.text)
    for path in re.findall(r"href=\"([^\"]+)\"", page.text):
        assert (await anonymous.get(path)).status_code == 200


async def test_the_start_page_shows_the_current_user(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann", tokens=42)) as browser:
        user = (await browser.get("/")).text
    async with service.browser(await world.artist("mia")) as browser:
        artist = (await browser.get("/")).text
    assert ("<strong>ann</strong>" in user, "42 tokens" in user, "Become an artist" in user) == (True, True, True)
    assert ("Mia" in artist, "Become an artist" in artist) == (True, False)


async def test_the_start_page_satisfies_its_csp(anonymous: Browser) -> None:
    import base64
    import hashlib

    page = await anonymous.get("/")
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page.headers["content-security-policy"]


async def test_an_error_is_shown_escaped(anonymous: Browser) -> None:
    assert "did not agree" in (await anonymous.get("/login?error=access_denied")).text
    attack = await anonymous.get("/login", params={"error": "<script>alert(1)</script>"})
    assert "<script>alert" not in attack.text
    assert "&lt;script&gt;" in attack.text


async def test_without_a_frontend_sign_in_leads_to_the_start_page(service: Service, anonymous: Browser) -> None:
    service.identity_provider.identities["a-code"] = Identity("google", "1", "ann@example.com", None, None)
    await anonymous.get("/api/auth/google/login?next=/login")
    state = service.identity_provider.asked["state"]
    back = await anonymous.get(f"/api/auth/google/callback?code=a-code&state={state}")
    assert back.headers["location"] == "/login"
    again = await anonymous.get(f"/api/auth/google/callback?code=a-code&state={state}")
    assert again.headers["location"] == "/"
    anonymous.client.cookies.clear()
    elsewhere = await anonymous.get(f"/api/auth/google/callback?code=a-code&state={state}")
    assert elsewhere.headers["location"] == "/login?error=invalid_state"


@pytest.mark.parametrize("path", ["/", "/login"])
async def test_with_a_frontend_there_is_no_start_page(world: MemoryWorld, path: str) -> None:
    async with Service(world).browser() as browser:
        assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "notice"),
    [
        ("status=paid", "Paid: the tokens are yours."),
        ("status=expired", "The time to pay is over: no tokens were bought."),
        ("status=failed&error=pay_process_canceled", "no tokens were bought. (pay_process_canceled)"),
        ("error=purchase_not_found", "There is no such payment. (purchase_not_found)"),
        ("status=%3Cb%3E&error=%3Cb%3E", "There is no such payment. (&lt;b&gt;)"),
    ],
)
async def test_the_result_of_a_payment_is_shown(anonymous: Browser, query: str, notice: str) -> None:
    page = await anonymous.get(f"/purchases?order_id=an-order&{query}")
    assert notice in page.text
    assert "<b>" not in page.text


async def test_the_start_page_sells_tokens_to_signed_in_users(
    service: Service, world: MemoryWorld, anonymous: Browser
) -> None:
    assert "data-package" not in (await anonymous.get("/")).text.partition("<script>")[0]
    async with service.browser(await world.user()) as browser:
        offered = re.findall(r'<button data-package="(.+?)">(.+?)</button>', (await browser.get("/")).text)
    assert offered == [
        ("basic_100", "100 for KRW 10,000"),
        ("standard_500", "500 for KRW 45,000"),
        ("premium_1000", "1,000 for KRW 80,000"),
    ]
