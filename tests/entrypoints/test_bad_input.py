"""Invalid calls about tokens are refused and move no tokens."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.identifiers import OrderId
from core.purchases.start_purchase import StartPurchase
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.http.operation import operation_of, routes
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

NO_INTEGERS: list[object] = [1.5, "1", "", True, False, None, [], [1], {}, {"$gt": 0}]
OUT_OF_RANGE = [0, -1, -(10**18), 10**9 + 1, 2**63, 10**30]
NO_IDS = ["-1", "0", "1.5", "1%00", "one", "1e3", str(2**63), "9" * 40, "1;DROP TABLE transfers"]
NO_OBJECTS = [b"", b"{", b"[1]", b'"amount"', b"1", b"null", b"\xff", b"[" * 5000]
NO_NUMBERS = [b'{"amount": NaN}', b'{"amount": 1e400}', b'{"amount": 01}', b'{"amount": 1,}', b'{"amount": 0x1}']
JSON = {"Content-Type": "application/json"}


class Stage:
    """Ann has 100 tokens, Mia has earned 30, Boss is an admin; Bob, who does not call, owns things."""

    def __init__(
        self, world: MemoryWorld, browsers: Mapping[str, Browser], style_id: int, bobs: Mapping[str, object]
    ) -> None:
        self.style_id = style_id
        self._world = world
        self._browsers = browsers
        self._bobs = bobs

    async def refusal(self, who: str, call: str, **options: Any) -> tuple[int, str]:
        """Status and code; nothing has moved."""
        method, path = call.format_map(self._bobs).split(" ", maxsplit=1)
        before = self._stored()
        response = await self._browsers[who].call(method, path, **options)
        assert self._stored() == before
        return response.status_code, response.json()["error"]["code"]

    def _stored(self) -> list[dict[Any, Any]]:
        tables = self._world.database.tables
        kinds = (tables.funds, tables.entries, tables.purchases, tables.withdrawals, tables.generations, tables.outbox)
        return [dict(kind) for kind in kinds]


@pytest.fixture
async def stage(service: Service, world: MemoryWorld) -> AsyncIterator[Stage]:
    people = {
        "ann": await world.user("ann", tokens=100),
        "mia": await world.artist("mia"),
        "boss": await world.user("boss"),
    }
    bob, style = await world.artist("bob", tokens=200), await world.style(people["mia"])
    await world.use_case(MakeAdmin)(Operator(None), people["boss"].id)
    await world.image(bob, style)
    await world.earn(bob)
    bobs = {
        "order": (await world.use_case(StartPurchase)(bob.id, "basic_100")).order_id,
        "image": (await world.generation(bob, style)).id,
        "withdrawal": (await world.use_case(RequestWithdrawal)(bob.id, 10)).id,
    }
    async with (
        service.browser(people["ann"]) as ann,
        service.browser(people["mia"]) as mia,
        service.browser(people["boss"]) as boss,
    ):
        yield Stage(world, {"ann": ann, "mia": mia, "boss": boss}, style.id, bobs)


@pytest.mark.parametrize("amount", [*NO_INTEGERS, *OUT_OF_RANGE], ids=repr)
async def test_a_withdrawal_of_an_invalid_amount_is_refused(stage: Stage, amount: object) -> None:
    refused = await stage.refusal("mia", "POST /api/tokens/withdrawals", json={"amount": amount})
    assert refused == (422, "VALIDATION_ERROR")


async def test_a_withdrawal_above_the_earnings_is_refused(stage: Stage) -> None:
    refused = await stage.refusal("mia", "POST /api/tokens/withdrawals", json={"amount": 31})
    assert refused == (402, "INSUFFICIENT_TOKENS")


@pytest.mark.parametrize("package_id", [1, -1, 1.5, True, None, [], ["basic_100"], {}, "\x00", "x" * 101], ids=repr)
async def test_a_package_id_that_is_not_text_is_refused(stage: Stage, package_id: object) -> None:
    refused = await stage.refusal("ann", "POST /api/tokens/purchase", json={"package_id": package_id})
    assert refused == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("package_id", ["", " ", "basic_100 ", "BASIC_100", "-100", "0", "베이직"], ids=repr)
async def test_an_unknown_package_is_refused(stage: Stage, package_id: str) -> None:
    refused = await stage.refusal("ann", "POST /api/tokens/purchase", json={"package_id": package_id})
    assert refused == (400, "INVALID_PACKAGE")


@pytest.mark.parametrize(
    "own",
    [{"total_price": 1}, {"amount_tokens": 10**6}, {"currency_code": "USD"}, {"user_id": 1}, {"price_per_token": -90}],
    ids=repr,
)
async def test_client_supplied_terms_are_refused(stage: Stage, own: dict[str, object]) -> None:
    refused = await stage.refusal("ann", "POST /api/tokens/purchase", json={"package_id": "basic_100", **own})
    assert refused == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("style_id", NO_INTEGERS, ids=repr)
async def test_a_generation_without_a_valid_style_is_refused(stage: Stage, style_id: object) -> None:
    asked = {"style_id": style_id, "prompt_tags": ["cat"]}
    assert await stage.refusal("ann", "POST /api/generations", json=asked) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("style_id", [-1, 0, 10**9, 2**63 - 1, 2**63, 10**30], ids=repr)
async def test_a_generation_of_an_unknown_style_is_refused(stage: Stage, style_id: int) -> None:
    asked = {"style_id": style_id, "prompt_tags": ["cat"]}
    assert await stage.refusal("ann", "POST /api/generations", json=asked) in {
        (404, "STYLE_NOT_FOUND"),
        (422, "VALIDATION_ERROR"),
    }


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, 10**30], ids=repr)
async def test_an_invalid_seed_is_refused(stage: Stage, seed: object) -> None:
    asked = {"style_id": stage.style_id, "prompt_tags": ["cat"], "seed": seed}
    assert await stage.refusal("ann", "POST /api/generations", json=asked) == (422, "VALIDATION_ERROR")


async def test_the_price_is_set_by_the_style(service: Service, world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        wish = {"style_id": style.id, "prompt_tags": ["cat"]}
        own = {"consumed_tokens": 0, "price": -1, "generation_cost_tokens": 0}
        refused = await browser.post("/api/generations", json={**wish, **own})
        assert (refused.status_code, refused.json()["error"]["details"].keys()) == (422, own.keys())
        await browser.post("/api/generations", json=wish)

        assert (await browser.get("/api/tokens/balance")).json()["data"]["token_balance"] == 70


@pytest.mark.parametrize("call", ["POST /api/tokens/withdrawals", "POST /api/tokens/purchase", "POST /api/generations"])
@pytest.mark.parametrize("body", [*NO_OBJECTS, *NO_NUMBERS], ids=lambda body: repr(body[:20]))
async def test_non_object_bodies_are_refused(stage: Stage, call: str, body: bytes) -> None:
    status, code = await stage.refusal("mia", call, content=body, headers=JSON)
    assert (status, code) in {(400, "MALFORMED_BODY"), (422, "VALIDATION_ERROR")}


@pytest.mark.parametrize(
    ("who", "call", "code"),
    [
        ("ann", "GET /api/tokens/purchases/{order}", "PURCHASE_NOT_FOUND"),
        ("mia", "GET /api/tokens/withdrawals/{withdrawal}", "WITHDRAWAL_NOT_FOUND"),
        ("ann", "POST /api/generations/{image}/cancel", "GENERATION_NOT_FOUND"),
        ("mia", "POST /api/generations/{image}/cancel", "GENERATION_NOT_FOUND"),
        ("mia", "POST /api/admin/withdrawals/{withdrawal}/settle", "NOT_FOUND"),
        ("mia", "POST /api/admin/withdrawals/{withdrawal}/reject", "NOT_FOUND"),
    ],
)
async def test_resources_of_another_user_are_not_found(stage: Stage, who: str, call: str, code: str) -> None:
    assert await stage.refusal(who, call, json={"reason": "No."}) == (404, code)


@pytest.mark.parametrize(
    "call",
    [
        "GET /api/tokens/withdrawals/{id}",
        "POST /api/admin/withdrawals/{id}/settle",
        "POST /api/admin/withdrawals/{id}/reject",
        "POST /api/generations/{id}/cancel",
    ],
)
@pytest.mark.parametrize("number", NO_IDS)
async def test_unknown_ids_are_not_found(stage: Stage, call: str, number: str) -> None:
    who = "boss" if "admin" in call else "mia"
    status, _ = await stage.refusal(who, call.replace("{id}", number), json={"reason": "No."})
    assert status == 404


@pytest.mark.parametrize("reason", [None, 1, "", " ", "x" * 501, ["No."]], ids=repr)
async def test_a_rejection_without_a_reason_is_refused(stage: Stage, reason: object) -> None:
    call = "POST /api/admin/withdrawals/{withdrawal}/reject"
    assert await stage.refusal("boss", call, json={"reason": reason}) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=101", "limit=1.5", "limit=ten", "cursor=x", "cursor=-1", "type=theft", "type="],
)
async def test_invalid_page_parameters_are_refused(stage: Stage, query: str) -> None:
    assert await stage.refusal("ann", f"GET /api/tokens/transactions?{query}") == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("amount", "currency_code"),
    [
        (-45_000, "KRW"),
        (0, "KRW"),
        (44_999, "KRW"),
        (45_001, "KRW"),
        (Decimal("45000.01"), "KRW"),
        (10**18, "KRW"),
        (45_000, "USD"),
        (45_000, "JPY"),
        (45_000, "krw"),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["return", "webhook"])
async def test_a_wrong_amount_of_money_credits_nothing(
    service: Service, world: MemoryWorld, how: str, amount: Decimal | int, currency_code: str
) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser:
        order = (await browser.post("/api/tokens/purchase", json={"package_id": "standard_500"})).json()["data"]
        order_id = OrderId(order["order_id"])
        key = world.payments.charge(order_id, amount=amount, currency_code=currency_code)

        if how == "return":
            path = f"/api/payments/toss/{order_id}/success?paymentKey={key}&amount=45000"
            assert (await browser.get(path)).headers["location"].endswith("status=failed")
        else:
            hint = {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"paymentKey": key, "orderId": order_id}}
            assert (await browser.post("/api/webhooks/toss/payment", json=hint)).status_code == 200

        state = (await browser.get(f"/api/tokens/purchases/{order_id}")).json()["data"]
        assert (state["status"], state["failure"]["code"]) == ("failed", "PAYMENT_MISMATCH")
        assert (await browser.get("/api/tokens/balance")).json()["data"]["token_balance"] == 0


def test_unknown_fields_are_refused_in_every_body_of_browsers(service: Service) -> None:
    unguarded, guarded = {}, 0
    for path, handler in routes(service.app):
        form, data = operation_of(handler).form, handler.parsed_data_field
        body = form.fields if form else data and data.annotation
        if body and "/webhooks" not in path:
            guarded += 1
            if not body.__struct_config__.forbid_unknown_fields:
                unguarded[path] = body
    assert unguarded == {}
    assert guarded > 8
