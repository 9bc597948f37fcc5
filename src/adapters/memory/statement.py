from datetime import datetime

import msgspec

from adapters.memory.tables import Entry, Phase, Tables
from core.tokens.model import AccountKind, TransferKind
from core.tokens.statement import Holding, Month, Movement, Statement


def statement(tables: Tables, month: Month, matured_before: datetime) -> Statement:
    moved = [entry for entry in tables.entries.values() if entry.phase in (Phase.MOVE, Phase.POST)]
    before = [entry for entry in moved if entry.at < month.until]
    within = [entry for entry in before if entry.at >= month.since]
    holdings = [_holding(kind, before, matured_before) for kind in AccountKind]
    return Statement(month, _movements(within), holdings)


def _movements(entries: list[Entry]) -> list[Movement]:
    found: dict[tuple[str, str], Movement] = {}
    for entry in entries:
        sale = entry.sale
        key = (entry.kind.value, sale.currency_code if sale else "")
        so_far = found.get(key) or Movement(entry.kind.value, key[1] or None, 0, 0, 0, 0 if sale else None)
        found[key] = msgspec.structs.replace(
            so_far,
            transfers=so_far.transfers + 1,
            tokens=so_far.tokens + entry.amount,
            bought_tokens=so_far.bought_tokens + (entry.paid or 0),
            money=(so_far.money or 0) + sale.total_price if sale else None,
        )
    return [found[key] for key in sorted(found)]


def _holding(kind: AccountKind, entries: list[Entry], matured_before: datetime) -> Holding:
    tokens = bought = matured = 0
    for entry in entries:
        in_time = entry.at < matured_before
        if entry.debit.kind is kind:
            tokens -= entry.amount
            bought -= entry.paid or 0
            matured -= (entry.paid or 0) if in_time or entry.kind is TransferKind.WITHDRAWAL else 0
        if entry.credit.kind is kind:
            earned = 0 if entry.own else entry.paid or 0
            tokens += entry.amount
            bought += earned
            matured += earned if in_time else 0
    return Holding(kind.value, tokens, bought, matured if kind is AccountKind.EARNINGS else None)
