"""Calls of the application itself, without a client that would add costs of its own."""

from typing import Any

from core.accounts.model import User
from tests.entrypoints.service import API, Service

Headers = list[tuple[bytes, bytes]]


async def headers_of(service: Service, user: User) -> Headers:
    """The header fields of the user's browser."""
    async with service.browser(user) as browser:
        assert browser.csrf
        cookie = f"sessionid={browser.session}".encode()
        headers = [(b"host", API.encode().removeprefix(b"https://")), (b"cookie", cookie)]
        return [*headers, (b"x-csrftoken", browser.csrf.encode())]


async def call(service: Service, method: str, path: str, headers: Headers) -> int:
    """The status of the answer."""
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
    }
    await service.app(scope, receive, send)  # type: ignore[arg-type]
    return int(statuses[0])
