"""The tables that the console shows: columns, search, filters and links. Nothing of them can be edited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqladmin import ModelView
from sqladmin.filters import StaticValuesFilter
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request

from core.identifiers import StyleId, WithdrawalId
from core.styles.views import StylesReader
from core.withdrawals.views import WithdrawalsReader
from entrypoints.http.console import links
from entrypoints.http.console.actions import ACTIONS
from entrypoints.http.console.links import Formatter
from entrypoints.http.console.visit import parts_of


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    columns: tuple[str, ...]
    """Of the list; a row's own page shows all."""
    search: tuple[str, ...]
    newest: str = "created_at"
    """The column that orders the list, newest first."""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    links: Mapping[str, Formatter] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    """Columns that are not shown."""


USER, STYLE, GENERATION, ACCOUNT = (links.to(page) for page in ("users", "styles", "generations", "accounts"))

PAGES: dict[str, Page] = {
    "users": Page(
        "Users",
        ("id", "username", "email", "role", "standing", "created_at"),
        ("id", "username", "email"),
        filters={
            "role": ("user", "artist", "admin"),
            "standing": ("present", "suspended", "leaving", "deactivated"),
        },
    ),
    "artists": Page(
        "Artists",
        ("user_id", "artist_name", "verified_email", "created_at"),
        ("user_id", "artist_name", "verified_email"),
        links={"user_id": USER},
    ),
    "styles": Page(
        "Styles",
        ("id", "name", "artist_id", "version", "is_active", "generation_cost_tokens", "created_at"),
        ("id", "name", "artist_id"),
        links={"artist_id": USER, "version_id": links.to("style_versions")},
    ),
    "style_versions": Page(
        "Style versions",
        ("id", "style_id", "number", "training_status", "review", "failure_code", "created_at"),
        ("id", "style_id", "failure_code"),
        filters={
            "training_status": ("pending", "training", "completed", "failed"),
            "review": ("pending", "approved", "rejected"),
        },
        links={"style_id": STYLE},
    ),
    "generations": Page(
        "Generations",
        ("id", "owner_id", "style_id", "status", "consumed_tokens", "failure_code", "created_at"),
        ("id", "owner_id", "style_id", "failure_code"),
        filters={"status": ("queued", "processing", "retrying", "completed", "failed", "cancelled")},
        links={"owner_id": USER, "style_id": STYLE, "artist_id": USER, "hold_id": links.to("transfers")},
    ),
    "purchases": Page(
        "Purchases",
        ("order_id", "user_id", "amount_tokens", "total_price", "currency_code", "status", "created_at"),
        ("order_id", "user_id", "payment_key"),
        filters={"status": ("pending", "paid", "failed", "expired", "refunding", "refunded")},
        links={"user_id": USER, "refund_hold_id": links.to("transfers")},
    ),
    "withdrawals": Page(
        "Withdrawals",
        ("id", "artist_id", "amount", "status", "created_at", "ended_at", "ended_by"),
        ("id", "artist_id"),
        filters={"status": ("pending", "settled", "rejected")},
        links={"artist_id": USER, "ended_by": USER, "hold_id": links.to("transfers")},
    ),
    "reports": Page(
        "Reports",
        ("id", "target_type", "target_id", "owner_id", "reason", "status", "created_at", "ended_by"),
        ("id", "target_id", "owner_id", "text"),
        filters={
            "status": ("open", "upheld", "dismissed"),
            "target_type": ("generation", "style", "comment", "user"),
        },
        links={"reporter_id": USER, "owner_id": USER, "target_id": links.target, "ended_by": USER},
    ),
    "transfers": Page(
        "Ledger",
        ("id", "created_at", "kind", "phase", "amount", "debit_account_id", "credit_account_id", "reference"),
        ("id", "reference", "memo"),
        filters={"phase": ("single", "hold", "post", "void")},
        links={
            "reference": links.reference,
            "debit_account_id": ACCOUNT,
            "credit_account_id": ACCOUNT,
            "hold_id": links.to("transfers"),
            "generation_id": GENERATION,
        },
    ),
    "accounts": Page(
        "Accounts",
        ("id", "kind", "owner_id", "balance", "held"),
        ("id", "owner_id"),
        newest="id",
        filters={"kind": ("wallet", "earnings", "issuance", "fees")},
        links={"owner_id": USER},
    ),
    "comments": Page(
        "Comments",
        ("id", "author_id", "generation_id", "content", "created_at"),
        ("id", "author_id", "content"),
        links={"author_id": USER, "generation_id": GENERATION, "parent_id": links.to("comments")},
    ),
    "outbox": Page(
        "Outbox",
        ("sequence", "task_id", "queue", "due"),
        ("task_id",),
        newest="due",
        filters={"queue": ("model_training", "image_generation")},
    ),
    "notifications": Page(
        "Notifications",
        ("id", "recipient_id", "type", "target_type", "target_id", "created_at", "read_at"),
        ("id", "recipient_id", "type"),
        links={"recipient_id": USER, "actor_id": USER, "target_id": links.target},
    ),
    "audit_log": Page(
        "Audit log",
        ("id", "created_at", "admin_id", "source", "action", "target_type", "target_id", "reason"),
        ("action", "target_type", "target_id", "trace_id", "reason", "created_at"),
        filters={"source": ("api", "console", "command")},
        links={"admin_id": USER, "target_id": links.target},
    ),
    "reconciliations": Page("Reconciliations", ("id", "at", "findings"), ("id",), newest="at"),
}
"""By the name of the table, in the order of the menu."""


class Table(ModelView):
    """Any text may be given as a key; one that cannot be a key finds no row."""

    async def details_context(self, request: Request) -> dict[str, Any]:
        context: dict[str, Any] = await super().details_context(request)
        if self.identity == "withdrawals":
            reader = await parts_of(request).get(WithdrawalsReader)
            context["sources"] = await reader.sources(WithdrawalId(int(request.path_params["pk"])))
        if self.identity == "styles":
            styles = await parts_of(request).get(StylesReader)
            context["near_copies"] = await styles.near_copies(StyleId(int(request.path_params["pk"])))
        return context

    async def get_object_for_details(self, request: Request) -> Any:
        try:
            return await super().get_object_for_details(request)
        except (ValueError, DBAPIError):
            return None


def view_of(name: str, table: type[Any]) -> type[ModelView]:
    """The table's view: to be searched, filtered and read."""
    page = PAGES[name]
    mapped = {attribute.columns[0].name: attribute.key for attribute in table.__mapper__.column_attrs}
    shown = [key for column, key in mapped.items() if column not in page.hidden]
    formatters = {key: _formatter(page.links.get(column)) for column, key in mapped.items()}
    attributes: dict[str, Any] = {
        "name": page.title,
        "name_plural": page.title,
        "column_list": [mapped[column] for column in page.columns],
        "column_details_list": shown,
        "column_labels": {key: _label(column) for column, key in mapped.items()},
        "column_searchable_list": [mapped[column] for column in page.search],
        "column_sortable_list": [mapped[column] for column in page.columns],
        "column_default_sort": [(mapped[page.newest], True)],
        "column_filters": [
            StaticValuesFilter(mapped[column], [(value, value) for value in values], title=_label(column))
            for column, values in page.filters.items()
        ],
        "column_formatters": formatters,
        "column_formatters_detail": formatters,
        "can_create": False,
        "can_edit": False,
        "can_delete": False,
        "can_export": False,
        "page_size": 25,
        "actions": ACTIONS.get(name, {}),
    }
    metaclass: Any = type(ModelView)
    view: type[ModelView] = metaclass(f"View_{name}", (Table,), attributes, model=table)
    view.identity = name
    return view


def _label(column: str) -> str:
    return column.replace("_", " ").capitalize()


def _formatter(link: Formatter | None) -> Formatter:
    def shown(row: Any, column: str) -> Any:
        return links.plain(link(row, column) if link else getattr(row, column))

    return shown
