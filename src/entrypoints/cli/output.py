import sys
from collections.abc import Sequence

import click
import msgspec


def say(text: object) -> None:
    """Progress and failures, on the standard error."""
    print(text, file=sys.stderr, flush=True)


def show(data: object, text: str, *, as_json: bool) -> None:
    """The result of a command, on the standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(data)).decode() if as_json else text)


def table(rows: Sequence[msgspec.Struct], *columns: str) -> str:
    """The rows as text, aligned, below the names of the columns."""
    cells = [list(columns), *([_cell(row, column) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(row: msgspec.Struct, path: str) -> str:
    """A field, or `a.b` for a field of a field."""
    value: object = row
    for name in path.split("."):
        value = getattr(value, name)
    if value is None:
        return "-"
    if isinstance(value, str | int):
        return " ".join(str(value).split())
    return msgspec.json.encode(value).decode().strip('"')
