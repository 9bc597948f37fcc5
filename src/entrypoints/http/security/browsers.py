"""Who has signed in with a browser before, so that a sign-in with another one is notified."""

import msgspec
from litestar.datastructures import Cookie

from core.identifiers import UserId
from entrypoints.http.errors import AnyRequest
from entrypoints.http.security.cookies import cookie
from entrypoints.http.state import state_of

MAX_USERS = 10
"""Users of one browser; the earliest ones are dropped."""


def known_users(request: AnyRequest) -> list[UserId]:
    """The users that the browser's cookie names, last signed in first; none if this service has not signed it."""
    state = state_of(request.app)
    payload = state.signers.browser.unseal(cookie(request.scope, state.cookies.browser_name) or "")
    try:
        return msgspec.json.decode(payload, type=list[UserId]) if payload else []
    except msgspec.DecodeError:  # signed by another version of this service
        return []


def remember(request: AnyRequest, known: list[UserId], user_id: UserId) -> Cookie:
    """The cookie after this user has signed in."""
    state = state_of(request.app)
    users = [user_id, *(user for user in known if user != user_id)][:MAX_USERS]
    return state.cookies.browser(state.signers.browser.seal(msgspec.json.encode(users)))
