from datetime import datetime

from sqlalchemy.orm import Mapped

from adapters.postgres.tables.base import Id, Json, Row


class ReconciliationRow(Row):
    """The result of a reconciliation."""

    __tablename__ = "reconciliations"

    id: Mapped[Id]
    at: Mapped[datetime]
    findings: Mapped[Json]
