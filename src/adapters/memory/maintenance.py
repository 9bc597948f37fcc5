from core.ports.maintenance import Maintenance


class MemoryMaintenance(Maintenance):
    """Counts on reading: there is nothing to merge."""

    async def roll_up_balances(self, *, limit: int) -> int:  # noqa: ARG002
        return 0

    async def roll_up_uses(self, *, limit: int) -> int:  # noqa: ARG002
        return 0

    async def roll_up_tags(self, *, limit: int) -> int:  # noqa: ARG002
        return 0
