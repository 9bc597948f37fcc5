from collections.abc import Callable

import msgspec

from benchmarks.users import Browser


class Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def raw(self) -> bytes:
        """The request as it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Target(msgspec.Struct, frozen=True):
    bar: float
    """The minimum share."""
    goal: float
    of: str
    """The name of what it is compared with, a limit or another scenario."""


class Scenario(msgspec.Struct, frozen=True):
    name: str
    requests: Callable[[], list[Request]]
    """Called again for each measurement."""
    expected: int
    target: Target
    once: bool = False
    """Each request does something only once."""


BARE = "a bare Litestar handler"
SPEND = "a spend in one statement (pgbench)"
PAGE = "a page of 20 with joins (pgbench)"


def as_browser(browser: Browser, method: str, path: str, body: object = None) -> Request:
    """A request as the frontend sends it with a session."""
    headers = {"Cookie": f"sessionid={browser.session}; csrftoken={browser.csrf}", "Accept": "application/json"}
    if method == "GET":
        return Request(method, path, headers)
    headers |= {"X-CSRFToken": browser.csrf, "Content-Type": "application/json"}
    return Request(method, path, headers, msgspec.json.encode(body))
