from dataclasses import dataclass

from dishka import AsyncContainer
from litestar.types import Scope
from starlette.requests import Request

from core.audit.model import Operator
from entrypoints.http.state import container_of

_KEY = "console_visit"


@dataclass(frozen=True, slots=True)
class Visit:
    """A call of the console by an admin."""

    operator: Operator
    csrf: str
    """The token that a form has to send back."""


def attach_visit(scope: Scope, visit: Visit) -> None:
    scope["state"][_KEY] = visit


def visit_of(request: Request) -> Visit:
    visit: Visit = request.scope["state"][_KEY]
    return visit


def parts_of(request: Request) -> AsyncContainer:
    """The container of the call."""
    return container_of(request.scope)  # type: ignore[arg-type]
