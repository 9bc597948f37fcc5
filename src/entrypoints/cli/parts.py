"""The parts of the service that a command needs: settings that are complete, a database, a use case."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from entrypoints import logs
from entrypoints.cli.output import say
from entrypoints.command_failed import CommandFailed
from entrypoints.settings import Settings, environment, read_settings

Answer = TypeVar("Answer")
Options = ParamSpec("Options")
UseCase = Callable[..., Callable[..., Awaitable[Answer]]]


def with_settings(command: Callable[Concatenate[Settings, Options], None]) -> Callable[Options, None]:
    """The settings come first; they are read when the command runs, so that help needs none."""

    def run(*args: Options.args, **kwargs: Options.kwargs) -> None:
        settings = read_settings(environment(Path.cwd()))
        logs.configure(as_json=settings.log_format == "json")
        command(settings, *args, **kwargs)

    return update_wrapper(run, command)


@contextlib.contextmanager
def completed(settings: Settings, command: str, *, beside: bool = False, create: bool = True) -> Iterator[Settings]:
    """The settings with what is embedded in place of what is not given; production gives everything."""
    if settings.production:
        yield settings
        return
    from entrypoints import development

    with development.embedded_parts(settings, command=command, say=say, beside=beside, create=create) as complete:
        yield complete


@contextlib.contextmanager
def database(settings: Settings, command: str) -> Iterator[Settings]:
    """For a command that needs a migrated database, the running service's if it runs on this data directory."""
    with completed(settings, command, beside=True, create=False) as complete:
        refuse_if_behind(complete)
        yield complete


def refuse_if_behind(settings: Settings) -> None:
    from entrypoints.container.migrations import database_is_behind

    if database_is_behind(settings.database_dsn()):
        raise CommandFailed(
            "The database lacks migrations: run `make migrate` (`python -m entrypoints.cli migrate`) first."
        )


async def called(settings: Settings, use_case: UseCase[Answer], *args: object, **options: object) -> Answer:
    from entrypoints.container import create_container

    parts = create_container(settings)
    try:
        async with parts() as scope:
            call = await scope.get(cast("type[Any]", use_case))
            answer: Answer = await call(*args, **options)
            return answer
    finally:
        await parts.close()
