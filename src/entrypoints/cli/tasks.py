import click

from entrypoints.cli.acting import Result, Scope, acting


@click.group()
def tasks() -> None:
    """Tasks of the AI servers."""


@tasks.command
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Dead letters to read at most.")
@acting
async def redrive(scope: Scope, limit: int) -> Result:
    """Move dead letters back to their queues. Those that the broker does not confirm stay dead letters."""
    from core.dead_letters.redrive_tasks import RedriveTasks

    redriven = await (await scope.get(RedriveTasks))(scope.operator, limit=limit)
    lines = (
        f"{redriven.moved:8} moved to their queues",
        f"{redriven.obsolete:8} removed: their generation or training no longer needs them",
        f"{redriven.foreign:8} left: not tasks of this service",
    )
    left = f"{redriven.unconfirmed:8} left: the broker has not confirmed them" if redriven.unconfirmed else None
    return Result(redriven, "\n".join(lines), left)
