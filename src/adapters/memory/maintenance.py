from core.ports.maintenance import Maintenance


class MemoryMaintenance(Maintenance):
    """Has no deltas: values are computed on reading."""

    async def roll_up_balances(self, *, limit: int) -> int:  # noqa: ARG002
        return 0

    async def roll_up_uses(self, *, limit: int) -> int:  # noqa: ARG002
        return 0

    async def roll_up_tags(self, *, limit: int) -> int:  # noqa: ARG002
        return 0
