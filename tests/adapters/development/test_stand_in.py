"""Stand-ins send the security headers of the service."""

from collections.abc import Callable
from http import HTTPStatus

import httpx
import pytest

from adapters.development.stand_in import Answer, Message, Receive, Request, Send, WithStandIn, as_json, as_page, to
from entrypoints.http.middleware.tracing import HEADERS


async def _service(_scope: Message, _receive: Receive, _send: Send) -> None:
    raise AssertionError("not for the service")


@pytest.mark.parametrize(
    "answer",
    [lambda: as_json(HTTPStatus.OK, {}), lambda: as_page(HTTPStatus.OK, "<p>"), lambda: to("http://elsewhere/")],
    ids=["json", "page", "redirect"],
)
async def test_every_response_has_the_security_headers(answer: Callable[[], Answer]) -> None:
    def stand_in(_request: Request) -> Answer:
        return answer()

    app = WithStandIn(_service, stand_in, path="/stand-in")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        headers = (await client.get("/stand-in/")).headers

    expected = {name.decode(): value.decode() for name, value in HEADERS}
    policy = expected.pop("content-security-policy")
    assert expected.items() <= dict(headers).items()
    assert set(policy.split("; ")) <= set(headers["content-security-policy"].split("; "))
