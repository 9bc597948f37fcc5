from datetime import datetime
from typing import Protocol

from core.identifiers import HoldId
from core.tokens.model import Account, Hold, Transfer


class TokenLedger(Protocol):
    """The double-entry, append-only ledger of tokens, in the open transaction.

    A movement is one transfer of a positive number of tokens from one account to another. Nothing is ever changed or
    removed: a hold is resolved, once, by a transfer of its own.

    Two movements with the same reference are the same movement: the second is refused with DuplicateTransfer. That is
    what makes a repeated call harmless.
    """

    async def open(self, account: Account) -> None:
        """Make sure the account exists. The platform's own always do."""
        ...

    async def transfer(self, transfer: Transfer) -> None:
        """Move tokens at once.

        Raises DuplicateTransfer or AccountNotFound; either may surface at the commit.
        """
        ...

    async def hold(self, hold: Hold) -> None:
        """Put tokens aside where they are: free to nobody, and nobody else's, until it is resolved.

        Raises InsufficientTokens (with what is required and what is available), DuplicateTransfer, AccountNotFound; any
        of them may surface at the commit.
        """
        ...

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        """Resolve a hold by paying it to where it was to go.

        `fee` tokens of it, not more than all, go on from there to the platform's fees: by a movement of its own whose
        reference is the hold's after `fee:`.

        Raises HoldAlreadyResolved or HoldNotFound; either may surface at the commit.
        """
        ...

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        """Resolve a hold by setting its tokens free again where they are.

        Raises HoldAlreadyResolved or HoldNotFound; either may surface at the commit.
        """
        ...
