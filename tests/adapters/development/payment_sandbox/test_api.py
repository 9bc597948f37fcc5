"""The sandbox's HTTP interface: Toss's API and a payment page. Payment states are in the contract of payments."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from adapters.development.payment_sandbox.app import WithSandboxPayments
from adapters.development.payment_sandbox.provider import SandboxPayments

PATH = "/sandbox/toss"
KEY = "test_sk"
ORDER = {
    "method": "CARD",
    "amount": 45_000,
    "orderId": "order-1",
    "orderName": "<b>500</b> tokens",
    "successUrl": "http://service/success?from=toss",
    "failUrl": "http://service/fail",
}


@pytest.fixture(autouse=True)
def webhooks() -> Iterator[list[Any]]:
    """What the service gets from the sandbox."""
    yield EVENTS
    EVENTS.clear()


EVENTS: list[Any] = []


async def the_service(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/api/webhooks/toss/payment":
        EVENTS.append(json.loads((await receive())["body"]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"the service at {scope['path']}".encode()})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = WithSandboxPayments(the_service, SandboxPayments(secret_key=KEY, url=f"http://service{PATH}"), path=PATH)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", auth=(KEY, "")) as client:
        yield client


async def create(client: httpx.AsyncClient, **headers: str) -> Any:
    answer = await client.post(f"{PATH}/v1/payments", json=ORDER, headers=headers)
    assert answer.status_code == 200
    return answer.json()


async def confirm(client: httpx.AsyncClient, payment: Any, **headers: str) -> tuple[int, Any]:
    asked = {"paymentKey": payment["paymentKey"], "orderId": "order-1", "amount": 45_000}
    answer = await client.post(f"{PATH}/v1/payments/confirm", json=asked, headers=headers)
    return answer.status_code, answer.json()


async def paid(client: httpx.AsyncClient) -> Any:
    payment = await create(client)
    await client.post(payment["checkout"]["url"], data={"choice": "pay"})
    return (await confirm(client, payment))[1]


async def cancel(client: httpx.AsyncClient, payment: Any, asked: Any, **headers: str) -> tuple[int, Any]:
    answer = await client.post(f"{PATH}/v1/payments/{payment['paymentKey']}/cancel", json=asked, headers=headers)
    return answer.status_code, answer.json()


async def look(client: httpx.AsyncClient, payment: Any) -> Any:
    return (await client.get(f"{PATH}/v1/payments/{payment['paymentKey']}")).json()


@pytest.mark.parametrize("path", ["/", "/sandbox", "/sandbox/tossed", "/api/tokens/packages"])
async def test_other_paths_reach_the_service(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).text == f"the service at {path}"


@pytest.mark.parametrize("auth", [None, ("", ""), (KEY, KEY), ("another", ""), ("", KEY)])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/payments"), ("POST", "/v1/payments/confirm"), ("GET", "/v1/payments/orders/order-1")],
)
async def test_the_api_requires_the_key(
    client: httpx.AsyncClient, auth: tuple[str, str] | None, method: str, path: str
) -> None:
    answer = await client.request(method, f"{PATH}{path}", json=ORDER, auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED_KEY")


async def test_an_idempotency_key_replays_responses_and_refusals(client: httpx.AsyncClient) -> None:
    assert await create(client, **{"Idempotency-Key": "a"}) == await create(client, **{"Idempotency-Key": "a"})

    payment = await create(client)
    once = {"Idempotency-Key": "b"}
    refused = await confirm(client, payment, **once)
    assert (refused[0], refused[1]["code"]) == (404, "NOT_FOUND_PAYMENT_SESSION")
    await client.post(payment["checkout"]["url"], data={"choice": "pay"})

    assert await confirm(client, payment, **once) == refused
    status, confirmed = await confirm(client, payment, **{"Idempotency-Key": "c"})
    assert (status, confirmed["status"]) == (200, "DONE")
    assert await confirm(client, payment, **{"Idempotency-Key": "c"}) == (status, confirmed)
    assert (await confirm(client, payment))[1]["code"] == "ALREADY_PROCESSED_PAYMENT"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"orderId": "x", "amount": "much"}'])
async def test_a_malformed_call_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(f"{PATH}/v1/payments", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/x", "/v1/payments/orders/x", "/v2", "/"])
async def test_an_unknown_id_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{PATH}{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] in {"NOT_FOUND", "NOT_FOUND_PAYMENT"}


async def test_opening_the_page_captures_nothing(client: httpx.AsyncClient) -> None:
    payment = await create(client)
    page = await client.get(payment["checkout"]["url"] + "?choice=pay", auth=None)
    assert "<h1>&lt;b&gt;500&lt;/b&gt; tokens</h1>" in page.text
    assert "KRW 45,000" in page.text
    for pressed in ({}, {"choice": ""}, {"choice": "other"}):
        assert (await client.post(payment["checkout"]["url"], data=pressed)).status_code == 200

    assert (await look(client, payment))["status"] == "READY"


async def test_the_browser_returns_with_the_parameters_of_toss(client: httpx.AsyncClient) -> None:
    payment = await create(client)
    back = httpx.URL((await client.post(payment["checkout"]["url"], data={"choice": "pay"})).headers["location"])
    assert back.copy_with(query=None) == "http://service/success"
    assert dict(back.params) == {
        "from": "toss",
        "paymentType": "NORMAL",
        "orderId": "order-1",
        "paymentKey": payment["paymentKey"],
        "amount": "45000",
    }


async def test_cancelling_after_a_payment_does_not_undo_it(client: httpx.AsyncClient) -> None:
    payment = await create(client)
    await client.post(payment["checkout"]["url"], data={"choice": "pay"})
    await confirm(client, payment)

    await client.post(payment["checkout"]["url"], data={"choice": "decline"})

    assert (await look(client, payment))["status"] == "DONE"


async def test_an_unknown_page_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PATH}/checkout/made-up")
    assert answer.status_code == 404
    assert "There is no such payment." in answer.text


async def test_partial_cancellations_send_webhooks(client: httpx.AsyncClient, webhooks: list[Any]) -> None:
    payment = await paid(client)
    status, part = await cancel(client, payment, {"cancelReason": "Sorry.", "cancelAmount": 15_000})
    assert (status, part["status"], part["balanceAmount"]) == (200, "PARTIAL_CANCELED", 30_000)
    assert [(one["cancelAmount"], one["cancelReason"]) for one in part["cancels"]] == [(15_000, "Sorry.")]

    status, rest = await cancel(client, payment, {"cancelReason": "Sorry."})
    assert (status, rest["status"], rest["balanceAmount"]) == (200, "CANCELED", 0)
    assert (await cancel(client, payment, {"cancelReason": "Sorry."}))[1]["code"] == "ALREADY_CANCELED_PAYMENT"
    assert [(event["eventType"], event["data"]) for event in webhooks] == [
        ("PAYMENT_STATUS_CHANGED", part),
        ("PAYMENT_STATUS_CHANGED", rest),
    ]


async def test_an_unpaid_payment_cannot_be_cancelled(client: httpx.AsyncClient, webhooks: list[Any]) -> None:
    payment = await create(client)
    status, refused = await cancel(client, payment, {"cancelReason": "Sorry."})
    assert (status, refused["code"]) == (403, "NOT_CANCELABLE_PAYMENT")
    assert webhooks == []


@pytest.mark.parametrize(
    "asked",
    [{}, {"cancelReason": ""}, {"cancelReason": "x", "cancelAmount": "1"}, {"cancelReason": "x", "cancelAmount": 0}],
)
async def test_a_malformed_cancellation_is_refused(
    client: httpx.AsyncClient, webhooks: list[Any], asked: dict[str, Any]
) -> None:
    payment = await paid(client)
    status, refused = await cancel(client, payment, asked)
    assert (status, refused["code"]) == (400, "INVALID_REQUEST")
    assert (await look(client, payment))["balanceAmount"] == 45_000
    assert webhooks == []


async def test_the_console_cancels_a_payment(client: httpx.AsyncClient, webhooks: list[Any]) -> None:
    assert "Nothing was paid yet." in (await client.get(f"{PATH}/console")).text
    payment = await paid(client)
    await create(client)  # and is not paid
    page = (await client.get(f"{PATH}/console")).text
    assert page.count('name="payment_key"') == 1
    assert "order-1: DONE, KRW 45,000 of" in page

    by_hand = {"payment_key": payment["paymentKey"], "amount": "15000"}
    answer = await client.post(f"{PATH}/console", data=by_hand)
    assert "order-1: PARTIAL_CANCELED, KRW 30,000 of" in answer.text
    assert [event["data"]["balanceAmount"] for event in webhooks] == [30_000]

    for wrong in ({"amount": "30001"}, {"amount": "all"}, {"payment_key": "made-up"}):
        answer = await client.post(f"{PATH}/console", data=by_hand | wrong)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
    assert (await look(client, payment))["balanceAmount"] == 30_000
    assert len(webhooks) == 1


async def test_the_api_simulates_outages_timeouts_and_refusals(client: httpx.AsyncClient, webhooks: list[Any]) -> None:
    payment = await paid(client)
    asked, once = {"cancelReason": "Sorry.", "cancelAmount": 15_000}, {"Idempotency-Key": "refund"}

    async def change(mode: str) -> str:
        return (await client.post(f"{PATH}/console", data={"mode": mode})).text

    assert 'value="down" aria-pressed="true"' in await change("down")
    assert (await cancel(client, payment, asked, **once))[0] == 503
    assert (await client.get(f"{PATH}/v1/payments/{payment['paymentKey']}")).status_code == 503
    assert 'value="unwilling" aria-pressed="true"' in await change("unwilling")
    assert (await cancel(client, payment, asked))[1]["code"] == "NOT_CANCELABLE_PAYMENT"
    await change("normal")
    assert (await look(client, payment))["balanceAmount"] == 45_000

    await change("silent")
    assert (await cancel(client, payment, asked, **once))[0] == 503
    assert 'value="normal" aria-pressed="true"' in await change("normal")
    status, answer = await cancel(client, payment, asked, **once)
    assert (status, answer["balanceAmount"]) == (200, 30_000)
    assert len(webhooks) == 1
    assert 'value="normal" aria-pressed="true"' in await change("another")
