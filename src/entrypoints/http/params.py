"""Parameters that several routes have."""

from typing import Annotated, TypeVar

from litestar.params import PathParameter

from core.identifiers import MAX_ID

Id = TypeVar("Id", bound=int)

PathId = Annotated[Id, PathParameter(ge=1, le=MAX_ID)]
"""Out of its range nothing can be named: 404."""


def comma_separated(texts: list[str]) -> list[str]:
    """The parts of texts, each of which may be several with commas between them."""
    return [part for text in texts for part in (piece.strip() for piece in text.split(",")) if part]
