"""A committed change is never answered as a failure when the database is lost."""

from collections.abc import Iterable
from typing import Any

import pytest

from adapters.memory.database import MemoryDatabase, Operation
from adapters.memory.tables import Tables
from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.community.post_comment import NewComment, PostComment
from core.paging import PageRequest
from core.ports.database import DatabaseUnavailable
from core.purchases.start_purchase import StartPurchase
from core.tasks.outcome import Failure
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.contracts.artwork_uploads import announce, arrived
from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.service import Service
from tests.entrypoints.test_access import TABLE
from tests.entrypoints.test_payment_webhook import event
from tests.entrypoints.test_webhooks import CALLS
from tests.support.memory_world import MemoryWorld

SIGNATURE = {"signature_image": ("signature.png", picture(200, 80), "image/png")}
APPLICATION = {"artist_name": "Ann Ink", "verified_email": "ann@example.com"}
FILE = {"name": "a.png", "content_type": "image/png", "size": 1000}
OFFER = {"name": "Harbour", "generation_cost_tokens": "5"}

# Who calls, and with what: everything that is changed by a call is there to be changed.
CHANGES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/api/auth/logout"): ("ann", {}),
    ("DELETE", "/api/auth/sessions"): ("ann", {}),
    ("DELETE", "/api/auth/sessions/{session_id}"): ("ann", {}),
    ("PATCH", "/api/users/me"): ("ann", {"json": {"bio": "Hello"}}),
    ("DELETE", "/api/users/me"): ("bob", {}),
    ("POST", "/api/users/me/upgrade-to-artist"): ("ann", {"data": APPLICATION, "files": SIGNATURE}),
    ("POST", "/api/users/{user_id}/follow"): ("ann", {}),
    ("DELETE", "/api/users/{user_id}/follow"): ("bob", {}),
    ("POST", "/api/tokens/purchase"): ("ann", {"json": {"package_id": "basic_100"}}),
    ("POST", "/api/tokens/purchases/{order_id}/refund"): ("ann", {}),
    ("POST", "/api/tokens/withdrawals"): ("mia", {"json": {"amount": 5}}),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/settle"): ("eve", {}),
    ("POST", "/api/admin/withdrawals/{withdrawal_id}/reject"): ("eve", {"json": {"reason": "No."}}),
    ("POST", "/api/styles"): ("mia", {"data": OFFER, "files": pictures(10)}),
    ("POST", "/api/styles/uploads"): ("mia", {"json": {"files": [FILE]}}),
    ("DELETE", "/api/styles/uploads/{upload_id}"): ("mia", {}),
    ("PATCH", "/api/styles/{style_id}"): ("mia", {"json": {"description": "Other"}}),
    ("DELETE", "/api/styles/{style_id}"): ("mia", {}),
    ("POST", "/api/styles/{failed_id}/retrain"): ("mia", {}),
    ("POST", "/api/styles/{style_id}/versions"): ("mia", {"json": {"upload_ids": ["arrived_id"]}}),
    ("POST", "/api/styles/{style_id}/withdraw"): ("mia", {"json": {"reason": "Mine."}}),
    ("POST", "/api/generations"): ("ann", {"json": {"style_id": 0, "prompt_tags": ["cat"]}}),
    ("PATCH", "/api/generations/{generation_id}"): ("ann", {"json": {"description": "A cat"}}),
    ("POST", "/api/generations/{queued_id}/cancel"): ("ann", {}),
    ("POST", "/api/generations/{generation_id}/like"): ("ann", {}),
    ("DELETE", "/api/generations/{generation_id}/like"): ("bob", {}),
    ("POST", "/api/generations/{generation_id}/comments"): ("ann", {"json": {"content": "Nice"}}),
    ("PATCH", "/api/comments/{comment_id}"): ("ann", {"json": {"content": "Nicer"}}),
    ("DELETE", "/api/comments/{comment_id}"): ("ann", {}),
    ("POST", "/api/reports"): ("ann", {"json": {"target_type": "user", "target_id": 2, "reason": "spam"}}),
    ("PATCH", "/api/notifications/{notification_id}/read"): ("ann", {}),
    ("POST", "/api/notifications/read-all"): ("ann", {}),
}
WEBHOOKS = {(method, f"/api/webhooks/{call}"): call for call, (method, _, _) in CALLS.items()}
TOSS = ("POST", "/api/webhooks/toss/payment")
OF_NO_CONCERN = {("POST", "/internal/tick"), ("PUT", "/media/{key}")}
"""The first reports the result of each step; the second stores an object and uses no database."""


class Scene:
    """Resources for every changing call, and a database that can be lost right after a commit."""

    def __init__(self, service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.world = world
        self.commits = 0
        self._monkeypatch = monkeypatch
        self.ids: dict[str, Any] = {}

    async def set(self) -> None:
        world = self.world
        self.people = {name: await world.user(name, tokens=200) for name in ("ann", "bob", "eve")}
        ann, bob = self.people["ann"], self.people["bob"]
        mia = self.people["mia"] = await world.artist("mia")
        self.people["eve"] = await world.use_case(MakeAdmin)(Operator(None), self.people["eve"].id)
        style, untrained = await world.style(mia), await world.untrained_style(mia, "Not yet")
        failed = await world.untrained_style(mia, "Failed")
        async with world.block() as ports:
            version = await ports.versions.of_id(failed.version_id)
            await ports.versions.save(version.fail_training(at=world.clock.now(), failure=Failure("BAD", "No.")))
        image = await world.image(ann, style, public=True)
        queued = await world.generation(ann, style)
        await world.follow(bob, mia)
        await world.like(bob, image)
        comment_id = await world.use_case(PostComment)(ann.id, image.id, NewComment("Mine"))
        order = await world.use_case(StartPurchase)(ann.id, "basic_100")
        another = await world.artist("max")
        for artist in (mia, another):
            await world.earn(artist)
        page, _ = await world.read.notifications.list(ann.id, unread_only=False, page=PageRequest())
        await self.service.session_of(ann)
        now = world.clock.now()
        sessions = await world.read.accounts.sessions(ann.id, current=b"", at=now, page=PageRequest())
        self.ids = {
            "session_id": sessions.rows[0].id,
            "user_id": mia.id,
            "style_id": style.id,
            "untrained_id": untrained.id,
            "failed_id": failed.id,
            "generation_id": image.id,
            "queued_id": queued.id,
            "comment_id": comment_id,
            "notification_id": page.rows[0].id,
            "order_id": (await world.buy(ann, 100)).order_id,
            "upload_id": (await announce(world, mia, 1))[0].upload_id,
            "arrived_id": (await arrived(world, mia, [picture()]))[0].upload_id,
            "withdrawal_id": (await world.use_case(RequestWithdrawal)(another.id, 5)).id,
        }
        self.paid = event(order.order_id, world.payments.charge(order.order_id))

    def lose_the_database_after_a_commit(self) -> None:
        apply, tables_now = MemoryDatabase.apply, MemoryDatabase.tables.fget  # type: ignore[attr-defined]

        def last(database: MemoryDatabase, operations: Iterable[Operation]) -> None:
            done = list(operations)
            apply(database, done)
            self.commits += bool(done)

        def tables(database: MemoryDatabase) -> Tables:
            if self.commits:
                raise DatabaseUnavailable
            now: Tables = tables_now(database)
            return now

        self._monkeypatch.setattr(MemoryDatabase, "apply", last)
        self._monkeypatch.setattr(MemoryDatabase, "tables", property(tables))


@pytest.fixture
async def scene(service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(service, world, monkeypatch)
    await scene.set()
    return scene


def test_every_changing_call_is_covered() -> None:
    changing = {route for route in TABLE if route[0] != "GET"} - OF_NO_CONCERN
    tried = {(method, path.format_map(Placeholders())) for method, path in CHANGES} | WEBHOOKS.keys() | {TOSS}
    assert tried == {(method, path.format_map(Placeholders())) for method, path in changing}


class Placeholders(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "{}"


@pytest.mark.parametrize(("method", "path"), CHANGES, ids=str)
async def test_a_database_lost_after_the_commit_is_outcome_unknown(scene: Scene, method: str, path: str) -> None:
    who, body = CHANGES[method, path]
    async with scene.service.browser(scene.people[who]) as browser:
        scene.lose_the_database_after_a_commit()
        response = await browser.call(method, path.format_map(scene.ids), **_with(body, scene.ids))
    assert scene.commits == 1
    if not response.is_success:
        assert (response.status_code, response.json()["error"]["code"]) == (503, "OUTCOME_UNKNOWN")


@pytest.mark.parametrize(("method", "path"), WEBHOOKS, ids=str)
async def test_a_webhook_is_answered_when_the_database_is_lost_after_the_commit(
    scene: Scene, method: str, path: str
) -> None:
    _, source, body = CALLS[WEBHOOKS[method, path]]
    ids = {"style_id": scene.ids["untrained_id"], "generation_id": scene.ids["queued_id"]}
    body = {name: ids.get(name, value) for name, value in body.items()}
    async with scene.service.browser() as browser:
        scene.lose_the_database_after_a_commit()
        response = await browser.call(method, path, headers=scene.service.ai_server(source), json=body)
    assert (scene.commits, response.status_code) == (1, 200)


async def test_a_payment_webhook_is_answered_when_the_database_is_lost(scene: Scene) -> None:
    async with scene.service.browser() as browser:
        scene.lose_the_database_after_a_commit()
        response = await browser.post(TOSS[1], json=scene.paid)
    assert scene.commits == 1
    assert response.is_success or response.json()["error"]["code"] == "OUTCOME_UNKNOWN"


async def test_with_a_key_changes_are_committed_with_the_response(scene: Scene) -> None:
    path, key = f"/api/generations/{scene.ids['generation_id']}/comments", {"Idempotency-Key": "a key"}
    async with scene.service.browser(scene.people["ann"]) as browser:
        scene.lose_the_database_after_a_commit()
        response = await browser.post(path, headers=key, json={"content": "Nice"})
    assert (scene.commits, response.status_code) == (1, 201)


async def test_a_database_lost_before_the_commit_is_unavailable(scene: Scene) -> None:
    async with scene.service.browser(scene.people["ann"]) as browser:
        scene.lose_the_database_after_a_commit()
        scene.commits = 1
        response = await browser.patch("/api/users/me", json={"bio": "Hello"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")


def _with(body: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    """The body with the ids that it names in their places."""
    return (
        body | {"json": {name: _filled(ids, name, value) for name, value in body["json"].items()}}
        if "json" in body
        else body
    )


def _filled(ids: dict[str, Any], name: str, value: Any) -> Any:
    return [ids.get(one, one) for one in value] if name == "upload_ids" else ids.get(name, value)
