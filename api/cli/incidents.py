"""The commands `repmon incidents ...`: what hit many customers together, and what an operator decides of it."""

from collections.abc import Iterator

import click

from api.cli.durations import since_ms, until_ms
from api.cli.lazy import command
from api.cli.options import an_id, by, json_lines, needed_why, with_reached
from api.cli.printing import note_if_none, print_json, print_line
from jobs.operator.incidents import declare_incident, dismiss_incident, find_incident
from schemas.blocklists import in_force
from schemas.incident import EVERYWHERE, Incident
from schemas.providers import OTHER, load_providers
from schemas.settings import Settings
from schemas.times import HOUR_S, utc_now_ms
from schemas.wording import percent, rfc3339
from streams.incidents.stored import read_incidents
from streams.io.store import open_store

#: What recipients met, in words.
OUTCOMES = {
    "hard": "answered that recipients do not exist",
    "block": "refused mail",
    "expired": "let mail expire",
    "complained": "complained",
    "declared": "declared by an operator",
    "listed": "names many at once",
}


#: The same of a customer who is not excused by an incident.
MET = {"hard": "unknown", "block": "refused", "expired": "given up", "complained": "complained"}


@command("repmon incidents list --since 7d", name="list")
@click.option("--since", default="30d", help="Only those that went on within this time, for example 7d.")
@json_lines
@with_reached
def list_incidents(settings: Settings, since: str, as_json: bool) -> None:
    """Show incidents.

    Oldest first. Mail of those that are detected or declared is left out of what customers are judged by.
    """
    store = open_store(settings.clickhouse)
    found = read_incidents(store, since_ms(since, "--since", utc_now_ms()) // 1000).in_force()
    store.close()
    note_if_none(found, "no incidents")
    for each in sorted(found, key=lambda each: (each.from_s, each.id)):
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))


@command("repmon incidents show 3f9c", name="show")
@an_id
@json_lines
@with_reached
def show_incident(settings: Settings, which: str, as_json: bool) -> None:
    """Show one incident.

    ID is the incident's id, or a unique prefix of it.
    """
    store = open_store(settings.clickhouse)
    found = find_incident(store, which)
    store.close()
    if as_json:
        print_json(found)
        return
    for line in as_lines(found):
        print_line(line)


@command(
    'repmon incidents declare gmail --from 2026-03-12T10:00:00Z --until 2026-03-12T12:00:00Z --by Ida --why "outage"',
    name="declare",
)
@click.argument("place")
@click.option("--from", "begin", required=True, help="Its begin: a time (RFC 3339), or 2h ago as 2h. The whole hour.")
@click.option("--until", required=True, help="Its end: a time (RFC 3339), or 2h from now as 2h. The whole hour.")
@by
@needed_why
@with_reached
def declare(settings: Settings, place: str, begin: str, until: str, by: str, why: str) -> None:
    """Judge nobody by mail to a provider, or by a list's listings.

    PLACE is one of the mailbox providers, '*' for all mail, a blocklist, or a network on one
    (192.0.2.0/24@zen.spamhaus.org): then what began to be listed in that time is held against nobody. Running monitors
    judge by it within seconds, and who was flagged by that alone is released at once.
    """
    now_ms = utc_now_ms()
    store = open_store(settings.clickhouse)
    found = declare_incident(
        store,
        place,
        _begin_ms(begin, now_ms),
        until_ms(until, "--until", now_ms),
        zones={each.zone for each in in_force(settings.blocklists)},
        providers={OTHER, *(each.name for each in load_providers().all)},
        by=by,
        why=why,
        now_ms=now_ms,
    )
    store.close()
    print_line(as_line(found))


@command('repmon incidents dismiss 3f9c --by Ida --why "a bought list that several shared"', name="dismiss")
@an_id
@by
@needed_why
@with_reached
def dismiss(settings: Settings, which: str, by: str, why: str) -> None:
    """Count the mail of an incident again.

    ID is the incident's id, or a unique prefix of it. Running monitors judge by it within seconds. Alerts that are held
    because it was suspected are confirmed, if they are still excessive.
    """
    store = open_store(settings.clickhouse)
    found = dismiss_incident(store, which, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(as_line(found))


def _begin_ms(text: str, now_ms: int) -> int:
    is_ago = text.strip()[-1:] in ("s", "m", "h", "d")
    return since_ms(text, "--from", now_ms) if is_ago else until_ms(text, "--from", now_ms)


def as_line(found: Incident) -> str:
    """One incident as one line of text."""
    where = "all mail" if found.value == EVERYWHERE else found.value
    until = "goes on" if found.open else f"until {rfc3339(found.until_s * 1000)}"
    struck = f", {found.struck} struck, {found.spared} spared" if found.struck else ""
    decided = f", by {found.by}: {found.why}" if found.by else ""
    what = OUTCOMES.get(found.outcome, found.outcome)
    if found.dimension == "customer":
        met = f"{percent(found.rate)} {MET[found.outcome]}, of others {percent(found.usual)}"
        what = f"not excused by an incident, {met}"
    return f"{found.id}  {found.state}  {where}: {what}, {rfc3339(found.from_s * 1000)} {until}{struck}{decided}"


def as_lines(found: Incident) -> Iterator[str]:
    """All that is known of one incident, line by line."""
    yield as_line(found)
    if found.struck and found.dimension == "listing":
        yield (
            f"  {percent(found.rate)} of those who can tell, usual in an hour {percent(found.usual)}; "
            f"found {rfc3339(found.detected_ms)}"
        )
    elif found.struck:
        yield (
            f"  rate of those who were struck {percent(found.rate)}, usual there {percent(found.usual)}; "
            f"found {rfc3339(found.detected_ms)}"
        )
    if found.why and not found.by:
        yield f"  {found.state} because {found.why}"
    hours = ", ".join(rfc3339(hour * 1000)[:16] for hour in found.hours)
    nobody = "held against nobody" if found.dimension == "listing" else "left out of what customers are judged by"
    left = nobody if found.leaves_out else "counted"
    yield f"  {len(found.hours) * HOUR_S // 3600} h, {left}: {hours}"
    for each in found.examples:
        sample = f", {each.sample}" if each.sample else ""
        yield f"  {each.customer}: {each.failed} of {each.total}{sample}"
