import pytest

from core.audit.model import MAX_REASON
from core.errors import ValidationError
from core.identifiers import HoldId, UserId, WithdrawalId
from core.withdrawals.model import Withdrawal
from tests.support.memory_world import MemoryWorld


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_REASON + 1), "No\x07"])
def test_a_rejection_requires_a_valid_reason(world: MemoryWorld, reason: str) -> None:
    now = world.clock.now()
    withdrawal = Withdrawal(WithdrawalId(1), UserId(2), 30, HoldId(3), now, now)

    with pytest.raises(ValidationError) as refusal:
        withdrawal.reject(at=now, by=UserId(4), reason=reason)

    assert "reason" in str(refusal.value.details)
