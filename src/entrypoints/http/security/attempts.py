"""Sign-in attempts of a browser. Each tab has its own, and none disturbs another."""

import hashlib
import hmac
import re
from datetime import datetime
from typing import NamedTuple

import msgspec
from litestar.datastructures import Cookie

from entrypoints.http.errors import AnyRequest
from entrypoints.http.security.cookies import cookie, cookies_of
from entrypoints.http.state import state_of

MAX_ATTEMPTS = 5
"""Maximum number in a browser; the oldest ones are dropped."""
MAX_SIZE = 6000
"""Maximum length of all attempts' cookies together: proxies refuse headers of more than 8 kB."""
MAX_NEXT = 2000
"""Bytes of `next`, in JSON: browsers refuse cookies of more than 4 kB."""

_NAME = re.compile(r"[0-9a-f]{16}")
"""What follows the prefix of a name."""


class Attempt(msgspec.Struct, frozen=True):
    """What the browser keeps during a sign-in, so that no other browser can finish it."""

    state: str
    nonce: str
    code_verifier: str
    next: str
    until: datetime


class _Kept(NamedTuple):
    name: str
    size: int
    attempt: Attempt | None
    """None for a value that this service has not signed."""


def fits(next: str) -> bool:
    """Whether it fits into an attempt's cookie."""
    return len(msgspec.json.encode(next)) <= MAX_NEXT


def begin(request: AnyRequest, attempt: Attempt, *, at: datetime) -> list[Cookie]:
    """The cookie of a new attempt, and the ends of those that are over or too many."""
    state = state_of(request.app)
    cookies = state.cookies
    sealed = state.signers.sign_in.seal(msgspec.json.encode(attempt))
    before = _kept(request)
    stay = _newest(before, room=MAX_SIZE - len(sealed), at=at)
    ended = [cookies.sign_in_over(kept.name) for kept in before if kept not in stay]
    return [*ended, cookies.sign_in(_name(request, attempt.state), sealed)]


def find(request: AnyRequest, state: str | None, *, at: datetime) -> Attempt | None:
    """This browser's attempt with this `state`."""
    attempt = _unsealed(request, cookie(request.scope, _name(request, state or "")) or "")
    if attempt is None or attempt.until <= at:
        return None
    return attempt if hmac.compare_digest(attempt.state.encode(), (state or "").encode()) else None


def end(request: AnyRequest, attempt: Attempt) -> Cookie:
    """Its cookie's end: an attempt is good for one answer of the provider."""
    return state_of(request.app).cookies.sign_in_over(_name(request, attempt.state))


def _name(request: AnyRequest, state: str) -> str:
    return state_of(request.app).cookies.sign_in_prefix + hashlib.sha256(state.encode()).hexdigest()[:16]


def _kept(request: AnyRequest) -> list[_Kept]:
    prefix = state_of(request.app).cookies.sign_in_prefix
    return [
        _Kept(name, len(value), _unsealed(request, value))
        for name, value in dict(cookies_of(request.scope)).items()
        if name.startswith(prefix) and _NAME.fullmatch(name.removeprefix(prefix))
    ]


def _newest(all_kept: list[_Kept], *, room: int, at: datetime) -> list[_Kept]:
    """The attempts that are kept beside a new one."""
    valid = [(kept.attempt.until, kept) for kept in all_kept if kept.attempt and kept.attempt.until > at]
    stay = []
    for _, kept in sorted(valid, reverse=True)[: MAX_ATTEMPTS - 1]:
        room -= kept.size
        if room < 0:
            break
        stay.append(kept)
    return stay


def _unsealed(request: AnyRequest, sealed: str) -> Attempt | None:
    payload = state_of(request.app).signers.sign_in.unseal(sealed)
    try:
        return msgspec.json.decode(payload, type=Attempt) if payload else None
    except msgspec.DecodeError:  # signed by another version of this service
        return None
