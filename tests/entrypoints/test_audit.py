"""Every call of an admin that does something leaves exactly one line in the audit log; a refused one leaves none."""

from typing import Any

import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from core.paging import PageRequest
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http.operation import routes
from tests.entrypoints.service import Service
from tests.entrypoints.test_access import BODIES
from tests.support.memory_world import MemoryWorld

CALLS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/settle"): ("withdrawal.settled", {}),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): ("withdrawal.rejected", {"json": {"reason": "No."}}),
    ("DELETE", "/api/comments/{comment_id}"): ("comment.deleted", {}),
    ("POST", "/api/styles/{style_id}/withdraw"): ("style.withdrawn", {"json": {"reason": "Stolen."}}),
}
"""What admins may do: the action that is written down, and what is sent."""
AS_ANYBODY = {
    ("POST", "/api/auth/logout"),
    ("DELETE", "/api/auth/sessions"),
    ("DELETE", "/api/auth/sessions/{session_id}"),
    ("PATCH", "/api/users/me"),
    ("DELETE", "/api/users/me"),
    ("POST", "/api/users/me/upgrade-to-artist"),
    ("POST", "/api/users/{user_id}/follow"),
    ("DELETE", "/api/users/{user_id}/follow"),
    ("POST", "/api/tokens/purchase"),
    ("POST", "/api/tokens/purchases/{order_id}/refund"),
    ("POST", "/api/tokens/withdrawals"),
    ("POST", "/api/styles"),
    ("POST", "/api/styles/uploads"),
    ("DELETE", "/api/styles/uploads/{upload_id}"),
    ("PATCH", "/api/styles/{style_id}"),
    ("DELETE", "/api/styles/{style_id}"),
    ("POST", "/api/styles/{style_id}/retrain"),
    ("POST", "/api/styles/{style_id}/versions"),
    ("POST", "/api/generations"),
    ("PATCH", "/api/generations/{generation_id}"),
    ("POST", "/api/generations/{generation_id}/cancel"),
    ("POST", "/api/generations/{generation_id}/like"),
    ("DELETE", "/api/generations/{generation_id}/like"),
    ("POST", "/api/generations/{generation_id}/comments"),
    ("PATCH", "/api/comments/{comment_id}"),
    ("POST", "/api/reports"),
    ("PATCH", "/api/notifications/{notification_id}/read"),
    ("POST", "/api/notifications/read-all"),
}
"""What an admin may do as any user may, with what is their own."""
OF_SERVERS = ("/api/webhooks/", "/internal/", "/media/")


@pytest.fixture
async def eve(world: MemoryWorld) -> User:
    return await world.admin("eve")


@pytest.fixture
async def ids(world: MemoryWorld, eve: User) -> dict[str, int]:
    """What others have. `eve` comes first."""
    mia = await world.artist("mia")
    style = await world.style(mia)
    image = await world.image(await world.user("ann", tokens=30), style, public=True)
    await world.earn(mia)
    return {
        "withdrawal_id": (await world.use_case(RequestWithdrawal)(mia.id, 10)).id,
        "comment_id": await world.use_case(PostComment)(mia.id, image.id, NewComment("Mine")),
        "style_id": style.id,
        "generation_id": image.id,
        "user_id": mia.id,
        "session_id": 999,
        "notification_id": 999,
        "upload_id": 999,
        "order_id": 999,
    }


def test_every_changing_call_is_covered(service: Service) -> None:
    changing = {
        (method, path)
        for path, handler in routes(service.app)
        for method in handler.http_methods
        if method not in ("GET", "HEAD") and not path.startswith(OF_SERVERS)
    }
    assert changing == CALLS.keys() | AS_ANYBODY
    assert not CALLS.keys() & AS_ANYBODY


@pytest.mark.parametrize(("method", "path"), CALLS, ids=str)
async def test_a_call_leaves_one_audit_line(
    service: Service, world: MemoryWorld, eve: User, ids: dict[str, int], method: str, path: str
) -> None:
    action, sent = CALLS[method, path]

    world.clock.advance()
    async with service.browser(eve) as browser:
        done = await browser.call(method, path.format(**ids), **sent)
        again = await browser.call(method, path.format(**ids), **sent)

    assert done.is_success
    assert not again.is_success or again.json()["data"] == done.json()["data"]
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.admin_id, line.source) == (action, eve.id, "api")
    assert line.trace_id == done.headers["x-trace-id"]


@pytest.mark.parametrize(("method", "path"), sorted(AS_ANYBODY), ids=str)
async def test_calls_open_to_everybody_leave_no_audit_line(
    service: Service, world: MemoryWorld, eve: User, ids: dict[str, int], method: str, path: str
) -> None:
    async with service.browser(eve) as browser:
        answer = await browser.call(method, path.format(**ids), **BODIES.get((method, path), {}))
    assert answer.status_code < 500
    assert (await world.read.audit.list(page=PageRequest())).rows == []
