from datetime import datetime
from typing import Annotated
from uuid import UUID

from advanced_alchemy.base import CommonTableAttributes, create_registry
from sqlalchemy import ARRAY, TIMESTAMP, BigInteger, CheckConstraint, Identity, MetaData, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
"""Taken from its sequence in blocks, before the row is written."""
Small = Annotated[int, mapped_column(SmallInteger)]
Tags = Annotated[list[str], mapped_column(ARRAY(Text))]
Json = Annotated[dict[str, object], mapped_column(JSONB)]
Count = Annotated[int, mapped_column(BigInteger, server_default=text("0"))]

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
"""Refusals are identified by these names, see errors.py."""


class Row(CommonTableAttributes, DeclarativeBase):
    registry = create_registry(
        custom_annotation_map={int: BigInteger, str: Text, datetime: TIMESTAMP(timezone=True), UUID: Uuid}
    )
    metadata = MetaData(naming_convention=NAMES)


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
