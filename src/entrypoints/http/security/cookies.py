"""The cookies of sign-in and session."""

from datetime import timedelta
from typing import Literal

from litestar.datastructures import Cookie

from core.accounts.model import SESSION_LIFETIME

SESSION = "sessionid"
CSRF = "csrftoken"
SIGN_IN = "sign_in_"
"""The prefix of the names of sign-in attempts' cookies."""
SIGN_IN_PATH = "/api/auth/google"
SIGN_IN_LIFETIME = timedelta(minutes=10)


class Cookies:
    """Attributes of all cookies. Browsers accept `SameSite=None` only together with `Secure`."""

    def __init__(self, *, secure: bool, samesite: Literal["lax", "none"]) -> None:
        self._secure = secure or samesite == "none"
        self._samesite = samesite

    def session(self, token: str) -> Cookie:
        return self._cookie(SESSION, token, lifetime=SESSION_LIFETIME, httponly=True)

    def csrf(self, token: str) -> Cookie:
        """Readable by scripts, which send it back in a header."""
        return self._cookie(CSRF, token, lifetime=SESSION_LIFETIME, httponly=False)

    def sign_in(self, name: str, sealed: str) -> Cookie:
        """Always `Lax`: the provider sends the browser back by a top-level navigation."""
        return self._attempt(name, sealed, lifetime=SIGN_IN_LIFETIME)

    def sign_in_over(self, name: str) -> Cookie:
        return self._attempt(name, "", lifetime=timedelta(0))

    def signed_out(self) -> list[Cookie]:
        return [
            self._cookie(SESSION, "", lifetime=timedelta(0), httponly=True),
            self._cookie(CSRF, "", lifetime=timedelta(0), httponly=False),
        ]

    def _attempt(self, name: str, value: str, *, lifetime: timedelta) -> Cookie:
        return Cookie(
            key=name,
            value=value,
            path=SIGN_IN_PATH,
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
