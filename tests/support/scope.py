"""The ports of one unit of work, and use cases with some of them replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import dishka

from core.account_deletion.repository import PersonalData
from core.account_deletion.views import ExportReader
from core.accounts.repository import Sessions, Users
from core.accounts.views import AccountsReader
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.audit.repository import AuditLog
from core.audit.views import AuditReader
from core.community.repository import Comments, Follows, Likes
from core.community.views import CommunityReader
from core.generations.repository import Generations
from core.generations.views import GenerationsReader
from core.notifications.repository import Notifications
from core.notifications.views import NotificationsReader
from core.overview.views import OverviewReader
from core.ports.discarded_objects import DiscardedObjects
from core.ports.idempotency import IdempotentCall
from core.ports.notifier import Notifier
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader
from core.reports.repository import Reports
from core.reports.views import ReportsReader
from core.search.views import SearchReader
from core.styles.repository import Styles, StyleVersions
from core.styles.views import StylesReader, StyleVersionsReader
from core.tasks.views import BacklogReader
from core.tokens.views import TokensReader
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import WithdrawalsReader

UseCase = TypeVar("UseCase")


@dataclass(frozen=True, slots=True)
class Readers:
    accounts: AccountsReader
    tokens: TokensReader
    styles: StylesReader
    versions: StyleVersionsReader
    generations: GenerationsReader
    notifications: NotificationsReader
    purchases: PurchasesReader
    search: SearchReader
    community: CommunityReader
    withdrawals: WithdrawalsReader
    backlog: BacklogReader
    export: ExportReader
    audit: AuditReader
    overview: OverviewReader
    reports: ReportsReader


@dataclass(frozen=True, slots=True)
class Scope:
    """The ports of one unit of work, named as the use cases name them."""

    parts: dishka.Container
    transaction: Transaction
    call: IdempotentCall
    read: Readers
    users: Users
    sessions: Sessions
    ledger: TokenLedger
    styles: Styles
    versions: StyleVersions
    uploads: ArtworkUploads
    checks: ArtworkChecks
    generations: Generations
    queue: TaskQueue
    notifier: Notifier
    notifications: Notifications
    purchases: Purchases
    follows: Follows
    likes: Likes
    comments: Comments
    withdrawals: Withdrawals
    discarded: DiscardedObjects
    personal_data: PersonalData
    audit: AuditLog
    reports: Reports


def with_ports(part: UseCase, ports: Mapping[str, object]) -> UseCase:
    """The same with `ports`, in the use cases that it calls as well."""
    changes: dict[str, object] = {}
    for field in fields(cast("Any", part)):
        value = getattr(part, field.name)
        if field.name in ports:
            changes[field.name] = ports[field.name]
        elif is_dataclass(value) and not isinstance(value, type):
            changes[field.name] = with_ports(value, ports)
    return cast("UseCase", replace(cast("Any", part), **changes))
