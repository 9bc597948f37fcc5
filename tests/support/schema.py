"""Writes the whole schema into one file, `src/adapters/postgres/schema.sql`, for `make schema`.

Everything comes from the catalogue of a migrated database, comments included. Only the order comes from the migrations:
a table stands in the section of the migration that creates it, with its indexes and triggers below it. The file creates
the schema that it shows; the rows with which the migrations begin are not in it.
"""

import asyncio
import re
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from adapters.development.embedded_postgres import EmbeddedPostgres
from adapters.postgres import migrate

FILE = Path(migrate.__file__).with_name("schema.sql")
WIDTH = 120
HEADER = """
The whole schema, written by `make schema` from a migrated database: change the migrations, not this file.

A comment says which rule of docs/money.md, or of the domain, a constraint, trigger or function keeps. What a trigger
refuses is an error with the name of the rule: the trigger's own, or the one in brackets.
"""

TABLES = """
SELECT oid::bigint AS oid, relname AS name, relpersistence = 'u' AS unlogged,
    replace(array_to_string(reloptions, ', '), '=', ' = ') AS options,
    obj_description(oid, 'pg_class') AS comment
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' ORDER BY relname
"""
COLUMNS = """
SELECT attrelid::bigint AS "table", quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type,
    attnotnull AS required, attidentity <> '' AS is_identity, pg_get_expr(adbin, adrelid) AS default,
    CASE WHEN attcollation <> typcollation THEN collname END AS collation,
    col_description(attrelid, attnum) AS comment
FROM pg_attribute
JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum
"""
CONSTRAINTS = """
SELECT conrelid::bigint AS "table", conname AS name, pg_get_constraintdef(oid, true) AS definition,
    conrelid::regclass::text AS owner, obj_description(oid, 'pg_constraint') AS comment,
    CASE WHEN condeferrable THEN confrelid::bigint END AS later_than
FROM pg_constraint WHERE contype IN ('p', 'u', 'c', 'f', 'x')
ORDER BY conrelid, array_position('{p,u,x,c,f}', contype::text), conname
"""
INDEXES = """
SELECT indrelid::bigint AS "table", pg_get_indexdef(indexrelid, 0, true) AS definition,
    obj_description(indexrelid, 'pg_class') AS comment
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
ORDER BY indrelid, NOT indisunique, relname
"""
TRIGGERS = """
SELECT tgrelid::bigint AS "table", pg_get_triggerdef(oid, true) AS definition, tgfoid::bigint AS function,
    obj_description(oid, 'pg_trigger') AS comment
FROM pg_trigger WHERE NOT tgisinternal
ORDER BY tgrelid, tgtype & 2 = 0, tgdeferrable, tgname
"""
FUNCTIONS = """
SELECT pg_proc.oid::bigint AS oid, proname AS name, pg_get_function_arguments(pg_proc.oid) AS arguments,
    pg_get_function_result(pg_proc.oid) AS result, lanname AS language,
    concat(
        CASE provolatile WHEN 'i' THEN ' IMMUTABLE' WHEN 's' THEN ' STABLE' END,
        CASE proparallel WHEN 's' THEN ' PARALLEL SAFE' WHEN 'r' THEN ' PARALLEL RESTRICTED' END,
        CASE WHEN proisstrict THEN ' STRICT' END
    ) AS options,
    prosrc AS body, obj_description(pg_proc.oid, 'pg_proc') AS comment
FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
WHERE pronamespace = 'public'::regnamespace ORDER BY proname
"""

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """What one migration has created."""

    title: str
    tables: list[str]
    functions: list[str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    tables: dict[str, Item]
    columns: Sequence[Item]
    constraints: Sequence[Item]
    indexes: Sequence[Item]
    triggers: Sequence[Item]
    functions: dict[int, Item]


async def render(url: str) -> str:
    """The file for a migrated database."""
    connection = await asyncpg.connect(url)
    try:
        catalogue = Catalogue(
            tables={table["name"]: table for table in await connection.fetch(TABLES)},
            columns=await connection.fetch(COLUMNS),
            constraints=await connection.fetch(CONSTRAINTS),
            indexes=await connection.fetch(INDEXES),
            triggers=await connection.fetch(TRIGGERS),
            functions={function["oid"]: function for function in await connection.fetch(FUNCTIONS)},
        )
    finally:
        await connection.close()
    return "\n\n".join([_comment(HEADER), *_sections(catalogue)]) + "\n"


def sections() -> Iterator[Section]:
    """What each migration creates, in their order."""
    for file in sorted((migrate.MIGRATIONS / "versions").glob("[0-9]*.py")):
        text = file.read_text()
        tables = re.findall(r"CREATE (?:UNLOGGED )?TABLE (\w+)", text)
        functions = re.findall(r"CREATE FUNCTION (\w+)", text)
        if tables or functions:
            yield Section(text.split('"""')[1].splitlines()[0], tables, functions)


def _sections(catalogue: Catalogue) -> Iterator[str]:
    tables, functions = dict(catalogue.tables), dict(catalogue.functions)
    for section in sections():
        yield f"{'-' * WIDTH}\n{_comment(section.title)}\n{'-' * WIDTH}"
        for name in section.tables:
            if name in tables:
                yield from _table(tables.pop(name), catalogue, functions)
        used = {trigger["function"] for trigger in catalogue.triggers}
        for oid, function in list(functions.items()):
            if function["name"] in section.functions and oid not in used:
                yield _function(functions.pop(oid))
    if tables or functions:
        raise LookupError(f"no migration says that it creates {[*tables, *functions.values()]}")


def _table(table: Item, catalogue: Catalogue, functions: dict[int, Item]) -> Iterator[str]:
    """A table and what belongs to it, and foreign keys of earlier tables that refer to it and are deferrable.

    A function is taken out and shown before its first trigger.
    """
    columns, constraints, indexes, triggers = (
        [item for item in items if item["table"] == table["oid"]]
        for items in (catalogue.columns, catalogue.constraints, catalogue.indexes, catalogue.triggers)
    )
    constraints = [each for each in constraints if not each["later_than"]]
    lines = [_described(column, _column(column)) for column in columns]
    lines += [_described(each, _constraint(each)) for each in constraints]
    inside = ",\n".join(lines)
    if constraints:
        inside = inside.replace(lines[len(columns)], "\n" + lines[len(columns)], 1)
    options = f" WITH ({table['options']})" if table["options"] else ""
    unlogged = "UNLOGGED " * table["unlogged"]
    created = f"CREATE {unlogged}TABLE {table['name']} (\n{textwrap.indent(inside, '    ')}\n){options};"
    yield _described(table, created)
    if indexes:
        yield "\n".join(_described(index, _index(index)) for index in indexes)
    for each in catalogue.constraints:
        if each["later_than"] == table["oid"]:
            yield _described(each, f"ALTER TABLE {each['owner']} ADD\n    {_constraint(each)};")
    for trigger in triggers:
        if trigger["function"] in functions:
            yield _function(functions.pop(trigger["function"]))
        yield _described(trigger, _trigger(trigger))


def _column(column: Item) -> str:
    parts = [column["name"], column["type"].replace("timestamp with time zone", "timestamptz")]
    if column["collation"]:
        parts.append(f'COLLATE "{column["collation"]}"')
    if column["is_identity"]:
        parts.append("GENERATED BY DEFAULT AS IDENTITY")
    if column["default"] is not None:
        parts.append(f"DEFAULT {_readable(column['default'])}")
    if column["required"]:
        parts.append("NOT NULL")
    return " ".join(parts)


def _constraint(constraint: Item) -> str:
    return _fitted(f"CONSTRAINT {constraint['name']} {_readable(constraint['definition'])}", WIDTH - 4)


def _index(index: Item) -> str:
    definition = _readable(index["definition"].replace(" USING btree", "")) + ";"
    return _broken(definition, " WHERE ") if len(definition) > WIDTH else definition


def _trigger(trigger: Item) -> str:
    definition = _readable(trigger["definition"]).replace(" NOT DEFERRABLE INITIALLY IMMEDIATE", "")
    for keyword in (" DEFERRABLE", " REFERENCING ", " FOR EACH ", " EXECUTE "):
        definition = _broken(definition, keyword)
    return _fitted(f"{definition};", WIDTH)


def _function(function: Item) -> str:
    body = textwrap.dedent(function["body"].strip("\n")).rstrip()
    head = f"CREATE FUNCTION {function['name']}({function['arguments']}) RETURNS {function['result']}"
    created = f"{head} LANGUAGE {function['language']}{function['options']} AS $$\n{body}\n$$;"
    return _described(function, created)


def _readable(definition: str) -> str:
    """As in the migration: PostgreSQL says `kind = ANY (ARRAY['a'::text, 'b'::text])` for `kind IN ('a', 'b')`."""
    plain = re.sub(r"('[^']*')::text\b(?!\[)", r"\1", definition)
    plain = re.sub(r" = ANY \(ARRAY\[([^][]*)\]\)", r" IN (\1)", plain)
    first, *rest = plain.splitlines()
    if not rest:
        return first
    inner = textwrap.dedent("\n".join(line.rstrip() for line in rest)).removesuffix(")")
    return f"{first.rstrip()}\n{textwrap.indent(inner, '    ')}\n)"


def _fitted(text: str, width: int) -> str:
    """Without lines that are too long."""
    indents = [re.match(" *", line)[0] + "    " for line in text.splitlines()]  # type: ignore[index]
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        for line, indent in zip(text.splitlines(), indents, strict=True)
    )


def _broken(definition: str, keyword: str) -> str:
    return definition.replace(keyword, f"\n    {keyword.lstrip()}", 1)


def _described(item: Item, text: str) -> str:
    return f"{_comment(item['comment'])}\n{text}" if item["comment"] else text


def _comment(text: str) -> str:
    paragraphs = text.strip().split("\n\n")
    width = WIDTH - 4  # a column's comment is indented
    return "\n--\n".join(
        textwrap.fill(part, width, initial_indent="-- ", subsequent_indent="-- ") for part in paragraphs
    )


def write() -> None:
    """Write the file from a database of its own."""
    with tempfile.TemporaryDirectory(prefix="style-license-schema-") as directory:
        database = EmbeddedPostgres(Path(directory) / "postgres")
        url = database.start()
        try:
            migrate.upgrade(url)
            FILE.write_text(asyncio.run(render(url)))
        finally:
            database.stop()


if __name__ == "__main__":
    write()
