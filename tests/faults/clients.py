"""Buyers and artists over HTTP, with their sessions and CSRF tokens, during faults."""

import asyncio
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.end_to_end.artists import become_artist, pictures
from tests.end_to_end.service import Person
from tests.faults.record import Ask, Record
from tests.support.sandbox import Sandbox

TWINS = 0.2
"""How many of the calls with a key are made twice at once."""
RETRY_AFTER = 0.5
"""Seconds before a user repeats a call without a response."""
UNKNOWN = "OUTCOME_UNKNOWN"


class Client:
    """A user whose calls may be interrupted or temporarily refused, but never get a wrong answer."""

    def __init__(self, person: Person, record: Record) -> None:
        self.person = person
        self.record = record

    async def call(
        self, method: str, path: str, *expected: int, key: str | None = None, **request: Any
    ) -> httpx.Response | None:
        """The answer; None if there was none. One that is neither expected nor a 503 is noted as wrong."""
        headers = {"X-CSRFToken": self.person.csrf} | ({"Idempotency-Key": key} if key else {})
        counts = self.record.counts
        counts["requests"] += 1
        try:
            answer = await self.person.browser.request(method, path, headers=headers, **request)
        except httpx.TransportError:
            counts["requests cut off"] += 1
            return None
        kind = "2xx" if answer.is_success else "3xx" if answer.is_redirect else str(answer.status_code)
        counts["requests answered " + kind] += 1
        if answer.status_code not in (*expected, httpx.codes.SERVICE_UNAVAILABLE):
            self.record.wrong.append(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer

    async def insist(self, method: str, path: str, *expected: int, **request: Any) -> httpx.Response:
        """Ask until there is an answer."""
        while True:
            answer = await self.call(method, path, *expected, **request)
            if answer is not None and answer.status_code in expected:
                return answer
            if answer is not None and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise AssertionError(self.record.wrong[-1])
            await asyncio.sleep(RETRY_AFTER)


class Buyer(Client):
    def __init__(self, person: Person, record: Record, sandbox: Sandbox, styles: list[int], seed: str) -> None:
        super().__init__(person, record)
        self._sandbox = sandbox
        self._styles = styles
        self._random = Random(seed)
        self._mine: list[int] = []
        """The generations that the service has confirmed."""

    async def run(self, over: asyncio.Event, *, pause: float) -> None:
        """Act until the end; started actions are completed."""
        actions = [self.ask, self._cancel, self._react, self._look, self._buy]
        while not over.is_set():
            await asyncio.sleep(self._random.expovariate(1 / pause))
            (action,) = self._random.choices(actions, weights=[70, 10, 12, 6, 2])
            await action()

    async def ask(self) -> None:
        """Request an image; every second one with a key, repeated until there is an answer."""
        ask = Ask(f"ask-{uuid4().hex}", keyed=self._random.random() < 0.5)
        self.record.asks.append(ask)
        key = ask.marker if ask.keyed else None
        body = {"style_id": self._random.choice(self._styles), "prompt_tags": [ask.marker]}
        twins = 2 if ask.keyed and self._random.random() < TWINS else 1
        await asyncio.gather(*(self._ask(ask, key, body) for _ in range(twins)))
        while key and ask.open and not ask.answered and not ask.refused:
            await asyncio.sleep(RETRY_AFTER)
            self.record.counts["requests repeated with their key"] += 1
            await self._ask(ask, key, body)
        self._mine += ask.answered
        if ask.poor and not ask.answered:
            await self._buy()

    async def _ask(self, ask: Ask, key: str | None, body: Any) -> None:
        answer = await self.call("POST", "/api/generations", 201, 402, key=key, json=body)
        counts = self.record.counts
        counts["images asked for"] += 1
        if answer is None:
            counts["images without an answer"] += 1
            ask.open += 1
        elif answer.status_code == httpx.codes.CREATED:
            counts["images answered 201"] += 1
            counts["images answered 201 again"] += "Idempotent-Replayed" in answer.headers
            ask.answered.add(answer.json()["data"]["id"])
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            counts["images answered 503"] += 1
            unsure = key is not None or answer.json()["error"]["code"] == UNKNOWN
            ask.open += unsure
            ask.refused += not unsure
        else:
            ask.refused += 1
            ask.poor = True

    async def _cancel(self) -> None:
        if self._mine:
            answer = await self.call("POST", f"/api/generations/{self._mine[-1]}/cancel", 200, 409)
            self.record.counts["images cancelled"] += answer is not None and answer.is_success

    async def _react(self) -> None:
        answer = await self.call("GET", "/api/generations/me?status=completed&limit=5", 200)
        if answer is None or not answer.is_success or not (seen := answer.json()["data"]["results"]):
            return
        path = f"/api/generations/{self._random.choice(seen)['id']}"
        match self._random.randrange(3):
            case 0:
                await self.call("POST", f"{path}/like", 200, 409)
            case 1:
                await self.call("DELETE", f"{path}/like", 204)
            case _:
                said = await self.call("POST", f"{path}/comments", 201, json={"content": "warm"})
                if said is not None and said.is_success:
                    self.record.comments.add(said.json()["data"]["id"])

    async def _look(self) -> None:
        if self._mine:
            await self.call("GET", f"/api/generations/{self._random.choice(self._mine)}", 200)
        await self.call("GET", "/api/tokens/balance", 200)

    async def _buy(self) -> None:
        """Pay, and return to the service until it has the result."""
        request = {"package_id": "basic_100"}
        bought = await self.insist("POST", "/api/tokens/purchase", 201, key=uuid4().hex, json=request)
        purchase = bought.json()["data"]
        try:
            back = await self._sandbox.choose(purchase["payment_url"], "pay")
        except httpx.TransportError:
            self.record.counts["payment pages that did not answer"] += 1
            return
        while (status := await self._come_back(back)) in {None, "pending"}:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(RETRY_AFTER)
        if status != "paid":
            self.record.wrong.append(f"{purchase} was paid for and is {status}")
        self.record.paid.add(purchase["order_id"])
        self.record.counts["purchases paid"] += 1

    async def _come_back(self, address: httpx.URL) -> str | None:
        """The purchase's status; None if the service does not answer."""
        answer = await self.insist("GET", str(address), 302)
        status: str | None = httpx.URL(answer.headers["Location"]).params.get("status")
        return status


class Artist(Client):
    """Creates styles, one after another."""

    async def begin(self) -> int:
        """Become an artist with a trained style. Nothing else may be in progress."""
        await become_artist(self.person, name=f"Artist {uuid4().hex[:8]}")
        style_id: int = (await self.person.ask("POST", "/api/styles", data=_offer(), files=pictures()))["id"]
        self.record.styles.add(style_id)
        *_, style = await self.person.wait_for(f"/api/styles/{style_id}", "training_status", "completed", "failed")
        while style["training_status"] == "failed":
            # 409: the training server has repeated the task by itself and completed it meanwhile.
            await self.insist("POST", f"/api/styles/{style_id}/retrain", 202, 409)
            *_, style = await self.person.wait_for(f"/api/styles/{style_id}", "training_status", "completed", "failed")
        return style_id

    async def run(self, over: asyncio.Event, *, pause: float) -> None:
        """Create styles until the end."""
        while not over.is_set():
            answer = await self.call("POST", "/api/styles", 201, key=uuid4().hex, data=_offer(), files=pictures())
            if answer is not None and answer.is_success:
                self.record.styles.add(answer.json()["data"]["id"])
                self.record.counts["styles offered"] += 1
            await asyncio.sleep(pause)


def _offer() -> dict[str, str]:
    return {"name": f"Style {uuid4().hex}", "generation_cost_tokens": "5"}
