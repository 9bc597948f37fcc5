"""A container for each request."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from entrypoints.http.state import CONTAINER, state_of


class Containers:
    """Makes the container of a request, which holds the unit of work that all of its parts share.

    The integration's own layer also makes a request object for it, which nothing here asks a container for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        async with state_of(scope["litestar_app"]).container() as container:
            scope["state"][CONTAINER] = container
            await self._app(scope, receive, send)
