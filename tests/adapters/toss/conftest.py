from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.toss.payment_provider import TossPayments
from tests.adapters.toss.scripted import Script, scripted_server
from tests.adapters.toss.steps import CALLS, Ask, at


@pytest.fixture(scope="module")
def server() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def script(server: Script) -> Script:
    server.calls.clear()
    return server


@pytest.fixture(scope="module")
async def client(server: Script) -> AsyncIterator[TossPayments]:
    toss = at(server.url)
    yield toss
    await toss.close()


@pytest.fixture
async def toss(script: Script, client: TossPayments) -> TossPayments:
    return client


@pytest.fixture(params=CALLS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return CALLS[request.param]
