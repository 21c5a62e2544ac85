"""`repmon audit`: who decided what, and what was found of whom, as it is on record."""

import click

from api.cli.durations import since_ms
from api.cli.lazy import command
from api.cli.options import json_lines, only_customer, with_reached
from api.cli.printing import print_json, print_line, print_note
from jobs.operator.audit import Entry, entries
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store


@command("repmon audit --customer acme --since 90d", "repmon audit --people --json", name="audit")
@only_customer
@click.option("--since", default="30d", show_default=True, help="How far back, for example 30d.")
@click.option("--people", is_flag=True, help="Only what people decided, no verdicts.")
@click.option("--reads", is_flag=True, help="Also include what operators read of customers over HTTP.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most this many, the newest."
)
@json_lines
@with_reached
def show_audit(
    settings: Settings, customer: str, since: str, people: bool, reads: bool, limit: int, as_json: bool
) -> None:
    """Show who decided what, and what was found.

    Newest first: policies applied, overrides, acknowledgements, suspensions, changes of the customers' list, each with
    who and why; and every change of an alert, as the monitor's verdict.
    """
    from_ms = since_ms(since, "--since", utc_now_ms())
    store = open_store(settings.clickhouse)
    found = entries(store, from_ms, limit + 1, customer=customer, verdicts=not people, reads=reads)
    store.close()
    for each in found[:limit]:
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))
    if not found:
        print_note("nothing is on record")
    if len(found) > limit:
        print_note(f"there are more than these {limit:,}; --limit says how many are shown")


def as_line(entry: Entry) -> str:
    """One entry as one line of text."""
    what = " ".join(dict.fromkeys(each for each in (entry.customer, entry.subject) if each))
    detail = ", ".join(f"{name} {_said(name, value)}" for name, value in entry.detail.items() if value not in ("", []))
    why = f": {entry.why}" if entry.why else ""
    return f"{rfc3339(entry.time_ms)}  {entry.who or 'monitor'}  {entry.action}  {what}{why}" + (
        f"  ({detail})" if detail else ""
    )


def _said(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        return rfc3339(value)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
