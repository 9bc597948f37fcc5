"""Every call of an admin that does something leaves exactly one line in the audit log; a refused one leaves none."""

from typing import Any

import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from core.paging import PageRequest
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http.operation import operation_of, routes
from entrypoints.http.security import access
from tests.entrypoints.service import Service
from tests.support.world import MemoryWorld

CALLS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/settle"): ("withdrawal.settled", {}),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): ("withdrawal.rejected", {"json": {"reason": "No."}}),
    ("DELETE", "/api/comments/{comment_id}"): ("comment.deleted", {}),
}
"""The action that is written down, and what is sent."""
NOT_FOR_ADMINS_ALONE = {("DELETE", "/api/comments/{comment_id}")}


@pytest.fixture
async def eve(world: MemoryWorld) -> User:
    return await world.admin("eve")


def test_no_call_for_admins_is_left_out(service: Service) -> None:
    for_admins = {
        (method, path)
        for path, handler in routes(service.app)
        for method in handler.http_methods
        if operation_of(handler).guard is access.admin and method != "GET"
    }
    assert for_admins == CALLS.keys() - NOT_FOR_ADMINS_ALONE


@pytest.mark.parametrize(("method", "path"), CALLS, ids=str)
async def test_a_call_leaves_one_line(service: Service, world: MemoryWorld, eve: User, method: str, path: str) -> None:
    mia = await world.artist("mia")
    image = await world.image(await world.user("ann", tokens=30), await world.style(mia), public=True)
    await world.earn(mia)
    ids = {
        "withdrawal_id": (await world.use_case(RequestWithdrawal)(mia.id, 10)).id,
        "comment_id": await world.use_case(PostComment)(mia.id, image.id, NewComment("Mine")),
    }
    action, sent = CALLS[method, path]

    world.clock.advance()
    async with service.browser(eve) as browser:
        done = await browser.call(method, path.format(**ids), **sent)
        refused = await browser.call(method, path.format(**ids), **sent)

    assert (done.is_success, refused.is_success) == (True, False)
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.admin_id, line.source) == (action, eve.id, "api")
    assert line.trace_id == done.headers["x-trace-id"]
