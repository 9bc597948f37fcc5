"""What the routes of one app share, besides what the container provides."""

from collections.abc import Callable
from dataclasses import dataclass

from litestar import Litestar

from entrypoints.http.metrics import Metrics
from entrypoints.http.open_streams import OpenStreams
from entrypoints.http.security.cookies import Cookies
from entrypoints.http.security.signing import Signers
from entrypoints.settings import Settings

_KEY = "http"


@dataclass(frozen=True, slots=True)
class HttpState:
    settings: Settings
    internal_api_tokens: tuple[str, ...]
    """The valid ones: the present and, while it is replaced, the previous."""
    signers: Signers
    cookies: Cookies
    metrics: Metrics
    streams: OpenStreams
    document: Callable[[], bytes]
    """The OpenAPI document as JSON; made at the first call."""


def attach(app: Litestar, state: HttpState) -> None:
    app.state[_KEY] = state


def state_of(app: Litestar) -> HttpState:
    state: HttpState = app.state[_KEY]
    return state
