from adapters.postgres.pool import Pool

CONNECTIONS = 3


async def demote(pool: Pool) -> list[int]:
    """Open CONNECTIONS and make their sessions read-only, as after a failover; returns their process ids."""
    pids = []
    begun = [await pool.begin() for _ in range(CONNECTIONS)]
    for one in begun:
        await one.fetch("SET default_transaction_read_only = on")
        pids += [row["pid"] for row in await one.fetch("SELECT pg_backend_pid() AS pid")]
        await one.commit()
    return pids
