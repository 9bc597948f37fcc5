"""Typed state of the application and of a request."""

from collections.abc import Callable
from dataclasses import dataclass

from dishka import AsyncContainer
from litestar import Litestar
from litestar.types import Scope

from core.requester import Requester
from entrypoints.http.metrics import Metrics
from entrypoints.http.open_streams import OpenStreams
from entrypoints.http.security.cookies import Cookies
from entrypoints.http.security.signing import Signers
from entrypoints.http.uploads_in_progress import UploadsInProgress
from entrypoints.settings import Settings

CONTAINER = "container"
"""Where a request's state keeps its container."""

_KEY = "http"


@dataclass(frozen=True, slots=True)
class HttpState:
    container: AsyncContainer
    """What each request's container is made from."""
    settings: Settings
    signers: Signers
    cookies: Cookies
    metrics: Metrics
    streams: OpenStreams
    uploads: UploadsInProgress
    document: Callable[[], bytes]
    """The OpenAPI document as JSON; made at the first call."""


def attach(app: Litestar, state: HttpState) -> None:
    app.state[_KEY] = state


def state_of(app: Litestar) -> HttpState:
    state: HttpState = app.state[_KEY]
    return state


def container_of(scope: Scope) -> AsyncContainer:
    """The container of one request."""
    container: AsyncContainer = scope["state"][CONTAINER]
    return container


def user_of(scope: Scope) -> Requester | None:
    """The signed-in user; None for other clients, and before the guard has run."""
    user: Requester | None = scope.get("user")
    return user
