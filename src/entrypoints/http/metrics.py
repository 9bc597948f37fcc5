"""Metrics for Prometheus: counts of this process, the backlog, the state of the ledger."""

from typing import NamedTuple

from litestar.types import Scope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest

from core.generations.model import Status
from core.ports.database import DatabaseUsage
from core.styles.version import TrainingStatus
from core.tasks.views import Backlog
from core.tokens.reconciliation import Reconciliation

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
UNMATCHED = "unmatched"
"""The route of requests that have none: what clients make up must not become a label."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
"""Any other method."""

GENERATIONS = [status.value for status in Status if not status.ended]
TRAININGS = [TrainingStatus.PENDING.value, TrainingStatus.TRAINING.value]

disable_created_metrics()  # type: ignore[no-untyped-call]


class Series(NamedTuple):
    """What is counted of the requests with one method, route and status."""

    requests: Counter
    seconds: Histogram
    database_seconds: Histogram
    database_statements: Counter


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        route = ["method", "route"]
        self.registry = registry
        self._series: dict[tuple[str, str, int | None], Series] = {}
        self.requests = Counter("http_requests", "Answers.", [*route, "status"], registry=registry)
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "From a request to its answer, or to the first event of a stream.",
            route,
            buckets=SECONDS,
            registry=registry,
        )
        self.database_seconds = Histogram(
            "http_request_database_seconds",
            "Of that, what the database was waited for.",
            route,
            buckets=SECONDS,
            registry=registry,
        )
        self.database_statements = Counter(
            "http_request_database_statements", "Statements that the database was sent.", route, registry=registry
        )
        self.streams = Gauge("event_streams_open", "Open streams of live events.", registry=registry)
        self.database_up = Gauge("database_up", "Whether the database has answered just now.", registry=registry)
        self.outbox = Gauge("outbox_tasks", "Tasks that are due and not published.", registry=registry)
        self.outbox_age = Gauge("outbox_oldest_seconds", "For how long the first has been due.", registry=registry)
        self.generations = Gauge("generations_waiting", "Images that have not ended.", ["status"], registry=registry)
        self.trainings = Gauge("trainings_waiting", "Trainings that have not ended.", ["status"], registry=registry)
        self.reconciled = Gauge(
            "ledger_reconciled_timestamp_seconds",
            "When the books were last looked at; 0 for never.",
            registry=registry,
        )
        self.broken = Gauge(
            "ledger_broken_rows", "Rows that broke an invariant then.", ["invariant"], registry=registry
        )

    def count(self, scope: Scope, method: str, status: int | None, seconds: float, database: DatabaseUsage) -> None:
        route = str(scope.get("path_template") or UNMATCHED)
        method = method if method in METHODS else OTHER
        key = (method, route, status)
        if key not in self._series:
            self._series[key] = Series(
                self.requests.labels(method, route, str(status)),
                self.seconds.labels(method, route),
                self.database_seconds.labels(method, route),
                self.database_statements.labels(method, route),
            )
        series = self._series[key]
        series.requests.inc()
        series.seconds.observe(seconds)
        series.database_seconds.observe(database.seconds)
        series.database_statements.inc(database.statements)

    def exposition(self, streams: int, backlog: Backlog | None, reconciliation: Reconciliation | None) -> bytes:
        """Everything in Prometheus's text format. Without a backlog the database does not answer."""
        self.streams.set(streams)
        self.database_up.set(backlog is not None)
        if backlog is not None:
            self.outbox.set(backlog.outbox)
            self.outbox_age.set(backlog.outbox_age.total_seconds())
            for status in GENERATIONS:
                self.generations.labels(status).set(backlog.generations.get(status, 0))
            for status in TRAININGS:
                self.trainings.labels(status).set(backlog.trainings.get(status, 0))
        if reconciliation is not None:
            self.reconciled.set(reconciliation.at.timestamp())
            for finding in reconciliation.findings:
                self.broken.labels(finding.invariant.name.lower()).set(finding.broken)
        return generate_latest(self.registry)
