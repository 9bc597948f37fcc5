from datetime import datetime

from sqlalchemy.orm import Mapped

from adapters.postgres.tables.base import Id, Json, Row


class ReconciliationRow(Row):
    """What came of looking at the books."""

    __tablename__ = "reconciliations"

    id: Mapped[Id]
    at: Mapped[datetime]
    findings: Mapped[Json]
