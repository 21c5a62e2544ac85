"""docs/tables.md: every table and view, from the tables as they stand after all migrations and docs/tables.toml."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

ROOT = Path(__file__).parents[2]
CURRENT = ROOT / "schemas" / "clickhouse" / "CURRENT.sql"
NOTES = ROOT / "docs" / "tables.toml"
HEAD = """# Tables

Every table and view of the store, from its migrations (`make docs`), for reports and dashboards of your own. Read
`FINAL` of a `ReplacingMergeTree`, and sums of an `AggregatingMergeTree`. Columns and tables may be added at any time;
one that is taken away is named in the [changelog](../CHANGELOG.md) a version before. Times are UTC, rates are ratios.
How long rows are kept: [data.md](data.md). The statements themselves:
[CURRENT.sql](../schemas/clickhouse/CURRENT.sql).
"""
Sentence = Annotated[str, Meta(pattern=r"\.$")]


class TableNote(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a table is for; columns alone whose names do not say it."""

    about: Sentence
    columns: dict[str, str] = msgspec.field(default_factory=dict)


class Group(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Tables that belong together."""

    title: str
    tables: dict[str, TableNote]


class Notes(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file docs/tables.toml."""

    group: list[Group]


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view as it stands; `columns` are names with types."""

    kind: str
    columns: dict[str, str]
    engine: str
    order: str
    kept: str


STATEMENT = re.compile(r"^CREATE (MATERIALIZED VIEW|VIEW|TABLE) reputation\.(\w+)(.*?);$", re.MULTILINE | re.DOTALL)
COLUMN = re.compile(r"^    `(\w+)` (.+?)(?: DEFAULT .+?)?(?: CODEC\(.+\))?,?$", re.MULTILINE)
KEPT = re.compile(r"^TTL .*?toInterval(\w+)\((\d+)\)", re.MULTILINE | re.DOTALL)


def tables() -> dict[str, Table]:
    """All of CURRENT.sql, by name."""
    found = {}
    for kind, name, text in STATEMENT.findall(CURRENT.read_text(encoding="utf-8")):
        engine, order = (
            re.search(r"^ENGINE = (\w+)", text, re.MULTILINE),
            re.search(r"^ORDER BY (.+)$", text, re.MULTILINE),
        )
        kept = KEPT.search(text)
        found[name] = Table(
            kind.lower(),
            dict(COLUMN.findall(text)),
            engine[1] if engine else "",
            order[1].strip("()") if order else "",
            f"{kept[2]} {kept[1].lower()}s" if kept else "",
        )
    return found


def notes() -> list[Group]:
    """What docs/tables.toml says of them.

    Raises:
        msgspec.ValidationError: the file is not as it should be.
    """
    return msgspec.toml.decode(NOTES.read_bytes(), type=Notes).group


def page() -> str:
    """The whole page."""
    known = tables()
    parts = [HEAD]
    for group in notes():
        parts.append(f"\n## {group.title}\n")
        parts += (_table(name, known[name], note) for name, note in group.tables.items())
    return "".join(parts)


def _table(name: str, table: Table, note: TableNote) -> str:
    facts = [table.kind if table.kind != "table" else f"{table.engine} by {table.order}"]
    if table.kept:
        facts.append(f"rows of {table.kept} unless `[retention]` says otherwise")
    lines = [f"\n### `{name}`\n\n{note.about} ({'; '.join(facts)})\n\n| column | type | |\n|---|---|---|\n"]
    lines += [f"| `{column}` | {kind} | {note.columns.get(column, '')} |\n" for column, kind in table.columns.items()]
    return "".join(lines)
