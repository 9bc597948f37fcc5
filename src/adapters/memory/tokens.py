from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from adapters.memory.database import MemoryDatabase
from adapters.memory.paging import page_of
from adapters.memory.tables import Entry, Funds, Phase, Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import HoldId, TransferId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports.token_ledger import TokenLedger
from core.tokens.errors import AccountNotFound, DuplicateTransfer, HoldAlreadyResolved, HoldNotFound, InsufficientTokens
from core.tokens.model import Account, AccountKind, Hold, Transfer, TransferKind, earnings, wallet
from core.tokens.views import (
    Balance,
    Party,
    RelatedGeneration,
    RelatedPurchase,
    RelatedStyle,
    TokensReader,
    TransactionFilter,
    TransactionLine,
)


class MemoryTokenLedger(TokenLedger):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def open(self, account: Account) -> None:
        self._transaction.write(lambda tables: tables.funds.setdefault(account, Funds()))

    async def transfer(self, transfer: Transfer) -> None:
        entry = Entry(
            id=self._next_id(),
            kind=transfer.kind,
            debit=transfer.debit,
            credit=transfer.credit,
            amount=transfer.amount,
            at=transfer.at,
            memo=transfer.memo,
            sale=transfer.sale,
        )

        def operation(tables: Tables) -> None:
            _check(tables, transfer.reference, entry)
            _record(tables, transfer.reference, entry)
            _pay(tables, entry)

        self._transaction.write(operation)

    async def hold(self, hold: Hold) -> None:
        entry = Entry(
            id=TransferId(hold.id),
            kind=TransferKind.GENERATION,
            debit=wallet(hold.payer),
            credit=earnings(hold.payee),
            amount=hold.amount,
            at=hold.at,
            generation_id=hold.generation_id,
            phase=Phase.HOLD,
        )

        def operation(tables: Tables) -> None:
            _check(tables, hold.reference, entry)
            _record(tables, hold.reference, entry)
            _set_aside(tables, entry.debit, entry.amount)

        self._transaction.write(operation)

    async def post(self, hold_id: HoldId, *, at: datetime) -> None:
        resolution_id = self._next_id()

        def operation(tables: Tables) -> None:
            _pay(tables, _resolve(tables, hold_id, resolution_id, Phase.POST, at))

        self._transaction.write(operation)

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        resolution_id = self._next_id()

        def operation(tables: Tables) -> None:
            _resolve(tables, hold_id, resolution_id, Phase.VOID, at)

        self._transaction.write(operation)

    def _next_id(self) -> TransferId:
        return TransferId(self._transaction.database.next("transfer"))


class MemoryTokensReader(TokensReader):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def balance(self, user_id: UserId) -> Balance:
        tables = self._database.tables
        funds = tables.funds.get(wallet(user_id), Funds())
        return Balance(user_id, funds.available, funds.held, earned(tables, user_id))

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        lines = (line for line in _lines(self._database.tables, user_id) if _matches(line, type))
        shown, following = page_of(lines, place=lambda line: Keyset(0, line.created_at, line.id), page=page)
        return Page(shown, following)


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


def _check(tables: Tables, reference: str, entry: Entry) -> None:
    if reference in tables.references:
        raise DuplicateTransfer
    if entry.debit not in tables.funds or entry.credit not in tables.funds:
        raise AccountNotFound
    spendable = tables.funds[entry.debit].available
    if entry.debit.kind in (AccountKind.WALLET, AccountKind.EARNINGS) and spendable < entry.amount:
        raise InsufficientTokens(required=entry.amount, available=spendable)


def _record(tables: Tables, reference: str, entry: Entry) -> None:
    tables.references[reference] = entry.id
    tables.entries[entry.id] = entry


def _pay(tables: Tables, entry: Entry) -> None:
    for account, change in ((entry.debit, -entry.amount), (entry.credit, entry.amount)):
        funds = tables.funds[account]
        tables.funds[account] = Funds(funds.balance + change, funds.held)


def _set_aside(tables: Tables, account: Account, amount: int) -> None:
    funds = tables.funds[account]
    tables.funds[account] = Funds(funds.balance, funds.held + amount)


def _resolve(tables: Tables, hold_id: HoldId, resolution_id: TransferId, phase: Phase, at: datetime) -> Entry:
    hold = tables.entries.get(TransferId(hold_id))
    if hold is None or hold.phase is not Phase.HOLD:
        raise HoldNotFound
    if hold_id in tables.resolutions:
        raise HoldAlreadyResolved
    entry = msgspec.structs.replace(hold, id=resolution_id, at=at, phase=phase)
    tables.entries[entry.id] = entry
    tables.resolutions[hold_id] = entry.id
    _set_aside(tables, hold.debit, -hold.amount)
    return entry


def _lines(tables: Tables, user_id: UserId) -> Iterator[TransactionLine]:
    for entry in tables.entries.values():
        if entry.debit.owner == user_id and entry.phase in (Phase.MOVE, Phase.HOLD):
            yield _line(tables, entry, "out")
        if entry.credit.owner == user_id and entry.phase in (Phase.MOVE, Phase.POST):
            yield _line(tables, entry, "in")


def _line(tables: Tables, entry: Entry, direction: Literal["in", "out"]) -> TransactionLine:
    phase = entry.phase
    if phase is Phase.HOLD and HoldId(entry.id) in tables.resolutions:
        phase = tables.entries[tables.resolutions[HoldId(entry.id)]].phase
    generation = None if entry.generation_id is None else tables.generations.get(entry.generation_id)
    style = None if generation is None else tables.styles[generation.style_id]
    sale = entry.sale
    return TransactionLine(
        id=entry.id,
        type=entry.kind.value,
        direction=direction,
        amount=entry.amount,
        status=_STATUS[phase],
        refunded=phase is Phase.VOID,
        price_per_token=None if sale is None else sale.price_per_token,
        total_price=None if sale is None else sale.total_price,
        currency_code=None if sale is None else sale.currency_code,
        memo=entry.memo,
        created_at=entry.at,
        sender=_party(tables, entry.debit),
        receiver=_party(tables, entry.credit),
        related_style=None if style is None else RelatedStyle(style.id, style.name),
        related_generation=None if generation is None else RelatedGeneration(generation.id, generation.status.value),
        related_purchase=None if sale is None else RelatedPurchase(sale.order_id),
    )


def _party(tables: Tables, account: Account) -> Party | None:
    return None if account.owner is None else Party(account.owner, tables.users[account.owner].username)


def _matches(line: TransactionLine, wanted: TransactionFilter) -> bool:
    if wanted is TransactionFilter.REFUND and line.refunded:
        return True
    return wanted is TransactionFilter.ALL or line.type == wanted.value
