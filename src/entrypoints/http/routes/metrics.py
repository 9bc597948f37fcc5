"""Metrics of this process and of the whole service, for Prometheus to scrape."""

from dishka import FromDishka
from litestar import Controller, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.ports.books import Books
from core.ports.clock import Clock
from core.ports.database import DatabaseUnavailable
from core.tasks.views import BacklogReader
from entrypoints.http.errors import AnyRequest
from entrypoints.http.operation import get
from entrypoints.http.security.access import operator
from entrypoints.http.state import state_of


class MetricsController(Controller):
    path = "/metrics"

    @get("/", guard=operator, documented=False)
    async def metrics(
        self,
        request: AnyRequest,
        backlog: FromDishka[BacklogReader],
        books: FromDishka[Books],
        clock: FromDishka[Clock],
    ) -> Response[bytes]:
        state = state_of(request.app)
        streams = state.streams.open
        try:
            text = state.metrics.exposition(streams, await backlog.backlog(now=clock.now()), await books.last())
        except DatabaseUnavailable:
            text = state.metrics.exposition(streams, None, None)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
