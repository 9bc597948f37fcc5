"""Metrics for Prometheus: counts of this process, the backlog, the state of the ledger."""

from litestar.types import Scope
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest

from core.generations.model import Status
from core.ports.database import DatabaseUsage
from core.styles.version import TrainingStatus
from core.tasks.views import Backlog
from core.tokens.reconciliation import Reconciliation
from entrypoints.http.request_counts import RequestCounts

UNMATCHED = "unmatched"
"""The route of requests that have none: what clients make up must not become a label."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
"""Any other method."""

GENERATIONS = [status.value for status in Status if not status.ended]
TRAININGS = [TrainingStatus.PENDING.value, TrainingStatus.TRAINING.value]

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.registry = registry
        self._requests = RequestCounts()
        registry.register(self._requests)
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
        self._requests.add(method, route, status, seconds, database)

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
