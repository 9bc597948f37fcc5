from datetime import timedelta

from adapters.postgres.listener import Listener
from adapters.postgres.pool import Pool
from adapters.postgres.tasks import PostgresOutbox
from core.ports.changes import Topic
from entrypoints.container.postgres import postgres
from tests.support.wiring import parts_over
from tests.support.world import TIME_LIMIT, World


class PostgresWorld(World):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.listener = Listener(pool.dsn)
        # Without a listener: it wakes whoever waits when it begins to listen, and no other process puts tasks here.
        outbox = PostgresOutbox(pool)
        given = {Pool: pool, Listener: self.listener, PostgresOutbox: outbox}
        self.wire(parts_over(postgres, *given), given)

    async def wait_until_listening(self) -> None:
        with self.changes.subscribe(Topic("anything")) as subscription:
            assert await subscription.changed(within=timedelta(seconds=TIME_LIMIT))

    async def lock_is_awaited(self) -> bool:
        row = await self._pool.fetchrow(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock') AS awaited"
        )
        return bool(row and row["awaited"])
