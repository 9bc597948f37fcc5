"""Calls generated from the published API document, for each role."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import hypothesis
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.filters import HasAPIOperation

from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.entrypoints.service import API, Service
from tests.entrypoints.test_contract import sample_data
from tests.support.memory_world import MemoryWorld

AnyOperation = APIOperation[Any, Any, Any, Any]

PEOPLE = ("anonymous", "user", "artist", "admin")
SERVERS = ("anonymous", "server")
"""The AI servers and the scheduler have the internal token."""
NAMES = {"user": "ann", "artist": "mia", "admin": "eve"}
DOCUMENT = "/api/schema/openapi.json"
CONFIG = {
    "generation": {
        # What a role has to show, it shows; tests/entrypoints/test_access.py leaves it away.
        "with-security-parameters": False,
    },
    "checks": {
        # Lengths, languages, prices and states are the domain's: there is more to them than a schema can say.
        "positive_data_acceptance": {"enabled": False},
    },
    "operations": [
        {
            # What others report about their work and their payments is not refused for a value that makes no sense.
            "include-path-regex": "^/api/webhooks/",
            "checks": {"negative_data_rejection": {"enabled": False}},
        }
    ],
}
"""Of the library: which of its checks do not apply, and where."""


def for_servers(context: HasAPIOperation) -> bool:
    return context.operation.path.startswith(("/api/webhooks/", "/internal/"))


def for_people(context: HasAPIOperation) -> bool:
    return not for_servers(context)


def document() -> BaseSchema:
    """What the service publishes, as calls are made from it."""
    app = Service(MemoryWorld()).app
    return schemathesis.openapi.from_asgi(DOCUMENT, app, config=schemathesis.Config.from_dict(CONFIG))


def operations(left_out: Callable[[HasAPIOperation], bool]) -> list[AnyOperation]:
    found = document().exclude(left_out).get_all_operations()
    return [each.ok() for each in found if isinstance(each, Ok)]


class Caller:
    """A caller of a service with some of everything in it; each call finds the same state."""

    def __init__(self, role: str) -> None:
        self._server = role == "server"
        self._world = MemoryWorld()
        self._service = Service(self._world)
        self._service.streams.close()  # streams have no end of their own
        self._headers: dict[str, str] = {}
        self._known: dict[str, list[Any]] = {}
        self._calls = 0
        asyncio.run(self._begin(NAMES.get(role)))
        self._rows = self._world.database.committed

    async def _begin(self, name: str | None) -> None:
        people, things = await sample_data(self._service, self._world)
        people["eve"] = await self._world.admin()
        await self._world.earn(people["mia"])
        withdrawal = await self._world.use_case(RequestWithdrawal)(people["mia"].id, 1)
        if name:
            async with self._service.browser(people[name]) as browser:
                self._headers = {"Cookie": f"sessionid={browser.session}", "X-CSRFToken": browser.csrf or ""}
        images = [things[name] for name in ("image", "processing", "queued")]
        styles = [things[name] for name in ("style", "training", "failed")]
        self._known = {
            "user_id": [user.id for user in people.values()],
            "style_id": styles,
            "generation_id": images,
            "comment_id": [things["comment"]],
            "notification_id": [things["notification"]],
            "order_id": [things["order"]],
            "withdrawal_id": [withdrawal.id],
            "package_id": ["basic_100"],
            "prompt_tags": [["cat"], ["cat", "ink"]],
            "expected_price": [None, 30],
            "reason": ["Mine."],
        }

    def call(self, case: Case[Any]) -> None:
        """Call, and check the answer. Raises AssertionError and the library's FailureGroup."""
        self._world.database.committed = self._rows.overlaid()
        self._use_known_values(case)
        response = case.call(headers=self._credentials(case))
        case.validate_response(response)
        self._service.contract.verify(
            httpx.Response(
                response.status_code,
                headers=[(name, value) for name, values in response.headers.items() for value in values],
                content=response.content,
                request=httpx.Request(case.method, f"{API}{case.formatted_path}"),
            )
        )

    def _credentials(self, case: Case[Any]) -> dict[str, str]:
        if not self._server:
            return self._headers
        return {"Authorization": self._service.ai_server("")["Authorization"]}

    def _use_known_values(self, case: Case[Any]) -> None:
        """Ids of what is there, and values that the domain accepts, in place of those that are only of their type."""
        if case.meta is None or case.meta.generation.mode.is_negative:
            return
        bodies: list[dict[str, Any]] = [case.body] if isinstance(case.body, dict) else []
        for values in (case.path_parameters, *bodies):
            for name in values:
                if known := self._known.get(name):
                    self._calls += 1
                    values[name] = known[self._calls % len(known)]


def call_at_random(operation: AnyOperation, callers: list[Caller], *, seed: int) -> None:
    """Fifty calls. Raises what `Caller.call` raises."""
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=50, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(cases)
    def call(case: Case[Any]) -> None:
        for caller in callers:
            caller.call(case)

    call()
