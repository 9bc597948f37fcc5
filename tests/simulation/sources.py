from collections import Counter, defaultdict
from datetime import datetime

from adapters.memory.tables import Entry, Phase
from core.identifiers import OrderId, UserId
from core.purchases.packages import PACKAGES
from core.tokens.model import PayoutTerms, TransferKind
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from tests.simulation.violation import Violation

CHEAPEST = min(package.price_per_token for package in PACKAGES)
DEAREST = max(package.price_per_token for package in PACKAGES)


class Sources:
    """Follows every token from its source, by the rule alone and not by what the ledger says of it.

    No artist is paid more than others have bought and spent on them, and all artists together no more than was bought.
    """

    def __init__(self) -> None:
        self._bonus: Counter[UserId] = Counter()
        """Bonus tokens in wallets."""
        self._bought = 0
        """Less what was charged back or refunded."""
        self._refunds: Counter[OrderId] = Counter()
        self._forgiven = 0
        self._earned: defaultdict[UserId, list[tuple[datetime, int]]] = defaultdict(list)
        """What others have paid artists with bought tokens, and fees."""
        self._paid: Counter[UserId] = Counter()
        """What is left of that after payouts."""
        self._last: tuple[int, int] = (0, 0)
        """Of the last payment: its amount, and what it has earned."""
        self._withdrawn: defaultdict[UserId, dict[int, int]] = defaultdict(dict)

    def add(self, entry: Entry) -> None:
        """An entry, in the order of the commits; a fee comes after its payment."""
        payer, payee = entry.debit.owner, entry.credit.owner
        match entry.kind, entry.phase:
            case TransferKind.BONUS, _ if payee is not None:
                self._bonus[payee] += entry.amount
            case TransferKind.TAKEN_BONUS, _ if payer is not None:
                self._bonus[payer] -= entry.amount
            case TransferKind.PURCHASE, _:
                self._bought += entry.amount
            case (TransferKind.CHARGE_BACK, _) | (TransferKind.REFUND, Phase.POST) if entry.sale is not None:
                self._bought -= entry.amount
                self._refunds[entry.sale.order_id] += entry.kind is TransferKind.REFUND
            case TransferKind.FORGIVENESS, _:
                self._forgiven += entry.amount
            case TransferKind.GENERATION, Phase.POST if payer is not None and payee is not None:
                bonus = min(self._bonus[payer], entry.amount)
                self._bonus[payer] -= bonus
                earned = 0 if payer == payee else entry.amount - bonus
                self._earned[payee].append((entry.at, earned))
                self._paid[payee] += earned
                self._last = entry.amount, earned
            case TransferKind.FEE, _ if payer is not None:
                amount, earned = self._last
                fee = earned * entry.amount // amount
                self._earned[payer].append((entry.at, -fee))
                self._paid[payer] -= fee
            case TransferKind.WITHDRAWAL, Phase.POST if payer is not None:
                self._paid[payer] -= entry.amount

    def check_paid(self, artist_id: UserId, paid: int) -> None:
        """Compare the paid part of an artist's earnings, as the ledger has it. Raises Violation."""
        if paid != self._paid[artist_id]:
            raise Violation(f"artist {artist_id} has {paid} paid tokens, and others have paid {self._paid[artist_id]}")

    def check(self, withdrawal: Withdrawal, terms: PayoutTerms) -> None:
        """Raises Violation."""
        withdrawn = self._withdrawn[withdrawal.artist_id]
        withdrawn[withdrawal.id] = 0 if withdrawal.status is WithdrawalStatus.REJECTED else withdrawal.amount
        until = withdrawal.created_at - terms.delay
        earned = sum(tokens for at, tokens in self._earned[withdrawal.artist_id] if at < until)
        if withdrawal.status is WithdrawalStatus.PENDING and sum(withdrawn.values()) > earned:
            raise Violation(f"{withdrawal} is of more than the {earned} tokens that others had bought and paid in time")

    def refunds(self, order_id: OrderId) -> int:
        """How many refunds of a purchase were completed."""
        return self._refunds[order_id]

    def check_end(self, debts: int, paid_in: int) -> None:
        """With all debts that are left, of tokens that were spent and whose money is gone, and with the money that was
        paid in and has not gone back. Raises Violation.
        """
        paid_out = 0
        for artist_id, withdrawn in self._withdrawn.items():
            tokens, earned = sum(withdrawn.values()), sum(tokens for _, tokens in self._earned[artist_id])
            paid_out += tokens
            if tokens > earned:
                raise Violation(f"artist {artist_id} was paid {tokens} tokens, and others had paid {earned} with money")
        covered = self._bought + debts + self._forgiven
        if paid_out > covered:
            raise Violation(f"{paid_out} tokens were paid out, and {covered} bought, owed or forgiven")
        owed = (debts + self._forgiven) * DEAREST
        if paid_out * CHEAPEST > paid_in + owed:
            raise Violation(
                f"{paid_out} tokens were paid out, and {paid_in} of money is there, and at most {owed} owed"
            )
