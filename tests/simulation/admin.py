from dataclasses import dataclass
from typing import Any

from core.audit.model import Operator
from core.community.delete_comment import DeleteComment
from core.community.errors import CommentNotFound
from core.debts.forgive_debt import ForgiveDebt
from core.errors import ValidationError
from core.identifiers import UserId, WithdrawalId
from core.paging import PageRequest
from core.purchases.errors import NotRefundable
from core.purchases.refund_purchase import RefundPurchase
from core.requester import Requester, Role
from core.tokens.errors import DebtOutstanding, InsufficientTokens, NoDebt
from core.withdrawals.errors import WithdrawalEnded
from core.withdrawals.model import WithdrawalStatus
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.simulation.actions.base import RECENT
from tests.simulation.person import Person
from tests.simulation.stage import Stage
from tests.simulation.user_sessions import sign_in

PAUSE = 20.0
SETTLED = 0.6
TWICE = 0.7
DELETED = 0.1
FORGIVEN = 0.2
REFUNDED = 0.1


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin who settles or rejects withdrawals and deletes comments; two admins may act on the same one."""

    stage: Stage
    person: Person

    async def run(self) -> None:
        random = self.stage.random
        while True:
            await self.stage.pause(random.random() * PAUSE)
            if self.person.signed_in is None:
                await sign_in(self.stage, self.person)
                continue
            me = self.person.signed_in.user_id
            page = await self.stage.world.read.withdrawals.list(status=WithdrawalStatus.PENDING, page=PageRequest())
            for withdrawal in page.rows:
                self._decide(me, withdrawal.id)
            if random.random() < FORGIVEN and self.stage.users:
                debtor = random.choice(self.stage.users)
                refusals = (NoDebt, InsufficientTokens)
                await self.stage.call(ForgiveDebt, Operator(me), debtor, reason="Sorry.", refusals=refusals)
            if self.stage.orders and random.random() < REFUNDED:
                await self._refund(me)
            if self.stage.comments and random.random() < DELETED:
                await self._delete_comment(me)

    def _decide(self, me: UserId, withdrawal_id: WithdrawalId) -> None:
        """Sometimes from two sessions at once, with different decisions."""

        async def decide() -> None:
            if self.stage.random.random() < SETTLED:
                await self._call(SettleWithdrawal, Operator(me), withdrawal_id)
            else:
                await self._call(RejectWithdrawal, Operator(me), withdrawal_id, reason="No.")

        for _ in range(2 if self.stage.faults.strike(TWICE) else 1):
            self.stage.begin("decision", decide)

    async def _refund(self, me: UserId) -> None:
        """In part or in full, perhaps more than is left."""
        order_id = self.stage.random.choice(self.stage.orders[-RECENT:])
        await self.stage.call(
            RefundPurchase,
            Operator(me),
            order_id,
            tokens=self.stage.random.choice((None, 1, 30, 300)),
            reason="Sorry.",
            refusals=(NotRefundable, ValidationError),
        )

    async def _delete_comment(self, me: UserId) -> None:
        """Sometimes a comment whose author or image is being erased concurrently."""
        comment_id, _ = self.stage.random.choice(self.stage.comments[-RECENT:])
        requester = Requester(me, Role.ADMIN, is_artist=False)
        await self.stage.call(DeleteComment, requester, comment_id, refusals=(CommentNotFound,))

    async def _call(self, kind: type[Any], *args: object, **kwargs: object) -> None:
        await self.stage.call(kind, *args, refusals=(DebtOutstanding, WithdrawalEnded), **kwargs)
