"""The command line: `python -m entrypoints.cli --help`.

A command imports what it needs when it runs; `run` imports the server while the database starts. This saves seconds.
"""

from entrypoints.cli.commands import main

__all__ = ["main"]
