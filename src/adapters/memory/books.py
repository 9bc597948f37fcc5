from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

from adapters.memory.database import MemoryDatabase
from adapters.memory.statement import statement
from adapters.memory.tables import Entry, Phase, Tables
from core.errors import Details
from core.generations.model import Status
from core.identifiers import HoldId, OrderId, TransferId, UserId
from core.ports.books import Books
from core.tokens.model import FEES, Account, AccountKind, Sale, TransferKind, earnings, paid_fee, wallet
from core.tokens.reconciliation import Finding, Invariant, Reconciliation
from core.tokens.statement import Month, Statement
from core.withdrawals.model import WithdrawalStatus

Checked = Iterable[tuple[Details, bool]]
"""Rows, and whether each satisfies the invariant."""


class MemoryBooks(Books):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def examine(self) -> list[Finding]:
        return [_finding(invariant, CHECKS[invariant](self._database.tables)) for invariant in Invariant]

    async def statement(self, month: Month, *, matured_before: datetime) -> Statement:
        return statement(self._database.tables, month, matured_before)

    async def keep(self, reconciliation: Reconciliation) -> None:
        number = self._database.next("reconciliation")

        def operation(tables: Tables) -> None:
            tables.reconciliations[number] = reconciliation

        self._database.apply([operation])

    async def last(self) -> Reconciliation | None:
        kept = self._database.tables.reconciliations
        return kept[max(kept)] if kept else None


def _finding(invariant: Invariant, rows: Checked) -> Finding:
    checked = list(rows)
    broken = [row for row, right in checked if not right]
    return Finding(invariant, len(checked), len(broken), broken[0] if broken else None)


def _accounts(tables: Tables) -> Iterable[Details]:
    for account, funds in tables.funds.items():
        yield {"kind": account.kind.value, "owner_id": account.owner, "balance": funds.balance, "held": funds.held}


def _solvent(tables: Tables) -> Checked:
    limited = (AccountKind.WALLET.value, AccountKind.EARNINGS.value)
    for account, funds in zip(_accounts(tables), tables.funds.values(), strict=True):
        if account["kind"] in limited:
            yield account, funds.balance >= funds.held


def _balances(tables: Tables) -> Checked:
    moved: Counter[object] = Counter()
    for entry in tables.entries.values():
        if entry.phase in (Phase.MOVE, Phase.POST):
            moved[entry.debit] -= entry.amount
            moved[entry.credit] += entry.amount
    for account, (key, funds) in zip(_accounts(tables), tables.funds.items(), strict=True):
        yield account | {"moved": moved[key]}, funds.balance - funds.debt == moved[key]


def _held(tables: Tables) -> Checked:
    held: Counter[object] = Counter()
    for entry in tables.entries.values():
        if entry.phase is not Phase.MOVE:
            held[entry.debit] += entry.amount if entry.phase is Phase.HOLD else -entry.amount
    for account, (key, funds) in zip(_accounts(tables), tables.funds.items(), strict=True):
        yield account | {"open_holds": held[key]}, funds.held == held[key]


def _zero_sum(tables: Tables) -> Checked:
    total = sum(funds.balance - funds.debt for funds in tables.funds.values())
    yield {"sum": total}, total == 0


def _sources(tables: Tables) -> Checked:
    paid: Counter[Account] = Counter()
    posts = {entry.generation_id: entry for entry in tables.entries.values() if entry.phase is Phase.POST}
    for entry in tables.entries.values():
        right = _paid_as_kind(entry, posts.get(entry.generation_id))
        yield {"id": entry.id, "kind": entry.kind.value, "amount": entry.amount, "paid": entry.paid}, right
        paid[entry.debit] -= entry.paid or 0
        paid[entry.credit] += 0 if entry.own else entry.paid or 0
    for account, (key, funds) in zip(_accounts(tables), tables.funds.items(), strict=True):
        right = funds.paid - funds.debt == paid[key]
        within = 0 <= funds.held_paid <= min(funds.held, funds.paid) and funds.paid <= funds.balance
        yield account | {"paid": funds.paid, "moved": paid[key]}, right and (within or key.owner is None)


def _paid_as_kind(entry: Entry, post: Entry | None) -> bool:
    if entry.phase in (Phase.HOLD, Phase.VOID) or entry.paid is None:
        return entry.phase in (Phase.HOLD, Phase.VOID) and entry.paid is None
    match entry.kind:
        case TransferKind.GENERATION:
            return 0 <= entry.paid <= entry.amount
        case TransferKind.FEE:
            return post is not None and entry.paid == paid_fee(entry.amount, post.amount, post.withdrawable)
        case TransferKind.BONUS | TransferKind.TAKEN_BONUS:
            return entry.paid == 0
    return entry.paid == entry.amount


def _references(tables: Tables) -> Checked:
    made = Counter(entry.reference for entry in tables.entries.values() if entry.hold_id is None)
    for reference, count in made.items():
        yield {"reference": reference, "transfers": count}, count == 1


def _resolutions(tables: Tables) -> Checked:
    seen: set[HoldId] = set()
    for entry in tables.entries.values():
        if entry.hold_id is None:
            continue
        hold = tables.entries.get(TransferId(entry.hold_id))
        row: Details = {"id": entry.id, "phase": entry.phase.value, "hold_id": entry.hold_id}
        yield row, entry.hold_id not in seen and hold is not None and _same(entry, hold)
        seen.add(entry.hold_id)


def _same(entry: Entry, hold: Entry) -> bool:
    names = ("kind", "reference", "debit", "credit", "amount")
    return hold.phase is Phase.HOLD and all(getattr(entry, name) == getattr(hold, name) for name in names)


def _open_holds(tables: Tables) -> Checked:
    resolved = {entry.hold_id for entry in tables.entries.values()}
    waiting = {row.hold_id for row in tables.generations.values() if not row.status.ended}
    waiting |= {refund.hold_id for row in tables.purchases.values() if (refund := row.open_refund)}
    waiting |= {row.hold_id for row in tables.withdrawals.values() if row.status is WithdrawalStatus.PENDING}
    for entry in tables.entries.values():
        if entry.phase is Phase.HOLD and HoldId(entry.id) not in resolved:
            row: Details = {"id": entry.id, "kind": entry.kind.value, "reference": entry.reference}
            yield row | {"amount": entry.amount}, HoldId(entry.id) in waiting


def _generations_held(tables: Tables) -> Checked:
    holds = Counter(entry.generation_id for entry in tables.entries.values() if entry.phase is Phase.HOLD)
    for row in tables.generations.values():
        hold = tables.entries.get(TransferId(row.hold_id))
        right = hold is not None and (hold.phase, hold.generation_id, hold.amount, hold.debit, hold.credit) == (
            Phase.HOLD,
            row.id,
            row.consumed_tokens,
            wallet(row.owner_id),
            earnings(row.artist_id),
        )
        details: Details = {"id": row.id, "consumed_tokens": row.consumed_tokens, "held": hold and hold.amount}
        yield details | {"holds": holds[row.id]}, right and holds[row.id] == 1


def _generations_settled(tables: Tables) -> Checked:
    states = _states(tables)
    for row in tables.generations.values():
        ended = "posted" if row.status is Status.COMPLETED else "voided"
        expected = ended if row.status.ended else "open"
        state = states[row.hold_id]
        yield {"id": row.id, "status": row.status.value, "hold": state}, state == expected


def _fees(tables: Tables) -> Checked:
    fees = {entry.reference: entry for entry in tables.entries.values() if entry.kind is TransferKind.FEE}
    for row in tables.generations.values():
        fee = fees.pop(f"fee:generation:{row.id}", None)
        if fee is not None or row.fee_tokens:
            details: Details = {"generation_id": row.id, "fee_tokens": row.fee_tokens, "charged": fee and fee.amount}
            right = fee is not None and (fee.amount, fee.debit, fee.credit, row.status) == (
                row.fee_tokens,
                earnings(row.artist_id),
                FEES,
                Status.COMPLETED,
            )
            yield details, right
    for fee in fees.values():
        right = fee.debit.kind is AccountKind.EARNINGS and fee.credit == FEES
        yield {"id": fee.id, "generation_id": None, "charged": fee.amount}, right


def _purchases(tables: Tables) -> Checked:
    credits = defaultdict(list)
    for entry in tables.entries.values():
        if entry.kind is TransferKind.PURCHASE and entry.sale is not None:
            credits[entry.sale.order_id].append(entry)
    for order_id in {**tables.purchases, **credits}:
        made, purchase = credits[order_id], tables.purchases.get(order_id)
        row: Details = {"order_id": order_id, "status": purchase and purchase.status.value, "credits": len(made)}
        if purchase is None or not purchase.status.credited:
            yield row, not made
            continue
        expected = (purchase.amount_tokens, wallet(purchase.user_id))
        yield row, len(made) == 1 and (made[0].amount, made[0].credit) == expected


def _charge_backs(tables: Tables) -> Checked:
    taken: Counter[OrderId] = Counter()
    for entry in tables.entries.values():
        posted = entry.kind is TransferKind.REFUND and entry.phase is Phase.POST
        if entry.sale is not None and (posted or entry.kind is TransferKind.CHARGE_BACK):
            taken[entry.sale.order_id] += entry.amount
    for order_id in {**tables.purchases, **taken}:
        purchase = tables.purchases.get(order_id)
        refunded = purchase.refunded_tokens if purchase else 0
        if refunded or taken[order_id]:
            yield (
                {"order_id": order_id, "refunded_tokens": refunded, "taken": taken[order_id]},
                refunded == taken[order_id],
            )


def _refunds(tables: Tables) -> Checked:
    states = _states(tables)
    for row in tables.purchases.values():
        refund = row.refund
        if refund is None:
            continue
        hold, state = tables.entries.get(TransferId(refund.hold_id)), states[refund.hold_id]
        expected = "open" if row.open_refund else "voided" if refund.failure else "posted"
        held = hold is not None and (hold.kind, hold.debit, hold.amount, hold.sale) == (
            TransferKind.REFUND,
            wallet(row.user_id),
            refund.tokens,
            Sale(row.order_id, row.price_per_token, refund.price, row.currency_code),
        )
        details: Details = {"order_id": row.order_id, "status": row.status.value, "tokens": refund.tokens}
        yield details | {"hold": state}, held and state == expected


def _debts(tables: Tables) -> Checked:
    for account, funds in zip(_accounts(tables), tables.funds.values(), strict=True):
        if funds.debt:
            yield account | {"debt": funds.debt, "paid": funds.paid}, funds.debt > 0 and funds.available_paid == 0


def _withdrawals(tables: Tables) -> Checked:
    states = _states(tables)
    ends = {WithdrawalStatus.SETTLED: "posted", WithdrawalStatus.REJECTED: "voided"}
    for row in tables.withdrawals.values():
        hold, state = tables.entries.get(TransferId(row.hold_id)), states[row.hold_id]
        details: Details = {"id": row.id, "status": row.status.value, "amount": row.amount, "hold": state}
        held = hold is not None and (hold.amount, hold.debit, hold.kind) == (
            row.amount,
            earnings(row.artist_id),
            TransferKind.WITHDRAWAL,
        )
        yield details, held and state == ends.get(row.status, "open")


def _payouts(tables: Tables) -> Checked:
    withdrawn: Counter[UserId] = Counter()
    earned = [
        entry for entry in tables.entries.values() if AccountKind.EARNINGS in (entry.debit.kind, entry.credit.kind)
    ]
    for row in sorted(tables.withdrawals.values(), key=lambda row: (row.created_at, row.id)):
        if row.status is not WithdrawalStatus.REJECTED:
            withdrawn[row.artist_id] += row.amount
            tokens = sum(entry.earned_by(row.artist_id) for entry in earned if entry.at < row.earned_until)
            details: Details = {"id": row.id, "artist_id": row.artist_id, "earned": tokens}
            yield details | {"withdrawn": withdrawn[row.artist_id]}, withdrawn[row.artist_id] <= tokens


def _states(tables: Tables) -> dict[HoldId | None, str]:
    """The state of each hold: open, posted or voided."""
    states: dict[HoldId | None, str] = defaultdict(lambda: "open")
    for entry in tables.entries.values():
        if entry.hold_id is not None:
            states[entry.hold_id] = "posted" if entry.phase is Phase.POST else "voided"
    return states


CHECKS: dict[Invariant, Callable[[Tables], Checked]] = {
    Invariant.SOLVENT: _solvent,
    Invariant.BALANCES: _balances,
    Invariant.HELD: _held,
    Invariant.ZERO_SUM: _zero_sum,
    Invariant.SOURCES: _sources,
    Invariant.REFERENCES: _references,
    Invariant.RESOLUTIONS: _resolutions,
    Invariant.OPEN_HOLDS: _open_holds,
    Invariant.GENERATIONS_HELD: _generations_held,
    Invariant.GENERATIONS_SETTLED: _generations_settled,
    Invariant.FEES: _fees,
    Invariant.PURCHASES: _purchases,
    Invariant.CHARGE_BACKS: _charge_backs,
    Invariant.REFUNDS: _refunds,
    Invariant.DEBTS: _debts,
    Invariant.WITHDRAWALS: _withdrawals,
    Invariant.PAYOUTS: _payouts,
}
