"""The console of admins, over PostgreSQL: what it shows and does, and 404 for others."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.postgres.pool import create_pool
from core.accounts.model import User
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.bonuses.grant_bonus import GrantBonus
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.moderation.suspend_user import SuspendUser
from core.paging import PageRequest
from core.ports.dead_letters import DeadLettersUnavailable
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.tokens.reconcile import Reconcile
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http.console.actions import ACTIONS
from entrypoints.http.console.pages import PAGES
from entrypoints.http.console.rows import ConsoleRows
from tests.contracts.near_copies import style_in_review
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_charge_backs import charge_back
from tests.contracts.test_export import sample_data
from tests.entrypoints.postgres_service import PostgresService
from tests.entrypoints.service import API, asgi

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Scene:
    def __init__(self, world: PostgresWorld, service: PostgresService) -> None:
        self.world = world
        self.service = service
        self.targets: dict[tuple[str, str], object] = {}

    async def set(self) -> None:
        world = self.world
        self.eve, self.mia, zoe = (
            await world.admin("eve"),
            await world.artist("mia", tokens=500),
            await world.artist("zoe", tokens=500),
        )
        await sample_data(world, self.mia, zoe)
        self.ann, bob, lou = await world.user("ann"), await world.admin("bob"), await world.user("lou")
        await world.use_case(SuspendUser)(Operator(None), lou.id, reason="Spam.")
        nan = await world.artist("nan")
        kim, chalk = await world.user("kim", tokens=60), await world.style(nan, "Chalk")
        image = await world.image(kim, chalk)
        started = await world.use_case(StartPurchase)(kim.id, "basic_100")
        key = world.payments.agree(started.order_id)
        await world.use_case(SettlePurchase)(started.order_id, payment_key=key, amount=10_000)
        await world.use_case(RequestGeneration)(kim.id, NewGeneration(chalk.id, ["cat"]))
        await world.earn(nan)
        don = await world.user("don")
        bought = await world.buy(don, 30)
        await world.image(don, chalk)
        await charge_back(world, bought)
        withdrawal = await world.use_case(RequestWithdrawal)(nan.id, 10)
        new = NewReport(TargetType.GENERATION, image.id, ReportReason.COPYRIGHT, "Mine")
        async with world.block() as ports:
            await ports.generations.save(
                image.edit(at=world.clock.now(), description=None, public_key=f"public/generations/{image.id}/a.png")
            )
        report = await world.use_case(SubmitReport)(self.ann.id, new)
        self.copying = await style_in_review(world, await world.artist("max"), of=chalk)
        self.targets = {
            ("styles", "approve-training"): self.copying.id,
            ("styles", "reject-training"): self.copying.id,
            ("reports", "uphold"): report,
            ("reports", "dismiss"): report,
            ("users", "suspend"): self.ann.id,
            ("users", "restore"): lou.id,
            ("users", "end-sessions"): self.ann.id,
            ("generations", "hide"): image.id,
            ("generations", "unhide"): image.id,
            ("styles", "close"): chalk.id,
            ("styles", "allow"): chalk.id,
            ("styles", "withdraw"): chalk.id,
            ("styles", "withdraw-with-images"): chalk.id,
            ("users", "grant-bonus"): self.ann.id,
            ("users", "take-bonus"): kim.id,
            ("users", "forgive-debt"): don.id,
            ("purchases", "refund"): (await world.buy(self.ann, 10)).order_id,
            ("users", "make-admin"): self.ann.id,
            ("users", "remove-admin"): bob.id,
            ("withdrawals", "settle"): withdrawal.id,
            ("withdrawals", "reject"): withdrawal.id,
        }

    async def lines(self) -> list[AuditLine]:
        return (await self.world.read.audit.list(page=PageRequest())).rows

    def address(self, page: str, name: str) -> str:
        return f"/admin/act/{page}/{self.targets.get((page, name), '-')}/{name}"


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        service = PostgresService(world, database_url)
        scene = Scene(world, service)
        await scene.set()
        yield scene
        await service.container.close()
        await world.listener.close()


async def client_of(scene: Scene, user: User | None) -> httpx.AsyncClient:
    cookies = {"sessionid": await scene.service.session_of(user)} if user else {}
    return httpx.AsyncClient(transport=asgi(scene.service.app), base_url=API, cookies=cookies)


@pytest.fixture
async def console(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """What an admin's browser sees."""
    async with await client_of(scene, scene.eve) as client:
        yield client


ANYWHERE = (
    *("/admin", "/admin/", "/admin/users/list", "/admin/users/details/1", "/admin/nothing"),
    *("/admin/statics/css/tabler.min.css", "/admin/assets/console.css", "/admin/act/users/1/suspend"),
)


@pytest.mark.parametrize("who", [None, "ann", "mia"])
async def test_the_console_is_404_for_others(scene: Scene, who: str | None) -> None:
    async with await client_of(scene, getattr(scene, who) if who else None) as client:
        unknown = await client.get("/nothing-of-this-name")
        for path in ANYWHERE:
            for method in ("GET", "POST"):
                answer = await client.request(method, path)
                assert answer.status_code == 404
                assert answer.json() == unknown.json()
                assert answer.headers["content-security-policy"] == unknown.headers["content-security-policy"]


async def test_the_overview_works_without_the_broker(
    scene: Scene, console: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_: MemoryDeadLetters) -> int:
        raise DeadLettersUnavailable

    monkeypatch.setattr(MemoryDeadLetters, "count", gone)
    assert "the broker does not answer" in (await console.get("/admin/")).text


async def test_a_former_admin_loses_access_at_once(scene: Scene, console: httpx.AsyncClient) -> None:
    assert (await console.get("/admin/")).status_code == 200
    await scene.world.use_case(SuspendUser)(Operator(None), scene.eve.id, reason="Gone.")
    assert (await console.get("/admin/")).status_code == 404


async def test_the_overview_shows_pending_items(scene: Scene, console: httpx.AsyncClient) -> None:
    page = (await console.get("/admin/")).text
    assert "has not been reconciled" in page
    assert re.search(r"Dead letters</dt><dd>0", page)
    assert re.search(r"Reports</a></dt><dd>[1-9]", page)
    assert re.search(r"Suspended users</a></dt><dd>1", page)

    await scene.world.use_case(Reconcile)()
    assert "every rule is kept" in (await console.get("/admin/")).text


@pytest.mark.parametrize("name", PAGES)
async def test_each_table_is_listed_and_each_row_shown(scene: Scene, console: httpx.AsyncClient, name: str) -> None:
    if name == "reconciliations":
        await scene.world.use_case(Reconcile)()
    listed = await console.get(f"/admin/{name}/list")
    assert listed.status_code == 200
    row = re.search(rf'<th scope="row"><a href="{API}(/admin/{name}/details/[^"]+)">', listed.text)
    assert row, "the scene has no row of it"
    shown = await console.get(row[1])
    assert shown.status_code == 200
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "<script" not in shown.text
    for column in PAGES[name].filters:
        for value in PAGES[name].filters[column]:
            assert (await console.get(f"/admin/{name}/list?{column}={value}&search=nothing-like-it")).status_code == 200


async def test_a_style_in_review_is_shown_beside_its_near_copies(scene: Scene, console: httpx.AsyncClient) -> None:
    overview = (await console.get("/admin/")).text
    assert re.search(r"Styles in review</a></dt><dd>1", overview)
    page = await console.get(f"/admin/styles/details/{scene.copying.id}")
    urls = re.findall(r'<figure>\s*<img src="([^"]+)"', page.text)
    assert len(urls) == 2
    assert all(url.startswith("https://memory.invalid/x/0.png?") for url in urls)
    assert "1 of 64 bits differ" in page.text
    assert "img-src 'self' data: https://storage.googleapis.com;" in page.headers["content-security-policy"]
    assert "near-copies" not in (await console.get(f"/admin/styles/details/{scene.targets['styles', 'close']}")).text


async def test_users_are_found_and_filtered(scene: Scene, console: httpx.AsyncClient) -> None:
    found = (await console.get("/admin/users/list?search=ann@")).text
    assert ("ann@example.com" in found, "mia@example.com" in found) == (True, False)
    suspended = (await console.get("/admin/users/list?standing=suspended")).text
    assert ("lou@example.com" in suspended, "ann@example.com" in suspended) == (True, False)


async def test_every_line_of_the_ledger_links_to_its_cause(scene: Scene, console: httpx.AsyncClient) -> None:
    ledger = (await console.get("/admin/transfers/list?pageSize=100")).text
    rows = re.findall(r'<tr>\s*<th scope="row">.*?</tr>', ledger, re.DOTALL)
    assert rows
    kinds, gone = set(), set()
    for row in rows:
        if "gift:" in row:
            continue  # made by the tests alone
        [(path, kind)] = re.findall(r'<a href="(/admin/(\w+)/details/[^"]+)">[\w:]+:', row)
        kinds.add(kind)
        if (await console.get(path)).status_code == 404:
            gone.add(path)
    assert kinds >= {"generations", "purchases", "withdrawals"}
    assert {path.split("/")[2] for path in gone} == {"generations"}
    assert len(gone) == 2, "the images of two fans who have deleted their accounts"


@pytest.mark.parametrize(("page", "name"), [(page, name) for page in ACTIONS for name in ACTIONS[page]])
async def test_an_action_leaves_one_audit_line(scene: Scene, console: httpx.AsyncClient, page: str, name: str) -> None:
    address, action, before = scene.address(page, name), ACTIONS[page][name], await scene.lines()
    form = await console.get(address)
    assert (form.status_code, action.effect in form.text.replace("&#39;", "'")) == (200, True)
    fields = {field.name: "5" if field.pattern else "Because." for field in action.fields}
    for field in action.fields:
        assert f'<label for="{field.name}">{field.label}</label>' in form.text

    forged = await console.post(address, data=fields | {"csrf_token": "made up"})
    assert (forged.status_code, await scene.lines()) == (403, before)
    token = CSRF.findall(form.text)[0]
    done = await console.post(address, data=fields | {"csrf_token": token})

    assert done.status_code == 303
    assert f"Done: {action.label}" in (await console.get(done.headers["location"])).text
    [line, *older] = await scene.lines()
    assert older == before
    assert (line.admin_id, line.source, line.trace_id) == (scene.eve.id, "console", done.headers["x-trace-id"])


@pytest.mark.parametrize(
    ("page", "name", "target", "status", "message"),
    [
        ("users", "suspend", "999999", 404, "User not found."),
        ("users", "suspend", "{eve}", 409, "Another admin has to do this"),
        ("users", "suspend", "not-a-number", 404, "Not found."),
        ("users", "suspend", "9" * 30, 404, "Not found."),
        ("users", "restore", "{eve}", 404, "User not found."),
        ("withdrawals", "settle", "999999", 404, "Withdrawal not found."),
        ("purchases", "refund", "nothing", 404, "Purchase not found."),
    ],
)
async def test_a_refusal_is_shown_and_leaves_no_audit_line(
    scene: Scene, console: httpx.AsyncClient, page: str, name: str, target: str, status: int, message: str
) -> None:
    address, before = f"/admin/act/{page}/{target.format(eve=scene.eve.id)}/{name}", await scene.lines()
    form = await console.get(scene.address("users", "suspend"))
    sent = {"reason": "Because.", "csrf_token": CSRF.findall(form.text)[0]}

    refused = await console.post(address, data=sent)

    assert (refused.status_code, message in refused.text) == (status, True)
    assert await scene.lines() == before


@pytest.mark.parametrize("tokens", ["", "0", "-1", "five", "9" * 30])
async def test_an_invalid_amount_is_refused(scene: Scene, console: httpx.AsyncClient, tokens: str) -> None:
    address = scene.address("users", "grant-bonus")
    csrf = CSRF.findall((await console.get(address)).text)[0]
    refused = await console.post(address, data={"tokens": tokens, "reason": "Sorry.", "csrf_token": csrf})
    assert refused.status_code == 422


async def test_an_empty_amount_refunds_everything(scene: Scene, console: httpx.AsyncClient) -> None:
    address = scene.address("purchases", "refund")
    csrf = CSRF.findall((await console.get(address)).text)[0]
    assert (await console.post(address, data={"reason": "Sorry.", "csrf_token": csrf})).status_code == 303

    shown = (await console.get(f"/admin/purchases/details/{scene.targets['purchases', 'refund']}")).text
    assert "refunding" in shown
    ledger = (await console.get("/admin/transfers/list?search=refund:")).text
    [path] = re.findall(r'<a href="(/admin/purchases/details/[^"]+)">refund:', ledger)
    assert (await console.get(path)).status_code == 200
    again = await console.post(address, data={"reason": "Sorry.", "csrf_token": csrf})
    assert (again.status_code, "This purchase cannot be refunded." in again.text) == (409, True)


async def test_a_grant_in_the_ledger_links_to_its_audit_line(scene: Scene, console: httpx.AsyncClient) -> None:
    await scene.world.use_case(GrantBonus)(Operator(scene.eve.id), scene.ann.id, tokens=5, reason="An apology.")
    ledger = (await console.get("/admin/transfers/list?search=grant:")).text
    [path] = re.findall(r'<a href="([^"]+)">grant:', ledger)
    assert "An apology." in (await console.get(path)).text


async def test_a_withdrawal_shows_its_sources(scene: Scene, console: httpx.AsyncClient) -> None:
    page = (await console.get(f"/admin/withdrawals/details/{scene.targets['withdrawals', 'settle']}")).text
    assert "Where the tokens come from" in page
    assert re.search(r"Bought, by others</dt><dd>[1-9]", page)


async def test_a_missing_reason_shows_the_form_again(scene: Scene, console: httpx.AsyncClient) -> None:
    address = scene.address("users", "suspend")
    token = CSRF.findall((await console.get(address)).text)[0]
    refused = await console.post(address, data={"reason": " ", "csrf_token": token})
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text


@pytest.mark.parametrize(
    "path", ["users/create", "users/edit/1", "users/delete", "users/import", "users/export/csv", "login", "logout"]
)
async def test_rows_cannot_be_edited(console: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert (await console.request(method, f"/admin/{path}")).status_code in (404, 405)


async def test_console_sessions_are_read_only(scene: Scene) -> None:
    rows = await scene.service.container.get(ConsoleRows)
    async with rows.sessions() as session:
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await session.execute(text("UPDATE users SET role = 'admin'"))


@pytest.mark.parametrize("key", ["x", "9" * 30, "0", "-1"])
async def test_an_invalid_key_is_not_found(console: httpx.AsyncClient, key: str) -> None:
    answer = await console.get(f"/admin/users/details/{key}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (404, True)


async def test_a_refused_search_is_reported(console: httpx.AsyncClient) -> None:
    answer = await console.get("/admin/users/list?search=%00")
    assert (answer.status_code, "Search for less" in answer.text) == (400, True)
