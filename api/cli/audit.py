"""`repmon audit`: who decided what, and what was found of whom, as it is on record."""

from typing import Annotated

import typer

from api.cli.durations import seconds
from api.cli.printing import print_json, print_line, print_note
from jobs.embedded.folder import reached
from jobs.operator.audit import Entry, entries
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store


def show_audit(
    ctx: typer.Context,
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    since: Annotated[str, typer.Option("--since", help="How far back, for example 30d.")] = "30d",
    people: Annotated[bool, typer.Option("--people", help="Only what people decided, no verdicts.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most this many, the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line; times are epoch ms.")] = False,
) -> None:
    """Show what is on record, newest first: policies applied, overrides, acknowledgements, suspensions, changes of the
    customers' list, each with who and why; and every change of an alert, as the monitor's verdict."""
    ago_s = seconds(since, "--since") or 0.0
    now_ms = utc_now_ms()
    store = open_store(reached(ctx.obj).clickhouse)
    found = entries(store, max(0, now_ms - round(ago_s * 1000)), limit + 1, customer=customer, verdicts=not people)
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
