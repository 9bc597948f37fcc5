"""What is counted of requests: how many, how long they took, and how much of that was the database's."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from core.ports.database import DatabaseUsage

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Upper bounds of the buckets."""
_BOUNDS = [*(str(float(bound)) for bound in SECONDS), "+Inf"]
_ROUTE = ("method", "route")


class Durations:
    """A histogram."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BOUNDS)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds


class RouteCounts:
    """Of the requests with one method and route."""

    __slots__ = ("database_seconds", "database_statements", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int | None, int] = {}
        self.seconds = Durations()
        self.database_seconds = Durations()
        self.database_statements = 0


class RequestCounts(Collector):
    """Plain numbers, of which Prometheus's metrics are made when it asks. Its own have a lock each, which every request
    would pay for; these belong to the thread of the event loop.
    """

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], RouteCounts] = {}

    def add(self, method: str, route: str, status: int | None, seconds: float, database: DatabaseUsage) -> None:
        key = (method, route)
        counts = self._routes.get(key)
        if counts is None:
            counts = self._routes[key] = RouteCounts()
        counts.statuses[status] = counts.statuses.get(status, 0) + 1
        counts.seconds.add(seconds)
        counts.database_seconds.add(database.seconds)
        counts.database_statements += database.statements

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("http_requests", "Answers.", labels=(*_ROUTE, "status"))
        seconds = HistogramMetricFamily(
            "http_request_duration_seconds",
            "From a request to its answer, or to the first event of a stream.",
            labels=_ROUTE,
        )
        database_seconds = HistogramMetricFamily(
            "http_request_database_seconds", "Of that, what the database was waited for.", labels=_ROUTE
        )
        statements = CounterMetricFamily(
            "http_request_database_statements", "Statements that the database was sent.", labels=_ROUTE
        )
        for route, counts in self._routes.items():
            for status, number in counts.statuses.items():
                requests.add_metric((*route, str(status)), number)
            seconds.add_metric(route, _cumulative(counts.seconds), counts.seconds.total)
            database_seconds.add_metric(route, _cumulative(counts.database_seconds), counts.database_seconds.total)
            statements.add_metric(route, counts.database_statements)
        yield from (requests, seconds, database_seconds, statements)


def _cumulative(durations: Durations) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(durations.buckets), strict=True))
