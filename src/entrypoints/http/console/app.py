"""The console's own application: sqladmin over the tables, a dashboard and the actions."""

import hmac
from datetime import timedelta
from pathlib import Path

from litestar.types import ASGIApp
from sqladmin import Admin
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from core.errors import Category, DomainError
from core.overview.views import OverviewReader
from core.ports.books import Books
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters, DeadLettersUnavailable
from core.problems import Problem
from entrypoints.http.console.actions import ACTIONS, Action, Call
from entrypoints.http.console.gate import PATH
from entrypoints.http.console.pages import PAGES, view_of
from entrypoints.http.console.rows import ConsoleRows
from entrypoints.http.console.visit import parts_of, visit_of
from entrypoints.http.errors import STATUS
from entrypoints.messages import ENGLISH, for_operators
from entrypoints.settings import Settings

HERE = Path(__file__).parent
READING = {"statics", "index", "list", "details"}
"""The routes of sqladmin that are used: those that change rows are not there."""
NOWHERE = "-"
"""Stands for the target of an action on no row."""


class Console(Admin):
    async def index(self, request: Request) -> Response:
        """The dashboard."""
        parts = parts_of(request)
        clock, books = await parts.get(Clock), await parts.get(Books)
        reader, settings = await parts.get(OverviewReader), await parts.get(Settings)
        now = clock.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        overview = await reader.overview(now=now, since=today, stalled_since=now - STALLED)
        context = {
            "title": "Overview",
            "overview": overview,
            "dead_letters": await _dead_letters(await parts.get(DeadLetters)),
            "reconciliation": await books.last(),
            "stalled": STALLED,
            "settings": settings,
        }
        return await self.templates.TemplateResponse(request, "sqladmin/index.html", context)

    async def act(self, request: Request) -> Response:
        """The form of an action, and the action."""
        page, target, name = (request.path_params[part] for part in ("page", "target", "action"))
        action = ACTIONS.get(page, {}).get(name)
        if action is None:
            raise HTTPException(404)
        target = "" if target == NOWHERE else target
        if request.method == "GET":
            return await self._form(request, action, page, target)
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if not hmac.compare_digest(form.get("csrf_token", "").encode(), visit_of(request).csrf.encode()):
            return await self._form(request, action, page, target, form, "This form is too old. Try again.", 403)
        fields = {field.name: form.get(field.name, "") for field in action.fields}
        try:
            await action.run(Call(parts_of(request), visit_of(request).operator, target, fields))
        except DomainError as error:
            return await self._form(request, action, page, target, form, _refusal(error), STATUS[error.category])
        back = request.url_for("admin:details", identity=page, pk=target) if target else request.url_for("admin:index")
        return RedirectResponse(back.include_query_params(done=name), 303)

    async def too_much(self, request: Request, _: Exception) -> Response:
        """The search timed out, or the database cannot search for this text."""
        context = {"status_code": 400, "message": "The database cannot answer this. Search for less."}
        return await self.templates.TemplateResponse(request, "sqladmin/error.html", context, status_code=400)

    async def _form(
        self,
        request: Request,
        action: Action,
        page: str,
        target: str,
        form: dict[str, str] | None = None,
        refusal: str | None = None,
        status: int = 200,
    ) -> Response:
        context = {
            "title": action.label,
            "action": action,
            "page": page,
            "target": target,
            "form": form or {},
            "refusal": refusal,
        }
        return await self.templates.TemplateResponse(request, "action.html", context, status_code=status)


STALLED = timedelta(hours=1)
"""A training without progress for this long is shown as stalled."""


def make_console(rows: ConsoleRows) -> ASGIApp:
    """Expects the admin's visit in the scope, see `visit.py`."""
    outer = Starlette()
    console = Console(
        outer,
        session_maker=rows.sessions,
        base_url=PATH,
        title="Style License",
        templates_dir=str(HERE / "templates"),
    )
    console.templates.env.globals["visit_of"] = visit_of
    console.templates.env.globals["pages"] = PAGES
    console.templates.env.globals["actions"] = ACTIONS
    console.admin.router.routes = [
        Mount("/assets", StaticFiles(directory=HERE / "assets"), name="assets"),
        Route("/act/{page}/{target}/{action}", console.act, methods=["GET", "POST"], name="act"),
        *(route for route in console.admin.router.routes if getattr(route, "name", None) in READING),
    ]
    console.admin.exception_handlers[DBAPIError] = console.too_much
    for name in PAGES:
        console.add_view(view_of(name, rows.tables[name]))
    return outer  # type: ignore[return-value]


async def _dead_letters(dead_letters: DeadLetters) -> int | None:
    """How many there are; None if the broker is unavailable."""
    try:
        return await dead_letters.count()
    except DeadLettersUnavailable:
        return None


def _refusal(error: DomainError) -> str:
    problems = [ENGLISH.problem(value) for value in (error.details or {}).values() if isinstance(value, Problem)]
    if problems:
        return " ".join(problems)
    return ENGLISH.message_of(error) if error.category is not Category.UNAVAILABLE else for_operators(error)
