from datetime import datetime
from typing import Protocol

from core.identifiers import HoldId
from core.tokens.model import Account, Hold, Transfer


class TokenLedger(Protocol):
    """The double-entry, append-only ledger of tokens, in the open transaction.

    A transfer moves a positive number of tokens from one account to another. Nothing is changed or removed: a hold is
    posted or voided, once, by a transfer of its own.

    References are unique: a second transfer with the same reference is refused with DuplicateTransfer, which makes
    repeated calls harmless.
    """

    async def open(self, account: Account) -> None:
        """Create the account if it does not exist. The platform's accounts always exist."""
        ...

    async def transfer(self, transfer: Transfer) -> None:
        """Transfer tokens in one phase.

        Raises DuplicateTransfer or AccountNotFound; either may surface at the commit.
        """
        ...

    async def hold(self, hold: Hold) -> None:
        """Hold tokens: still in the debit account but not available until the hold is posted or voided.

        Raises InsufficientTokens (with required and available tokens), DuplicateTransfer, AccountNotFound; any of them
        may surface at the commit.
        """
        ...

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        """Post a hold: pay it to its credit account.

        `fee` tokens of it, at most all, go on to the platform's fee account by a transfer of their own, with reference
        `fee:` plus the hold's.

        Raises HoldAlreadyResolved or HoldNotFound; either may surface at the commit.
        """
        ...

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        """Void a hold: its tokens are available again.

        Raises HoldAlreadyResolved or HoldNotFound; either may surface at the commit.
        """
        ...
