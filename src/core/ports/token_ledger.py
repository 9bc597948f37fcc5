from datetime import datetime
from typing import Protocol

from core.identifiers import HoldId, UserId
from core.tokens.model import Account, Hold, Transfer


class TokenLedger(Protocol):
    """The double-entry, append-only ledger of tokens, in the open transaction.

    A transfer moves a positive number of tokens from one account to another. Nothing is changed or removed: a hold is
    posted or voided, once, by a transfer of its own.

    Tokens are paid (bought) or bonus. A wallet spends its bonus tokens first: what a posted hold takes is split then.
    The paid part of what others pay is paid in the artist's earnings; of what artists pay themselves nothing is.

    A charge-back takes paid tokens back as far as they are available; the rest is a debt of the wallet. As long as
    there is one, its owner can neither hold tokens nor withdraw; tokens that are bought or become available pay it
    first.

    References are unique: a second transfer with the same reference is refused with DuplicateTransfer, which makes
    repeated calls harmless.
    """

    async def open(self, account: Account) -> None:
        """Create the account if it does not exist. The platform's accounts always exist."""
        ...

    async def transfer(self, transfer: Transfer) -> None:
        """Transfer tokens in one phase.

        Raises DuplicateTransfer, AccountNotFound, or InsufficientTokens if bonus tokens are taken or a debt is forgiven
        that is not there; any of them may surface at the commit.
        """
        ...

    async def hold(self, hold: Hold) -> None:
        """Hold tokens: still in the debit account but not available until the hold is posted or voided.

        Withdrawals and refunds hold paid tokens only, and refunds none that open holds of images may spend. Raises
        InsufficientTokens (with required and available tokens), DebtOutstanding, DuplicateTransfer, AccountNotFound;
        any of them may surface at the commit.
        """
        ...

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        """Post a hold: pay it to its credit account.

        `fee` tokens of it, at most all, go on to the platform's fee account by a transfer of their own, with reference
        `fee:` plus the hold's.

        Raises HoldAlreadyResolved, HoldNotFound, or DebtOutstanding for a withdrawal; any of them may surface at the
        commit.
        """
        ...

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        """Void a hold: its tokens are available again.

        Raises HoldAlreadyResolved or HoldNotFound; either may surface at the commit.
        """
        ...

    async def debt(self, user_id: UserId) -> int:
        """The debt of a wallet, in tokens; 0 without an account."""
        ...

    async def withdrawable(self, artist_id: UserId, *, earned_until: datetime) -> int:
        """Paid tokens that others paid before `earned_until`, less fees, withdrawn and held tokens; may be negative if
        `earned_until` was later once.

        Raises AccountNotFound if the user is not an artist.
        """
        ...
