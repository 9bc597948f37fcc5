"""All commands in one group. A failing command prints one line, never a traceback."""

import click

from core.errors import DomainError
from core.problems import Problem
from entrypoints import signals
from entrypoints.cli import service
from entrypoints.cli.admins import admins
from entrypoints.cli.audit import audit
from entrypoints.cli.images import images
from entrypoints.cli.output import say
from entrypoints.cli.reports import reports
from entrypoints.cli.styles import styles
from entrypoints.cli.tasks import tasks
from entrypoints.cli.tokens import tokens
from entrypoints.cli.users import users
from entrypoints.cli.withdrawals import withdrawals
from entrypoints.command_failed import CommandFailed
from entrypoints.messages import ENGLISH, for_operators
from entrypoints.settings import SettingsError

PROGRAM = "python -m entrypoints.cli"
FAILED = 1
MISUSED = 2
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """The backend of Style License."""


for command in (*service.COMMANDS, admins, audit, images, reports, styles, tasks, tokens, users, withdrawals):
    commands.add_command(command)


def explain_hyphens(command: click.Command) -> None:
    """Say in the help how to give what looks like an option: usernames and order ids may."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            explain_hyphens(one)
    for argument in command.params:
        if isinstance(argument, click.Argument) and argument.type is click.STRING:
            command.epilog = f"If {argument.metavar} begins with a hyphen, give the options first, and `--` before it."


explain_hyphens(commands)


def main(arguments: list[str] | None = None) -> int:
    signals.interrupt_on_signals()
    try:
        commands.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (SettingsError, click.exceptions.NoArgsIsHelpError) as error:
        say(error.format_message() if isinstance(error, click.UsageError) else error)
        return MISUSED
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else PROGRAM
        explained = error.ctx and isinstance(error, click.NoSuchOption) and error.ctx.command.epilog
        say(f"{_one_line(error.format_message())} {f'{explained} ' if explained else ''}See `{path} --help`.")
        return MISUSED
    except (CommandFailed, DomainError, OSError) as error:
        text = _refusal(error) if isinstance(error, DomainError) else str(error)
        say(_one_line(text) or type(error).__name__)
        return FAILED
    return 0


def _refusal(error: DomainError) -> str:
    """The error, with one line per invalid field."""
    problems = [
        f"{name}: {ENGLISH.problem(value)}"
        for name, value in (error.details or {}).items()
        if isinstance(value, Problem)
    ]
    return " ".join(problems) or for_operators(error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
