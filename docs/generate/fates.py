"""The part of `docs/formats.md` that says how each source tells each fate, from the files of `docs/fates`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

FOLDER = Path(__file__).parents[1] / "fates"
PAGE = Path(__file__).parents[1] / "formats.md"
BEGIN = "## How each fate is told\n"

#: The fates, in the order of the tables.
FATES: tuple[str, ...] = (
    "delivered",
    "deferred",
    "complaint",
    "unsubscribed",
    "hard bounce",
    "soft bounce",
    "blocked",
    "expired",
    "expired after refusals",
    "suppressed",
    "rejected",
    "auto-reply",
    "no mail",
)
#: The columns of each table, and which fates are told in one.
TABLES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("delivered",), ("deferred",), ("complaint",), ("unsubscribed",)),
    (("hard bounce",), ("soft bounce",), ("blocked",), ("expired", "expired after refusals")),
    (("suppressed",), ("rejected",), ("auto-reply",), ("no mail",)),
)
ABOUT = """
The same fate is the same event, whatever the source. What was given up after retries is `expired`: a source's last word
with a temporary reply (4yz, 4.x.x; RFC 3464 section 2.3.3) or with x.4.7. It carries the last reply where the source
tells that, and where this refused the sender (`421 ... due to user complaints`) it counts as `block`, not as failed.
`suppressed` is what was never sent because of the address, `rejected` what the source would not take in at all.
Auto-replies, and what is no mail of a customer (test posts, probes, opens and clicks, changes of lists, a vendor's word
on the account), give no event and no dead letter. The files in `docs/fates`, one a source, have an example of each, and
a test holds all sources against them.
"""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message, the fate that it tells, and in which words; without words it is a further example."""

    fate: str
    body: str
    told: str = ""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A format's cases, and the fates that it never tells."""

    case: tuple[Case, ...]
    never: tuple[str, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """All of its cases."""
        return self.case


def load(folder: Path, kind: type[T]) -> dict[str, T]:
    """The files of `folder`, one a source, by format name."""
    return {
        file.stem: msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), kind)
        for file in sorted(folder.glob("*.toml"))
    }


def load_fates(folder: Path = FOLDER) -> dict[str, Source]:
    """The files in `folder` by format name."""
    return load(folder, Source)


def section(table: Mapping[str, Source]) -> str:
    """The part of the page."""
    return BEGIN + ABOUT + "".join(f"\n{_table(columns, table)}" for columns in TABLES)


def page() -> str:
    """The page on formats with that part as it should be."""
    return with_section(PAGE.read_text(encoding="utf-8"), BEGIN, section(load_fates()))


def with_section(text: str, begin: str, new: str) -> str:
    """A page with a new part in place of the one with the heading `begin`, or at its end."""
    before, _, after = text.partition(begin)
    _, mark, rest = after.partition("\n## ")
    return before.rstrip("\n") + "\n\n" + new + (mark + rest if mark else "")


def _table(columns: tuple[tuple[str, ...], ...], table: Mapping[str, Source]) -> str:
    rows = ["| format | " + " | ".join(fates[0] for fates in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    rows += [
        f"| `{name}` | " + " | ".join(_cell(source, fates) for fates in columns) + " |"
        for name, source in table.items()
    ]
    return "\n".join(rows) + "\n"


def _cell(source: Source, fates: tuple[str, ...]) -> str:
    told = dict.fromkeys(case.told for case in source.cases if case.fate in fates and case.told)
    return "; ".join(told)
