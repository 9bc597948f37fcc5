"""Every route with an id in its path, called with ids of another user's resources by another artist and by an admin."""

from dataclasses import fields
from typing import Any

import pytest

from core.accounts.model import User
from core.paging import PageRequest
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http import operation
from entrypoints.http.operation import routes
from entrypoints.http.security import access
from tests.contracts.artwork_uploads import announce
from tests.entrypoints.service import Service
from tests.entrypoints.test_access import BODIES, TABLE
from tests.entrypoints.test_contract import sample_data
from tests.support.memory_world import MemoryWorld

FOR_EVERYBODY = {
    ("GET", "/api/users/{user_id}"),
    ("POST", "/api/users/{user_id}/follow"),
    ("DELETE", "/api/users/{user_id}/follow"),
    ("GET", "/api/styles/{style_id}"),
    ("GET", "/api/styles/{style_id}/events"),
    ("GET", "/api/styles/{style_id}/examples"),
    ("GET", "/api/styles/{style_id}/recommended-tags"),
    ("GET", "/api/generations/{generation_id}"),
    ("GET", "/api/generations/{generation_id}/events"),
    ("POST", "/api/generations/{generation_id}/like"),
    ("DELETE", "/api/generations/{generation_id}/like"),
    ("GET", "/api/generations/{generation_id}/comments"),
    ("POST", "/api/generations/{generation_id}/comments"),
    ("GET", "/api/comments/{comment_id}"),
    ("GET", "/api/comments/{comment_id}/replies"),
    ("GET", "/api/payments/toss/{order_id}/success"),
    ("GET", "/api/payments/toss/{order_id}/fail"),
}
"""What is done to things of others. Where a payment went well, only the provider is believed."""
FOR_ADMINS = {
    ("POST", "/api/styles/{style_id}/withdraw"),
    ("GET", "/api/styles/{style_id}/versions"),
    ("GET", "/api/styles/{style_id}/versions/{version}"),
    ("DELETE", "/api/comments/{comment_id}"),
}
"""Besides the routes that are for admins alone."""
WITH_IDS = sorted(route for route in TABLE if "_id}" in route[1])


async def public_data(service: Service, world: MemoryWorld) -> dict[str, object]:
    """Things of others, by the names of the routes' parameters."""
    people, things = await sample_data(service, world)
    ann, mia = people["ann"], people["mia"]
    await world.earn(mia)
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 1)
    (upload,) = await announce(world, mia, 1)
    new = NewReport(TargetType.GENERATION, things["image"], ReportReason.OTHER, "Mine.")  # type: ignore[arg-type]
    page = await world.read.accounts.sessions(ann.id, current=b"", at=world.clock.now(), page=PageRequest())
    return {
        "user_id": ann.id,
        "style_id": things["style"],
        "version": 1,
        "generation_id": things["image"],
        "comment_id": things["comment"],
        "notification_id": things["notification"],
        "order_id": things["order"],
        "withdrawal_id": withdrawal.id,
        "session_id": page.rows[0].id,
        "upload_id": upload.upload_id,
        "report_id": await world.use_case(SubmitReport)(people["zoe"].id, new),
    }


def rows(world: MemoryWorld) -> dict[str, dict[Any, Any]]:
    """All but the sessions, which are used."""
    tables = world.database.committed
    return {each.name: dict(getattr(tables, each.name)) for each in fields(tables) if each.name != "sessions"}


async def refused(service: Service, world: MemoryWorld, who: User, route: tuple[str, str]) -> bool:
    method, path = route
    things = await public_data(service, world)
    async with service.browser(who) as browser:
        before, sessions = rows(world), set(world.database.committed.sessions)
        response = await browser.call(method, path.format(**things), **BODIES.get(route, {}))
    if response.status_code not in {403, 404}:
        return False
    assert rows(world) == before
    assert set(world.database.committed.sessions) == sessions
    return True


@pytest.mark.parametrize("route", WITH_IDS, ids=" ".join)
async def test_calls_of_another_artist_are_refused_and_change_nothing(
    service: Service, world: MemoryWorld, route: tuple[str, str]
) -> None:
    service.streams.close()  # streams have no end of their own
    assert await refused(service, world, await world.artist("pia"), route) == (route not in FOR_EVERYBODY)


@pytest.mark.parametrize("route", WITH_IDS, ids=" ".join)
async def test_an_admin_has_only_the_documented_rights(
    service: Service, world: MemoryWorld, route: tuple[str, str]
) -> None:
    service.streams.close()
    admins = {
        (method, path)
        for path, handler in routes(service.app)
        for method in handler.http_methods
        if operation.operation_of(handler).guard is access.admin
    }
    allowed = FOR_EVERYBODY | FOR_ADMINS | admins
    assert await refused(service, world, await world.admin("eve"), route) == (route not in allowed)
