"""Every answer is as the published document says: no server error, no other status, content type or shape; and what the
document does not allow is refused.
"""

from typing import Any

import pytest
from schemathesis import Case

from tests.fuzz.api import PEOPLE, SERVERS, Caller, document, for_people, for_servers

EXAMPLES = 5
"""Random calls of each operation by each role, besides those at the bounds of what is allowed.
For longer: `python -m tests.fuzz api`.
"""

published = document()
published.config.generation.update(max_examples=EXAMPLES, deterministic=True)


@pytest.fixture(scope="module")
def callers(request: pytest.FixtureRequest) -> list[Caller]:
    return [Caller(role) for role in request.param]


@published.exclude(for_servers).parametrize()
@pytest.mark.parametrize("callers", [PEOPLE], ids=["people"], indirect=True)
def test_responses_to_users_match_the_document(case: Case[Any], callers: list[Caller]) -> None:
    for caller in callers:
        caller.call(case)


@published.exclude(for_people).parametrize()
@pytest.mark.parametrize("callers", [SERVERS], ids=["servers"], indirect=True)
def test_responses_to_servers_match_the_document(case: Case[Any], callers: list[Caller]) -> None:
    for caller in callers:
        caller.call(case)
