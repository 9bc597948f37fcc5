import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from entrypoints.command_failed import CommandFailed

HOPS = 8
WRITING = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(slots=True)
class Person:
    """A user with a browser, which keeps cookies and sends the CSRF token."""

    name: str
    browser: httpx.Client
    csrf_token: str = field(default="", init=False)

    def sign_in(self, email: str) -> Any:
        """Follow the redirects of the sign-in; returns the current user."""
        url = "/api/auth/google/login"
        answer = self._send("GET", url, params={"login_hint": email})
        for _ in range(HOPS):
            if not answer.is_redirect or "sessionid" in self.browser.cookies:
                break
            answer = self._send("GET", urljoin(str(answer.url), answer.headers["Location"]))
        if "sessionid" not in self.browser.cookies:
            where = urlsplit(str(answer.url))
            raise CommandFailed(
                f"{email} could not be signed in: {answer.status_code} from {where.netloc}{where.path}. "
                "The demo needs the local sign-in, so a service without GOOGLE_CLIENT_ID."
            )
        me = self._send("GET", "/api/auth/me")
        self.csrf_token = me.headers.get("X-CSRFToken", "")
        return self._data(me)

    def ask(self, method: str, path: str, **request: Any) -> Any:
        """The `data` of a successful response. Raises CommandFailed."""
        headers = {"X-CSRFToken": self.csrf_token} if method in WRITING else {}
        return self._data(self._send(method, path, headers=headers, **request))

    def upload(self, upload: Any, content: bytes) -> None:
        """Send a file as its upload says. Raises Refused."""
        url, sent = upload["upload_url"], None if upload["method"] == "POST" else content
        answer = self._send(upload["method"], url, headers=upload["headers"], content=sent)
        if answer.is_success and upload["method"] == "POST":
            answer = self._send("PUT", answer.headers["Location"], content=content)
        if not answer.is_success:
            raise CommandFailed(f"{upload['method']} {urlsplit(url).path}: {answer.status_code} {answer.text}")

    def download(self, url: str) -> bytes:
        answer = self._send("GET", url)
        if answer.status_code != httpx.codes.OK:
            raise CommandFailed(f"GET {url}: {answer.status_code}")
        return answer.content

    def _send(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Waits when the rate limit is reached, as it is when the demo is repeated."""
        while (answer := self.browser.request(method, url, **request)).status_code == httpx.codes.TOO_MANY_REQUESTS:
            seconds = int(answer.headers.get("Retry-After", "5"))
            print(f"  the rate limit is reached: continuing in {seconds} s ...", flush=True)
            time.sleep(seconds)
        return answer

    def _data(self, answer: httpx.Response) -> Any:
        request = answer.request
        try:
            body = answer.json()
        except ValueError:
            raise CommandFailed(f"{request.method} {request.url.path}: {answer.status_code}, not JSON") from None
        if not body.get("success"):
            error = body.get("error") or {}
            raise CommandFailed(
                f"{self.name} was refused: {request.method} {request.url.path}: {answer.status_code} "
                f"{error.get('code')}: {error.get('message')} {error.get('details') or ''}".rstrip()
            )
        return body["data"]
