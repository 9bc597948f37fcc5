"""The cookies of sign-in and session."""

from datetime import timedelta
from typing import Literal

from litestar.datastructures import Cookie
from litestar.types import Scope

from core.accounts.model import SESSION_LIFETIME
from entrypoints.http.fields import fields_of

HOST_ONLY = "__Host-"
"""Browsers take a cookie with this prefix over HTTPS from the host itself only, not from a sibling domain (RFC 6265bis,
4.1.3.2).
"""
SIGN_IN_PATH = "/api/auth/google"
SIGN_IN_LIFETIME = timedelta(minutes=10)
BROWSER_LIFETIME = timedelta(days=365)

_SENT = "cookies"
"""Where a request's state keeps the cookies that were sent: they are read once."""


class Cookies:
    """Names and attributes of all cookies. Browsers accept `SameSite=None` only together with `Secure`."""

    def __init__(self, *, production: bool, samesite: Literal["lax", "none"]) -> None:
        prefix = HOST_ONLY if production else ""
        self.session_name = f"{prefix}sessionid"
        self.csrf_name = f"{prefix}csrftoken"
        self.browser_name = f"{prefix}browser"
        self.sign_in_prefix = f"{prefix}sign_in_"
        """Of the names of sign-in attempts' cookies."""
        self._secure = production or samesite == "none"
        self._samesite = samesite
        self._sign_in_path = "/" if production else SIGN_IN_PATH  # the prefix requires `/`

    def session(self, token: str) -> Cookie:
        return self._cookie(self.session_name, token, lifetime=SESSION_LIFETIME, httponly=True)

    def csrf(self, token: str) -> Cookie:
        """Readable by scripts, which send it back in a header."""
        return self._cookie(self.csrf_name, token, lifetime=SESSION_LIFETIME, httponly=False)

    def browser(self, sealed: str) -> Cookie:
        """Outlasts sessions: it says who has signed in with this browser before."""
        return self._at_sign_in(self.browser_name, sealed, lifetime=BROWSER_LIFETIME)

    def sign_in(self, name: str, sealed: str) -> Cookie:
        return self._at_sign_in(name, sealed, lifetime=SIGN_IN_LIFETIME)

    def sign_in_over(self, name: str) -> Cookie:
        return self._at_sign_in(name, "", lifetime=timedelta(0))

    def signed_out(self) -> list[Cookie]:
        return [
            self._cookie(self.session_name, "", lifetime=timedelta(0), httponly=True),
            self._cookie(self.csrf_name, "", lifetime=timedelta(0), httponly=False),
        ]

    def _at_sign_in(self, name: str, value: str, *, lifetime: timedelta) -> Cookie:
        """Always `Lax`: the provider sends the browser back by a top-level navigation."""
        return Cookie(
            key=name,
            value=value,
            path=self._sign_in_path,
            max_age=int(lifetime.total_seconds()),
            httponly=True,
            secure=self._secure,
            samesite="lax",
        )

    def _cookie(self, key: str, value: str, *, lifetime: timedelta, httponly: bool) -> Cookie:
        return Cookie(
            key=key,
            value=value,
            path="/",
            max_age=int(lifetime.total_seconds()),
            httponly=httponly,
            secure=self._secure,
            samesite=self._samesite,
        )


def cookies_of(scope: Scope) -> list[tuple[str, str]]:
    """The names and values that were sent, in their order. Our values need no quoting and have none."""
    state = scope["state"]
    if _SENT not in state:
        line = fields_of(scope).get(b"cookie", b"").decode("latin-1")
        pairs = [pair.partition("=") for pair in line.split(";")]
        state[_SENT] = [(name.strip(), value.strip()) for name, _, value in pairs]
    sent: list[tuple[str, str]] = state[_SENT]
    return sent


def cookie(scope: Scope, name: str) -> str | None:
    """The value of a cookie; None also if it was sent twice: one of them may have been planted."""
    values = [value for sent, value in cookies_of(scope) if sent == name]
    return values[0] if len(values) == 1 and values[0] else None
