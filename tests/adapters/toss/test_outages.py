"""Failures of Toss's API: errors, malformed responses and time-outs."""

import asyncio
import json
import logging
from typing import Any

import pytest

from adapters.toss import payment_provider
from adapters.toss.payment_provider import TossPayments
from core.ports.payment_provider import PaymentsUnavailable
from tests.adapters.toss.scripted import Script
from tests.adapters.toss.steps import CALLS, KEY, ORDER, SECRET_KEY, Ask, a_payment, an_error, at
from tests.support.ports import free_port


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_failed_creation_is_logged_without_the_key(
    script: Script, toss: TossPayments, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    script.json(status, an_error("UNAUTHORIZED_KEY"))

    with caplog.at_level(logging.ERROR), pytest.raises(PaymentsUnavailable):
        await toss.checkout(ORDER)

    assert "UNAUTHORIZED_KEY" in caplog.text
    assert SECRET_KEY not in caplog.text


@pytest.mark.parametrize(
    "changes", [{"totalAmount": 1}, {"currency": "USD"}, {"orderId": "another-order"}, {"checkout": None}]
)
async def test_a_created_payment_with_other_terms_is_refused(
    script: Script, toss: TossPayments, changes: dict[str, object]
) -> None:
    script.json(200, a_payment(status="READY", **changes))
    with pytest.raises(PaymentsUnavailable):
        await toss.checkout(ORDER)


# --- breakdowns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_unavailable(script: Script, toss: TossPayments, ask: Ask, status: int) -> None:
    script.json(status, an_error("FAILED_INTERNAL_SYSTEM_PROCESSING"))
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>Please wait ...</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"paymentKey": "k"',
        b"\xff\xfe",
        *(
            json.dumps(a_payment(**changes)).encode()
            for changes in (
                {"status": "SOMETHING_NEW"},
                {"status": None},
                {"totalAmount": None},
                {"totalAmount": "much"},
                {"totalAmount": True},
                {"paymentKey": 1},
                {"orderId": None},
                {"failure": "no"},
            )
        ),
    ],
)
async def test_a_malformed_response_is_unavailable(script: Script, toss: TossPayments, garbage: bytes) -> None:
    for ask in ("confirm", "cancel", "payment", "payment_of"):
        script.raw(200, garbage)
        with pytest.raises(PaymentsUnavailable):
            await CALLS[ask](toss)


@pytest.mark.parametrize(("status", "body"), [(404, b"<html>"), (404, b"{}"), (302, b""), (204, b"")])
async def test_an_unrecognized_404_does_not_mean_no_payment(
    script: Script, toss: TossPayments, status: int, body: bytes
) -> None:
    script.raw(status, body)
    with pytest.raises(PaymentsUnavailable):
        await toss.payment(KEY)


async def test_a_broken_connection_is_unavailable(script: Script, toss: TossPayments, ask: Ask) -> None:
    script.raw(200, b'{"paymentKey"', cut_off=True)
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)


async def test_an_unreachable_server_is_unavailable(ask: Ask) -> None:
    toss = at(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)
    await toss.close()


async def test_a_silent_server_times_out(
    script: Script, toss: TossPayments, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = payment_provider.CONFIRM_TIMEOUT + payment_provider.LOOKUP_TIMEOUT
    assert promised <= 15
    monkeypatch.setattr(payment_provider, "CONFIRM_TIMEOUT", 0.25)
    monkeypatch.setattr(payment_provider, "LOOKUP_TIMEOUT", 0.25)

    async with asyncio.timeout(5):
        with pytest.raises(PaymentsUnavailable):
            await ask(toss)
    assert await asyncio.to_thread(script.called.wait, 5)
    assert len(script.calls) == 1


async def test_calls_succeed_after_an_outage(script: Script, toss: TossPayments) -> None:
    script.raw(200, b"<html>", cut_off=True)
    script.json(200, a_payment())

    with pytest.raises(PaymentsUnavailable):
        await toss.payment(KEY)
    payment: Any = await toss.payment(KEY)
    assert payment.key == KEY
