"""Conditional requests (RFC 9110, 13)."""

import re
from http import HTTPStatus

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.http.fields import fields_of

IF_NONE_MATCH = "If-None-Match"

_TAG = re.compile(rb'"[\x21\x23-\x7e\x80-\xff]*"')
_ABOUT_CONTENT = frozenset({b"content-length", b"content-type"})


class Conditional:
    """A successful response to GET or HEAD becomes 304 if the client names its `ETag`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        named = fields_of(scope).get(b"if-none-match")
        if named is None:
            await self._app(scope, receive, send)
            return
        unchanged = False

        async def send_if_changed(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                headers = message["headers"]
                tag = next((value for name, value in headers if name.lower() == b"etag"), None)
                unchanged = message["status"] == HTTPStatus.OK and tag is not None and _matches(named, tag)
                if unchanged:
                    message["status"] = HTTPStatus.NOT_MODIFIED
                    message["headers"] = [header for header in headers if header[0].lower() not in _ABOUT_CONTENT]
            elif message["type"] == "http.response.body" and unchanged:
                if message["more_body"]:
                    return
                message["body"] = b""
            await send(message)

        await self._app(scope, receive, send_if_changed)


def _matches(named: bytes, tag: bytes) -> bool:
    """Whether a list of tags contains this one, by weak comparison (8.8.3.2); `*` matches any."""
    return named.strip() == b"*" or tag.removeprefix(b"W/") in _TAG.findall(named)
