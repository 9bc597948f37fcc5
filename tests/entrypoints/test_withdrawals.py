"""Withdrawals over HTTP: artists request, admins settle, others get 404."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.accounts.model import User
from core.tokens.model import PlatformFee
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld


@pytest.fixture
async def mia(world: MemoryWorld) -> User:
    """An artist who has earned 60 tokens."""
    mia, ann = await world.artist("mia"), await world.user("ann", bought=200)
    style = await world.style(mia)
    for _ in range(2):
        await world.image(ann, style)
    world.clock.advance()
    return mia


@pytest.fixture
async def eve(world: MemoryWorld) -> User:
    return await world.admin("eve")


async def test_a_withdrawal_is_requested_and_settled(service: Service, mia: User, eve: User) -> None:
    async with service.browser(mia) as artist, service.browser(eve) as admin:
        asked = await artist.post("/api/tokens/withdrawals", json={"amount": 40})
        assert asked.status_code == 201
        pending = asked.json()["data"]
        assert (pending["amount"], pending["status"], pending["ended_at"]) == (40, "pending", None)
        assert (await artist.get("/api/tokens/balance")).json()["data"]["earned_token_balance"] == 20

        waiting = (await admin.get("/api/admin/withdrawals?status=pending")).json()["data"]["results"]
        assert [(row["id"], row["artist"]["verified_email"]) for row in waiting] == [(pending["id"], "mia@example.com")]
        assert (await admin.post(f"/api/admin/withdrawals/{pending['id']}/settle")).status_code == 200

        settled = (await artist.get(asked.headers["location"])).json()["data"]
        assert settled["status"] == "settled"
        [listed] = (await artist.get("/api/tokens/withdrawals")).json()["data"]["results"]
        assert listed == settled
        [line] = (await artist.get("/api/tokens/transactions?type=withdrawal")).json()["data"]["results"]
        assert (line["type"], line["direction"], line["status"]) == ("withdrawal", "out", "completed")
        assert line["related_withdrawal"] == {"id": pending["id"], "status": "settled"}
        assert (await admin.get("/api/admin/withdrawals?status=pending")).json()["data"]["results"] == []


async def test_a_withdrawal_is_requested_and_rejected(service: Service, mia: User, eve: User) -> None:
    async with service.browser(mia) as artist, service.browser(eve) as admin:
        asked = (await artist.post("/api/tokens/withdrawals", json={"amount": 60})).json()["data"]
        rejecting = f"/api/admin/withdrawals/{asked['id']}/reject"
        assert (await admin.post(rejecting, json={"reason": ""})).status_code == 422
        assert (await admin.post(rejecting, json={"reason": "Write to us first."})).status_code == 200

        again = await admin.post(f"/api/admin/withdrawals/{asked['id']}/settle", headers={"Accept-Language": "ko"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "WITHDRAWAL_ENDED")
        assert again.json()["error"]["message"] == "이미 지급되었거나 거절된 출금 요청입니다."
        withdrawal = (await artist.get(f"/api/tokens/withdrawals/{asked['id']}")).json()["data"]
        assert (withdrawal["status"], withdrawal["reason"]) == ("rejected", "Write to us first.")
        assert (await artist.get("/api/tokens/balance")).json()["data"]["earned_token_balance"] == 60


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": 61}, 402, "INSUFFICIENT_TOKENS"),
        ({"amount": 0}, 422, "VALIDATION_ERROR"),
        ({"amount": -1}, 422, "VALIDATION_ERROR"),
        ({"amount": 10**18}, 422, "VALIDATION_ERROR"),
        ({"amount": 1.5}, 422, "VALIDATION_ERROR"),
        ({"amount": "1"}, 422, "VALIDATION_ERROR"),
        ({}, 422, "VALIDATION_ERROR"),
        ({"amount": 1, "to": "eve"}, 422, "VALIDATION_ERROR"),
    ],
)
async def test_a_refused_withdrawal_changes_nothing(
    service: Service, mia: User, body: dict[str, Any], status: int, code: str
) -> None:
    async with service.browser(mia) as artist:
        refused = await artist.post("/api/tokens/withdrawals", json=body)

        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
        assert (await artist.get("/api/tokens/balance")).json()["data"]["earned_token_balance"] == 60
    if code == "INSUFFICIENT_TOKENS":
        assert refused.json()["error"]["details"] == {"required": 61, "available": 60}


async def test_admin_routes_are_404_for_others(service: Service, mia: User, eve: User) -> None:
    async with service.browser(mia) as artist, service.browser(eve) as admin:
        asked = (await artist.post("/api/tokens/withdrawals", json={"amount": 10})).json()["data"]
        for method, path in (
            ("GET", "/api/admin/withdrawals"),
            ("POST", f"/api/admin/withdrawals/{asked['id']}/settle"),
        ):
            refused = await artist.call(method, path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert (await admin.post("/api/admin/withdrawals/4711/settle")).json()["error"][
            "code"
        ] == "WITHDRAWAL_NOT_FOUND"


# --- earnings ---------------------------------------------------------------------------------------------------------


async def test_earnings_are_grouped_by_day_and_by_style(service: Service, world: MemoryWorld) -> None:
    world.fee = PlatformFee(10)
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=200)
    style = await world.style(mia)
    await world.image(ann, style)
    world.clock.advance(timedelta(days=1))
    await world.image(ann, style)
    today = world.clock.now().date()
    async with service.browser(mia) as artist:
        month = (await artist.get("/api/tokens/earnings")).json()["data"]
        assert (month["from"], month["to"]) == (f"{today - timedelta(days=29)}", f"{today}")
        assert (month["images"], month["tokens"], month["fee_tokens"]) == (2, 54, 6)
        assert month["results"] == [
            {"day": f"{day}", "style": None, "images": 1, "tokens": 27, "fee_tokens": 3}
            for day in (today - timedelta(days=1), today)
        ]
        by_style = (await artist.get(f"/api/tokens/earnings?from={today}&to={today}&group_by=style")).json()["data"]
        assert by_style["results"] == [
            {"day": None, "style": {"id": style.id, "name": "Ink"}, "images": 1, "tokens": 27, "fee_tokens": 3}
        ]


async def test_days_follow_the_requested_time_zone(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=200)
    style = await world.style(mia)
    world.clock.advance(datetime(2026, 3, 1, 14, 59, 59, tzinfo=UTC) - world.clock.now())
    await world.image(ann, style)
    world.clock.advance(timedelta(seconds=1))
    await world.image(ann, style)
    async with service.browser(mia) as artist:
        in_korea = (await artist.get("/api/tokens/earnings?tz=Asia/Seoul")).json()["data"]
        in_utc = (await artist.get("/api/tokens/earnings?tz=UTC")).json()["data"]
        today = (await artist.get("/api/tokens/earnings?tz=Asia/Seoul&from=2026-03-02")).json()["data"]
    assert (in_korea["from"], in_korea["to"]) == ("2026-02-01", "2026-03-02")
    assert [(line["day"], line["images"]) for line in in_korea["results"]] == [("2026-03-01", 1), ("2026-03-02", 1)]
    assert (in_utc["to"], [line["day"] for line in in_utc["results"]]) == ("2026-03-01", ["2026-03-01"])
    assert (today["from"], today["to"], today["images"]) == ("2026-03-02", "2026-03-02", 1)


@pytest.mark.parametrize(
    ("query", "days"),
    [("to=9999-12-31", ("9999-12-02", "9999-12-31")), ("to=0001-01-01", ("0001-01-01", "0001-01-01"))],
)
async def test_periods_can_reach_the_last_date(service: Service, mia: User, query: str, days: tuple[str, str]) -> None:
    async with service.browser(mia) as artist:
        period = (await artist.get(f"/api/tokens/earnings?{query}")).json()["data"]
    assert (period["from"], period["to"]) == days


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("from=2025-01-01&to=2026-06-01", "from"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("group_by=buyer", "group_by"),
        ("tz=Mars/Olympus", "tz"),
        ("tz=asia/seoul", "tz"),
        ("tz=UTC%2B9", "tz"),
        ("tz=", "tz"),
        ("tz=../UTC&from=2026-01-01&to=2026-01-01", "tz"),
    ],
)
async def test_invalid_periods_are_refused(service: Service, mia: User, query: str, field: str) -> None:
    async with service.browser(mia) as artist:
        refused = await artist.get(f"/api/tokens/earnings?{query}")
    assert refused.status_code == 422
    assert list(refused.json()["error"]["details"]) == [field]
