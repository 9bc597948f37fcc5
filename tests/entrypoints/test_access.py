"""Access: every route for every role."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Controller, Router, asgi, get

from adapters.filesystem.blobs import FilesystemBlobStore
from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.community.post_comment import NewComment, PostComment
from core.identifiers import StyleId
from core.paging import PageRequest
from core.purchases.start_purchase import StartPurchase
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http import app, operation
from entrypoints.http.operation import routes
from entrypoints.http.security import access
from tests.contracts.artwork_uploads import announce
from tests.entrypoints.pictures import pictures
from tests.entrypoints.service import API, Browser, Service
from tests.support.memory_world import MemoryWorld

# Route: the status for no session, a user, another artist, and the owner (an artist). For admins, see ADMIN.
# Bodies are chosen so that what lies behind the guard answers at once.
TABLE: dict[tuple[str, str], tuple[int, int, int, int]] = {
    ("GET", "/"): (200, 200, 200, 200),
    ("GET", "/login"): (200, 200, 200, 200),
    ("GET", "/purchases"): (200, 200, 200, 200),
    ("GET", "/api/auth/google/login"): (302, 302, 302, 302),
    ("GET", "/api/auth/google/callback"): (302, 302, 302, 302),
    ("GET", "/api/auth/me"): (401, 200, 200, 200),
    ("POST", "/api/auth/logout"): (401, 200, 200, 200),
    ("GET", "/api/auth/sessions"): (401, 200, 200, 200),
    ("DELETE", "/api/auth/sessions"): (401, 204, 204, 204),
    ("DELETE", "/api/auth/sessions/{session_id}"): (401, 404, 404, 204),
    ("GET", "/api/users/{user_id}"): (200, 200, 200, 200),
    ("PATCH", "/api/users/me"): (401, 200, 200, 200),
    ("DELETE", "/api/users/me"): (401, 204, 204, 409),
    ("GET", "/api/users/me/export"): (401, 200, 200, 200),
    ("POST", "/api/users/me/upgrade-to-artist"): (401, 422, 422, 422),
    ("GET", "/api/users/me/following"): (401, 200, 200, 200),
    ("POST", "/api/users/{user_id}/follow"): (401, 200, 200, 400),
    ("DELETE", "/api/users/{user_id}/follow"): (401, 204, 204, 204),
    ("GET", "/api/tokens/balance"): (401, 200, 200, 200),
    ("GET", "/api/tokens/transactions"): (401, 200, 200, 200),
    ("GET", "/api/tokens/packages"): (200, 200, 200, 200),
    ("POST", "/api/tokens/purchase"): (401, 400, 400, 400),
    ("GET", "/api/tokens/purchases/{order_id}"): (401, 404, 404, 200),
    ("POST", "/api/tokens/purchases/{order_id}/refund"): (401, 404, 404, 409),
    ("GET", "/api/tokens/earnings"): (401, 403, 200, 200),
    ("POST", "/api/tokens/withdrawals"): (401, 403, 402, 409),
    ("GET", "/api/tokens/withdrawals"): (401, 403, 200, 200),
    ("GET", "/api/tokens/withdrawals/{withdrawal_id}"): (401, 403, 404, 200),
    ("GET", "/api/admin/withdrawals"): (401, 404, 404, 404),
    ("GET", "/api/admin/withdrawals/{withdrawal_id}/sources"): (401, 404, 404, 404),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/settle"): (401, 404, 404, 404),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): (401, 404, 404, 404),
    ("GET", "/api/payments/toss/{order_id}/success"): (302, 302, 302, 302),
    ("GET", "/api/payments/toss/{order_id}/fail"): (302, 302, 302, 302),
    ("GET", "/api/styles"): (200, 200, 200, 200),
    ("POST", "/api/styles"): (401, 403, 422, 422),
    ("POST", "/api/styles/uploads"): (401, 403, 201, 201),
    ("GET", "/api/styles/uploads"): (401, 403, 200, 200),
    ("DELETE", "/api/styles/uploads/{upload_id}"): (401, 403, 404, 204),
    ("GET", "/api/styles/me"): (401, 403, 200, 200),
    ("GET", "/api/styles/{style_id}"): (404, 404, 404, 200),
    ("GET", "/api/styles/{style_id}/events"): (404, 404, 404, 200),
    ("PATCH", "/api/styles/{style_id}"): (401, 403, 404, 422),
    ("DELETE", "/api/styles/{style_id}"): (401, 403, 404, 204),
    ("POST", "/api/styles/{style_id}/retrain"): (401, 403, 404, 409),
    ("POST", "/api/styles/{style_id}/withdraw"): (401, 404, 404, 200),
    ("GET", "/api/styles/{style_id}/versions"): (401, 404, 404, 200),
    ("POST", "/api/styles/{style_id}/versions"): (401, 403, 404, 409),
    ("GET", "/api/styles/{style_id}/versions/{version}"): (401, 404, 404, 200),
    ("GET", "/api/terms"): (200, 200, 200, 200),
    ("GET", "/api/search"): (422, 422, 422, 422),
    ("GET", "/api/tags"): (200, 200, 200, 200),
    ("GET", "/api/styles/{style_id}/examples"): (404, 404, 404, 200),
    ("GET", "/api/styles/{style_id}/recommended-tags"): (404, 404, 404, 200),
    ("POST", "/api/generations"): (401, 404, 404, 404),
    ("GET", "/api/generations/feed"): (200, 200, 200, 200),
    ("GET", "/api/generations/me"): (401, 200, 200, 200),
    ("GET", "/api/generations/{generation_id}"): (404, 404, 404, 200),
    ("GET", "/api/generations/{generation_id}/events"): (404, 404, 404, 200),
    ("PATCH", "/api/generations/{generation_id}"): (401, 404, 404, 200),
    ("POST", "/api/generations/{generation_id}/cancel"): (401, 404, 404, 409),
    ("POST", "/api/generations/{generation_id}/like"): (401, 404, 404, 200),
    ("DELETE", "/api/generations/{generation_id}/like"): (401, 404, 404, 204),
    ("GET", "/api/generations/{generation_id}/comments"): (404, 404, 404, 200),
    ("POST", "/api/generations/{generation_id}/comments"): (401, 404, 404, 201),
    ("GET", "/api/comments/{comment_id}"): (404, 404, 404, 200),
    ("GET", "/api/comments/{comment_id}/replies"): (404, 404, 404, 200),
    ("PATCH", "/api/comments/{comment_id}"): (401, 404, 404, 200),
    ("DELETE", "/api/comments/{comment_id}"): (401, 404, 404, 204),
    ("GET", "/api/notifications"): (401, 200, 200, 200),
    ("GET", "/api/notifications/events"): (401, 200, 200, 200),
    ("PATCH", "/api/notifications/{notification_id}/read"): (401, 404, 404, 404),
    ("POST", "/api/notifications/read-all"): (401, 200, 200, 200),
    ("POST", "/api/reports"): (401, 201, 201, 400),
    ("GET", "/api/reports/{report_id}"): (401, 404, 404, 200),
    ("PATCH", "/api/webhooks/training/progress"): (401, 401, 401, 401),
    ("POST", "/api/webhooks/training/complete"): (401, 401, 401, 401),
    ("POST", "/api/webhooks/training/failed"): (401, 401, 401, 401),
    ("PATCH", "/api/webhooks/inference/progress"): (401, 401, 401, 401),
    ("POST", "/api/webhooks/inference/complete"): (401, 401, 401, 401),
    ("POST", "/api/webhooks/inference/failed"): (401, 401, 401, 401),
    ("POST", "/api/webhooks/toss/payment"): (200, 200, 200, 200),
    ("POST", "/internal/tick"): (401, 401, 401, 401),
    ("GET", "/api/health"): (200, 200, 200, 200),
    ("GET", "/api/health/live"): (200, 200, 200, 200),
    ("GET", "/api/health/ready"): (200, 200, 200, 200),
    ("GET", "/metrics"): (200, 200, 200, 200),
    ("GET", "/api/schema"): (200, 200, 200, 200),
    ("GET", "/api/schema/page.js"): (200, 200, 200, 200),
    ("GET", "/api/schema/openapi.json"): (200, 200, 200, 200),
    ("GET", "/api/schema/assets/{name}"): (404, 404, 404, 404),
    ("GET", "/media/{key}"): (404, 404, 404, 404),
    ("PUT", "/media/{key}"): (403, 403, 403, 403),
}
ADMIN: dict[tuple[str, str], int] = {
    ("GET", "/api/admin/withdrawals"): 200,
    ("GET", "/api/admin/withdrawals/{withdrawal_id}/sources"): 200,
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/settle"): 200,
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): 200,
    ("GET", "/api/styles/{style_id}"): 200,
    ("GET", "/api/styles/{style_id}/events"): 200,
    ("GET", "/api/styles/{style_id}/examples"): 200,
    ("GET", "/api/styles/{style_id}/recommended-tags"): 200,
    ("POST", "/api/styles/{style_id}/withdraw"): 200,
    ("GET", "/api/styles/{style_id}/versions"): 200,
    ("GET", "/api/styles/{style_id}/versions/{version}"): 200,
}
"""What an admin is answered where it is not what any user is."""
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/api/users/me"): {"json": {}},
    ("POST", "/api/users/me/upgrade-to-artist"): {"json": {}},
    ("POST", "/api/styles"): {"files": pictures(1)},
    ("POST", "/api/styles/uploads"): {"json": {"files": [{"name": "a.png", "content_type": "image/png", "size": 1}]}},
    ("PATCH", "/api/styles/{style_id}"): {"json": {}},
    ("POST", "/api/styles/{style_id}/withdraw"): {"json": {"reason": "Mine."}},
    ("POST", "/api/styles/{style_id}/versions"): {"json": {"upload_ids": [1]}},
    ("POST", "/api/tokens/withdrawals"): {"json": {"amount": 1}},
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): {"json": {"reason": "No."}},
    ("POST", "/api/tokens/purchase"): {"json": {"package_id": "none"}},
    ("POST", "/api/webhooks/toss/payment"): {"json": {"eventType": "CUSTOMER_STATUS_CHANGED", "data": {}}},
    ("POST", "/api/generations"): {"json": {"style_id": 999, "prompt_tags": ["cat"]}},
    ("PATCH", "/api/generations/{generation_id}"): {"json": {}},
    ("POST", "/api/generations/{generation_id}/comments"): {"json": {"content": "Nice"}},
    ("POST", "/api/reports"): {"json": {"target_type": "user", "target_id": 1, "reason": "spam"}},
    ("PATCH", "/api/comments/{comment_id}"): {"json": {"content": "Nicer"}},
}
ANYTHING = dict.fromkeys(
    (
        *("user_id", "style_id", "generation_id", "comment_id", "notification_id", "withdrawal_id", "session_id"),
        *("report_id", "order_id", "upload_id", "version"),
    ),
    1,
)


def paths(service: Service) -> set[tuple[str, str]]:
    return {(method, path) for path, handler in routes(service.app) for method in handler.http_methods}


@pytest.fixture
def service(world: MemoryWorld, tmp_path: Path) -> Service:
    media = FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")
    service = Service(world, media=media, frontend_url=None)
    service.streams.close()  # that they have begun is enough
    return service


def test_every_route_has_a_declared_guard(service: Service) -> None:
    assert paths(service) == TABLE.keys()


def test_admin_routes_are_404_for_others(service: Service) -> None:
    for path, handler in routes(service.app):
        for method in handler.http_methods:
            if operation.operation_of(handler).guard is access.admin:
                assert TABLE[method, path] == (401, 404, 404, 404)
                assert ADMIN[method, path] < 400


@get("/unguarded", sync_to_thread=False)
def unguarded() -> str:
    return "for everybody"


class TwiceGuarded(Controller):
    guards = (access.admin,)

    @operation.get("/twice-guarded", guard=access.session_ignored)
    async def read(self) -> str:
        return "for whom?"


@asgi("/mounted", is_mount=True, copy_scope=True)
async def mounted(scope: Any, receive: Any, send: Any) -> None:
    """Answers whatever it likes."""


@pytest.mark.parametrize("route", [unguarded, TwiceGuarded, mounted], ids=["none", "two", "another app"])
def test_a_route_without_exactly_one_guard_prevents_the_start(
    service: Service, monkeypatch: pytest.MonkeyPatch, route: Any
) -> None:
    monkeypatch.setattr(app, "START_PAGE", Router("/", route_handlers=[route]))
    with pytest.raises(LookupError):
        app.create_app(service.container, service.settings)


@pytest.mark.parametrize(("method", "path"), TABLE, ids=str)
async def test_every_route_answers_every_role_as_declared(
    service: Service, world: MemoryWorld, method: str, path: str
) -> None:
    owner, stranger = await world.artist("mia", tokens=100), await world.artist("zoe")
    user = await world.user("ann")
    untrained = await world.untrained_style(owner, "Not yet")
    image = await world.image(owner, await world.style(owner))
    comment_id = await world.use_case(PostComment)(owner.id, image.id, NewComment("Mine"))
    started = await world.use_case(StartPurchase)(owner.id, "basic_100")
    await world.earn(owner)
    withdrawal = await world.use_case(RequestWithdrawal)(owner.id, 1)
    report = await world.use_case(SubmitReport)(owner.id, NewReport(TargetType.USER, user.id, ReportReason.SPAM))
    (upload,) = await announce(world, owner, 1)
    await service.session_of(owner)
    [session] = (
        await world.read.accounts.sessions(owner.id, current=b"", at=world.clock.now(), page=PageRequest())
    ).rows
    at = path.format(
        withdrawal_id=withdrawal.id,
        order_id=started.order_id,
        user_id=owner.id,
        style_id=untrained.id,
        version=1,
        generation_id=image.id,
        comment_id=comment_id,
        notification_id=999,
        session_id=session.id,
        report_id=report,
        upload_id=upload.upload_id,
        name="nothing.js",
        key="private/picture.png",
    )
    answers = []
    admin = await world.use_case(MakeAdmin)(Operator(None), (await world.user("eve")).id)
    for who in (None, user, stranger, owner, admin):
        async with service.browser(who) as browser:
            response = await browser.call(method, at, **BODIES.get((method, path), {}))
            answers.append(response.status_code)
    assert tuple(answers) == (*TABLE[method, path], ADMIN.get((method, path), TABLE[method, path][1]))


TOKEN_ONLY = ("/api/webhooks/", "/internal/", "/media/")
UNSAFE = [route for route in TABLE if route[0] != "GET" and not route[1].startswith(TOKEN_ONLY)]


@pytest.mark.parametrize(("method", "path"), UNSAFE, ids=str)
@pytest.mark.parametrize("token", [None, "", "wrong", "ü"])
async def test_changing_calls_require_the_sessions_csrf_token(
    service: Service, world: MemoryWorld, method: str, path: str, token: str | None
) -> None:
    at = path.format(**ANYTHING)
    async with service.browser(await world.artist()) as browser:
        browser.csrf = None
        headers = {} if token is None else {"X-CSRFToken": token.encode()}
        response = await browser.call(method, at, headers=headers, **BODIES.get((method, path), {}))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "CSRF_FAILED")


async def test_the_csrf_token_of_another_session_is_invalid(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as one, service.browser(ann) as another:
        one.csrf, mine = another.csrf, one.csrf
        assert (await one.post("/api/notifications/read-all")).status_code == 403
        one.csrf = mine
        assert (await one.post("/api/notifications/read-all")).status_code == 200


async def test_the_csrf_cookie_alone_is_not_enough(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        assert browser.client.cookies["csrftoken"] == browser.csrf
        browser.csrf = None
        assert (await browser.post("/api/notifications/read-all")).status_code == 403


@pytest.mark.parametrize(("method", "path"), UNSAFE, ids=str)
async def test_without_a_session_the_answer_is_401_with_any_csrf_token(
    service: Service, method: str, path: str
) -> None:
    async with service.browser() as browser:
        browser.csrf = "some-token"
        browser.client.cookies.set("csrftoken", "some-token")
        browser.client.cookies.set("sessionid", "made-up")
        response = await browser.call(method, path.format(**ANYTHING))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("role", ["anonymous", "user", "no csrf token"])
async def test_no_body_is_read_before_the_guard(service: Service, world: MemoryWorld, role: str) -> None:
    read: list[bool] = []

    async def body() -> Any:
        read.append(True)
        yield b"--x\r\n"

    who = {"anonymous": None, "user": await world.user(), "no csrf token": await world.artist()}[role]
    async with service.browser(who) as browser:
        if role == "no csrf token":
            browser.csrf = None
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await browser.call("POST", "/api/styles", headers=headers, content=body())
    assert response.status_code in {401, 403}
    assert read == []


async def test_a_session_costs_one_lookup_and_none_without_a_cookie(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters.memory.accounts import MemorySessions

    lookups = []
    original = MemorySessions.active

    async def counted(self: MemorySessions, *args: Any, **kwargs: Any) -> Any:
        lookups.append(args)
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(MemorySessions, "active", counted)
    async with service.browser() as browser:
        await browser.get("/api/styles")
        assert lookups == []
    async with service.browser(await world.user()) as browser:
        lookups.clear()
        await browser.get("/api/styles")
        assert len(lookups) == 1
        await browser.get("/api/health/live")
        assert len(lookups) == 1


async def test_invisible_resources_are_not_found(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia = await world.artist(tokens=100)
    image = await world.image(mia, await world.style(mia))
    private = (await anonymous.get(f"/api/generations/{image.id}")).json()
    missing = (await anonymous.get(f"/api/generations/{StyleId(999)}")).json()
    assert private == missing
