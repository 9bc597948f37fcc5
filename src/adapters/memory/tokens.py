from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Entry, Funds, Phase, Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import HoldId, TransferId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports.token_ledger import TokenLedger
from core.tokens.errors import (
    AccountNotFound,
    DebtOutstanding,
    DuplicateTransfer,
    HoldAlreadyResolved,
    HoldNotFound,
    InsufficientTokens,
)
from core.tokens.model import (
    BOUGHT,
    FEE_MEMO,
    FEES,
    Account,
    AccountKind,
    Hold,
    Transfer,
    TransferKind,
    earnings,
    paid_fee,
    paid_part,
    wallet,
)
from core.tokens.views import (
    Balance,
    Earnings,
    EarningsGroup,
    EarningsLine,
    Party,
    RelatedGeneration,
    RelatedPurchase,
    RelatedStyle,
    RelatedWithdrawal,
    TokensReader,
    TransactionFilter,
    TransactionLine,
    earnings_of,
    shown_as,
    unknown_zone,
)


class MemoryTokenLedger(TokenLedger):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def open(self, account: Account) -> None:
        self._transaction.write(lambda tables: tables.funds.setdefault(account, Funds()))

    async def transfer(self, transfer: Transfer) -> None:
        entry = Entry(
            id=self._next_id(),
            reference=transfer.reference,
            kind=transfer.kind,
            debit=transfer.debit,
            credit=transfer.credit,
            amount=transfer.amount,
            at=transfer.at,
            paid=transfer.amount if transfer.kind in BOUGHT else 0,
            memo=transfer.memo,
            sale=transfer.sale,
        )

        def operation(tables: Tables) -> None:
            _check(tables, entry)
            _record(tables, entry)
            _pay(tables, entry)

        self._transaction.write(operation)

    async def hold(self, hold: Hold) -> None:
        entry = Entry(
            id=TransferId(hold.id),
            reference=hold.reference,
            kind=hold.kind,
            debit=hold.debit,
            credit=hold.credit,
            amount=hold.amount,
            at=hold.at,
            generation_id=hold.generation_id,
            memo=hold.memo,
            sale=hold.sale,
            phase=Phase.HOLD,
        )

        def operation(tables: Tables) -> None:
            _check(tables, entry)
            _record(tables, entry)
            _set_aside(tables, entry, entry.amount)

        self._transaction.write(operation)

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        resolution_id, fee_id = self._next_id(), self._next_id()

        def operation(tables: Tables) -> None:
            post = _resolve(tables, hold_id, resolution_id, Phase.POST, at)
            _pay(tables, post)
            if fee:
                charged = _fee(fee_id, post, fee)
                _check(tables, charged)
                _record(tables, charged)
                _pay(tables, charged)

        self._transaction.write(operation)

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        resolution_id = self._next_id()

        def operation(tables: Tables) -> None:
            _resolve(tables, hold_id, resolution_id, Phase.VOID, at)

        self._transaction.write(operation)

    async def debt(self, user_id: UserId) -> int:
        return self._transaction.tables.funds.get(wallet(user_id), Funds()).debt

    async def withdrawable(self, artist_id: UserId, *, earned_until: datetime) -> int:
        tables = self._transaction.tables
        funds = tables.funds.get(earnings(artist_id))
        if funds is None:
            raise AccountNotFound
        return funds.paid - funds.held_paid - maturing(tables, artist_id, earned_until)

    def _next_id(self) -> TransferId:
        return TransferId(self._transaction.database.next("transfer"))


class MemoryTokensReader(TokensReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def balance(self, user_id: UserId, *, earned_until: datetime) -> Balance:
        tables = self._reads.tables
        funds = tables.funds.get(wallet(user_id), Funds())
        artist = tables.funds.get(earnings(user_id))
        waiting = maturing(tables, user_id, earned_until)
        return Balance(
            user_id=user_id,
            token_balance=funds.available,
            bonus_tokens=funds.available_bonus,
            held_tokens=funds.held,
            debt_tokens=funds.debt,
            earned_token_balance=earned(tables, user_id),
            withdrawable_tokens=None if artist is None else max(0, artist.paid - artist.held_paid - waiting),
            maturing_tokens=None if artist is None else waiting,
        )

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        lines = (line for line in _lines(self._reads.tables, user_id) if _matches(line, type))
        shown, following = page_of(lines, place=lambda line: Keyset(0, line.created_at, line.id), page=page)
        return Page(shown, following)

    async def earnings(
        self, artist_id: UserId, *, first: date, last: date, group: EarningsGroup, zone: str = "UTC"
    ) -> Earnings:
        tables, mine = self._reads.tables, earnings(artist_id)
        days = _zone(zone)
        results: dict[tuple[date | None, RelatedStyle | None], EarningsLine] = {}
        for entry in tables.entries.values():
            day = entry.at.astimezone(days).date()
            if not first <= day <= last:
                continue
            paid = entry.credit == mine and entry.kind is TransferKind.GENERATION and entry.phase is Phase.POST
            if paid or (entry.debit == mine and entry.kind is TransferKind.FEE):
                key = (day, None) if group is EarningsGroup.DAY else (None, _style(tables, entry))
                line = results.get(key, EarningsLine(key[0], key[1], 0, 0, 0))
                results[key] = msgspec.structs.replace(
                    line,
                    images=line.images + paid,
                    tokens=line.tokens + (entry.amount if paid else -entry.amount),
                    fee_tokens=line.fee_tokens + (0 if paid else entry.amount),
                )
        return earnings_of(first, last, sorted(results.values(), key=_place))


_STATUS: dict[Phase, Literal["pending", "completed", "failed"]] = {
    Phase.MOVE: "completed",
    Phase.HOLD: "pending",
    Phase.POST: "completed",
    Phase.VOID: "failed",
}


def available(tables: Tables, user_id: UserId) -> int:
    return tables.funds.get(wallet(user_id), Funds()).available


def earned(tables: Tables, user_id: UserId) -> int | None:
    funds = tables.funds.get(earnings(user_id))
    return None if funds is None else funds.available


def maturing(tables: Tables, artist_id: UserId, since: datetime) -> int:
    """The paid part of what others have paid since then, less fees."""
    return sum(entry.earned_by(artist_id) for entry in tables.entries.values() if entry.at >= since)


def _check(tables: Tables, entry: Entry) -> None:
    if entry.reference in tables.references:
        raise DuplicateTransfer
    if entry.debit not in tables.funds or entry.credit not in tables.funds:
        raise AccountNotFound
    if entry.phase is Phase.HOLD:
        _check_debt(tables, entry)
    if entry.kind is TransferKind.FORGIVENESS and tables.funds[entry.credit].debt < entry.amount:
        raise InsufficientTokens(required=entry.amount, available=tables.funds[entry.credit].debt)
    if entry.kind is TransferKind.CHARGE_BACK:
        return
    spendable = _spendable(tables.funds[entry.debit], entry.kind)
    if entry.debit.kind in (AccountKind.WALLET, AccountKind.EARNINGS) and spendable < entry.amount:
        raise InsufficientTokens(required=entry.amount, available=spendable)


def _check_debt(tables: Tables, entry: Entry) -> None:
    if entry.debit.owner is not None and tables.funds.get(wallet(entry.debit.owner), Funds()).debt:
        raise DebtOutstanding


def _spendable(funds: Funds, kind: TransferKind) -> int:
    match kind:
        case TransferKind.WITHDRAWAL:
            return funds.paid - funds.held_paid
        case TransferKind.TAKEN_BONUS:
            return min(funds.bonus, funds.available)
        case TransferKind.REFUND:
            return funds.available_paid
    return funds.available


def _record(tables: Tables, entry: Entry) -> None:
    tables.references[entry.reference] = entry.id
    tables.entries[entry.id] = entry


def _pay(tables: Tables, entry: Entry) -> None:
    paid = entry.paid or 0
    if entry.kind is TransferKind.CHARGE_BACK:
        _change(tables, entry.debit, debt=entry.amount)
    else:
        _change(tables, entry.debit, balance=-entry.amount, paid=-paid)
    if entry.kind is TransferKind.FORGIVENESS:
        _change(tables, entry.credit, debt=-entry.amount)
    else:
        _change(tables, entry.credit, balance=entry.amount, paid=0 if entry.own else paid)
    for account in (entry.debit, entry.credit):
        _pay_debt(tables, account)


def _pay_debt(tables: Tables, account: Account) -> None:
    funds = tables.funds[account]
    if funds.debt:
        due = min(funds.debt, funds.available_paid)
        _change(tables, account, balance=-due, paid=-due, debt=-due)


def _set_aside(tables: Tables, hold: Entry, amount: int) -> None:
    _change(tables, hold.debit, held=amount, held_paid=0 if hold.kind is TransferKind.GENERATION else amount)


def _change(tables: Tables, account: Account, **changes: int) -> None:
    funds = tables.funds[account]
    tables.funds[account] = msgspec.structs.replace(
        funds, **{name: getattr(funds, name) + change for name, change in changes.items()}
    )


def _resolve(tables: Tables, hold_id: HoldId, resolution_id: TransferId, phase: Phase, at: datetime) -> Entry:
    hold = tables.entries.get(TransferId(hold_id))
    if hold is None or hold.phase is not Phase.HOLD:
        raise HoldNotFound
    if hold_id in tables.resolutions:
        raise HoldAlreadyResolved
    paid = None
    if phase is Phase.POST:
        if hold.kind is TransferKind.WITHDRAWAL:
            _check_debt(tables, hold)
        bonus = tables.funds[hold.debit].bonus
        paid = paid_part(hold.amount, bonus=bonus) if hold.kind is TransferKind.GENERATION else hold.amount
    entry = msgspec.structs.replace(hold, id=resolution_id, at=at, phase=phase, hold_id=hold_id, paid=paid)
    tables.entries[entry.id] = entry
    tables.resolutions[hold_id] = entry.id
    _set_aside(tables, hold, -hold.amount)
    if phase is Phase.VOID:
        _pay_debt(tables, hold.debit)
    return entry


def _fee(entry_id: TransferId, post: Entry, tokens: int) -> Entry:
    return Entry(
        id=entry_id,
        reference=f"fee:{post.reference}",
        kind=TransferKind.FEE,
        debit=post.credit,
        credit=FEES,
        amount=tokens,
        at=post.at,
        paid=paid_fee(tokens, post.amount, post.withdrawable),
        memo=FEE_MEMO,
        generation_id=post.generation_id,
    )


def _lines(tables: Tables, user_id: UserId) -> Iterator[TransactionLine]:
    for entry in tables.entries.values():
        if entry.debit.owner == user_id and entry.phase in (Phase.MOVE, Phase.HOLD):
            yield _line(tables, entry, "out")
        if entry.credit.owner == user_id and entry.phase in (Phase.MOVE, Phase.POST):
            yield _line(tables, entry, "in")


def _line(tables: Tables, entry: Entry, direction: Literal["in", "out"]) -> TransactionLine:
    resolution = tables.resolutions.get(HoldId(entry.id))
    moved = entry if resolution is None else tables.entries[resolution]
    phase = moved.phase
    generation = None if entry.generation_id is None else tables.generations.get(entry.generation_id)
    sale = entry.sale
    withdrawal = next((row for row in tables.withdrawals.values() if row.hold_id == HoldId(entry.id)), None)
    return TransactionLine(
        id=entry.id,
        type=shown_as(entry.kind.value),
        direction=direction,
        amount=entry.amount,
        bonus_tokens=None if moved.paid is None else entry.amount - moved.paid,
        status=_STATUS[phase],
        refunded=phase is Phase.VOID,
        price_per_token=None if sale is None else sale.price_per_token,
        total_price=None if sale is None else sale.total_price,
        currency_code=None if sale is None else sale.currency_code,
        memo=entry.memo,
        created_at=entry.at,
        sender=_party(tables, entry.debit),
        receiver=_party(tables, entry.credit),
        related_style=_style(tables, entry),
        related_generation=None if generation is None else RelatedGeneration(generation.id, generation.status.value),
        related_purchase=None if sale is None else RelatedPurchase(sale.order_id),
        related_withdrawal=None if withdrawal is None else RelatedWithdrawal(withdrawal.id, withdrawal.status.value),
    )


def _style(tables: Tables, entry: Entry) -> RelatedStyle | None:
    generation = None if entry.generation_id is None else tables.generations.get(entry.generation_id)
    style = None if generation is None else tables.styles[generation.style_id]
    return None if style is None else RelatedStyle(style.id, style.name)


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise unknown_zone() from None


def _place(line: EarningsLine) -> tuple[date | None, int, int]:
    return line.day, -line.tokens if line.style else 0, line.style.id if line.style else 0


def _party(tables: Tables, account: Account) -> Party | None:
    user = None if account.owner is None else tables.users.get(account.owner)
    return None if user is None else Party(user.id, user.username)


def _matches(line: TransactionLine, wanted: TransactionFilter) -> bool:
    if wanted is TransactionFilter.REFUND and line.refunded:
        return True
    return wanted is TransactionFilter.ALL or line.type == wanted.value
