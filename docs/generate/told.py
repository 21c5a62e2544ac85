"""The part of `docs/formats.md` that says what each source tells besides fates, from the files of `docs/fields`."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from docs.generate import fates

FOLDER = Path(__file__).parents[1] / "fields"
BEGIN = "## What each source tells\n"

#: The columns of each table: fields of an event, and how they are called there.
TABLES: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("customer", "customer"),
        ("stream", "stream"),
        ("sub_account", "sub-account"),
        ("ip_pool", "IP pool"),
        ("sending_ip", "sending address"),
    ),
    (
        ("from_domain", "From domain"),
        ("campaign", "campaign"),
        ("recipient", "recipient"),
        ("message_id", "message id"),
        ("sent", "when it was sent"),
    ),
    (("mx_host", "host of the provider"), ("enhanced_status", "enhanced status"), ("reply", "reply")),
)
COLUMNS = tuple(name for columns in TABLES for name, _ in columns)
ABOUT = """
Where each source tells what; an empty cell is not told. *Option* is a place that the mapping names: any field of the
record, or of the mail, where you put it. The provider of a recipient is found by the address' domain, and where that is
not one of a provider's by the *host*; of complaints also by who reports them. Without *when it was sent* a failure is
counted in the minute of its delivery, which is looked for by the message id. The files in `docs/fields`, one a source,
have messages of each that tell all that it can, and a test holds all sources against them. How fates are told is
[above](#how-each-fate-is-told).
"""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a mapping names, so that the messages tell all that they can."""

    customer: str = ""
    stream: str = ""
    sub_account: str = ""
    pool: str = ""


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each is told; empty where it never is."""

    customer: str
    stream: str
    sub_account: str
    ip_pool: str
    sending_ip: str
    from_domain: str
    campaign: str
    recipient: str
    message_id: str
    sent: str
    mx_host: str
    enhanced_status: str
    reply: str


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Messages of a format that together tell all that it can, and where."""

    full: tuple[str, ...]
    told: Told
    options: Options = Options()


def load_fields(folder: Path = FOLDER) -> dict[str, Fields]:
    """The files in `folder` by format name."""
    return fates.load(folder, Fields)


def section(sources: Mapping[str, Fields]) -> str:
    """The part of the page."""
    return BEGIN + ABOUT + "".join(f"\n{_table(columns, sources)}" for columns in TABLES)


def page() -> str:
    """The page on formats with this part, and that on fates, as they should be."""
    return fates.with_section(fates.page(), BEGIN, section(load_fields()))


def _table(columns: tuple[tuple[str, str], ...], sources: Mapping[str, Fields]) -> str:
    rows = ["| format | " + " | ".join(name for _, name in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, source in sources.items():
        rows.append(f"| `{name}` | " + " | ".join(getattr(source.told, each) for each, _ in columns) + " |")
    return "\n".join(rows) + "\n"
