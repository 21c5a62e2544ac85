"""`repmon notify`: tell people and other systems of alerts, and show what could not be told."""

import time
from contextlib import closing

import click

from api.cli.lazy import command, group
from api.cli.options import as_json as json_option
from api.cli.options import limit, told_where, with_reached, with_settings
from api.cli.printing import note_if_none, print_json, print_line, print_note
from api.cli.stopping import until_signalled
from api.cli.table import NOTIFY
from api.http.health import StageHealth
from api.stack.running import tune_memory
from api.stack.stage_server import served
from api.text.notify import failed_lines, route_lines
from jobs.notify.example import examples
from jobs.notify.notification import Notification
from jobs.notify.notifier import Notifier
from jobs.notify.outbox import Outbox
from jobs.notify.source import TOPICS
from jobs.notify.targets.target import check_routes, senders
from schemas.alert import ALERT_SOURCE
from schemas.notify import Route
from schemas.settings import Settings, SettingsError
from schemas.times import DAY_MS, utc_now_ms
from streams.io.broker import admin
from streams.io.store import open_store

NOT_TAKEN = 1
#: The embedded broker has no groups to share its partitions out, so that two would tell the same twice.
BY_ITSELF = (
    "notify: `repmon up` runs with its own broker and tells by itself: put the routes into its settings, and start it "
    "again"
)
only_route = click.option("--route", default="", help="Only this route's.")


@group("repmon notify", "repmon notify test on-call", name="notify", commands=NOTIFY)
@click.option("--once", is_flag=True, help="Send what there is, then end.")
@with_settings
def notify(written: Settings, once: bool) -> None:
    """Tell of alerts by the routes of the settings, until stopped.

    What could not be sent is tried again for a day, then it is a dead letter (`repmon notify failed`). `repmon up` does
    the same by itself where there are routes.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    with told_where(written) as settings:
        if settings.kafka.static_assignment and not written.kafka.static_assignment:
            raise SettingsError(BY_ITSELF)
        _routes(settings)
        run(settings, once=once)


def run(settings: Settings, *, once: bool) -> None:
    """Tell until stopped, or of what there is.

    Raises:
        NotifyError: a route cannot be used.
        BrokerError, StoreError: broker or store failed.
    """
    check_routes(settings.notify.routes)  # before anybody is waited for
    stop = until_signalled()
    tune_memory()
    with served(StageHealth("notify", settings, TOPICS, awaited=["notify"]), settings) as health:
        admin(settings.kafka)
        with closing(open_store(settings.clickhouse)) as store:
            notifier = Notifier(settings, store)
            health.numbers["notify"] = notifier.metrics
            notifier.run(stop, once=once)
    if once:
        numbers = notifier.metrics
        print_line(f"{numbers.sent:,} sent, {numbers.waiting:,} waiting, {numbers.failed:,} failed")


@command("repmon notify routes", name="routes")
@with_reached
def show_routes(settings: Settings) -> None:
    """Show the routes, and what waits and failed of each.

    `later` is what waits for a digest or for quiet hours to end; `sent` and `failed` are of the last 24 hours.
    """
    now_ms = utc_now_ms()
    with closing(open_store(settings.clickhouse)) as store:
        totals = Outbox(store).totals(now_ms, now_ms - DAY_MS)
    table = list(route_lines(settings.notify.routes, totals, now_ms))
    note_if_none(table, "no routes; each is a table `[[notify.routes]]` of the settings (docs/notify.md)")
    for line in table:
        print_line(line)


@command("repmon notify test on-call", name="test")
@click.argument("route")
@with_settings
def test_route(settings: Settings, route: str) -> None:
    """Send a marked example by one route, and say what came back.

    Nothing is stored. The exit code is 1 where the target does not take it.
    """
    meant = _routes(settings, route)[0]
    sender = senders([meant])[route]
    for word, event, parcel in examples(meant, ALERT_SOURCE, utc_now_ms()):
        began = time.monotonic()
        outcome = sender.send(parcel, [event], utc_now_ms())
        took = f"{time.monotonic() - began:.2f} s"
        if outcome.result != "taken":
            again = "; it would be tried again" if outcome.result == "later" else ""
            print_line(f"{word} {parcel.id}: not taken after {took}: {outcome.said}{again}")
            raise click.exceptions.Exit(NOT_TAKEN)
        print_line(f"{word} {parcel.id}: taken after {took}: {outcome.said}")


@command("repmon notify failed --route on-call", name="failed")
@only_route
@limit(50)
@json_option
@with_reached
def list_failed(settings: Settings, route: str, limit: int, as_json: bool) -> None:
    """Show notifications that no target took, newest first.

    The first columns are the id, by which `repmon notify retry` takes it, when it was to be sent, and the route.
    """
    with closing(open_store(settings.clickhouse)) as store:
        found = Outbox(store).failed(route, limit=limit)
    if route and not found:
        _routes(settings, route)
    if as_json:
        for each in found:
            print_json(each)
        return
    if not found:
        print_note("no dead letters")
        return
    for line in failed_lines(found):
        print_line(line)


@command("repmon notify retry --route on-call", "repmon notify retry msg_0f3c", name="retry")
@click.argument("ids", nargs=-1)
@only_route
@click.option("--all", "every", is_flag=True, help="All of them.")
@with_reached
def retry(settings: Settings, ids: tuple[str, ...], route: str, every: bool) -> None:
    """Send notifications again that no target took.

    They are given back to the stage that sends, which takes them up within seconds. An id may be shortened to a
    beginning that only one has.
    """
    if not (ids or route or every):
        raise SettingsError("notify retry: name ids, or give --route or --all")
    now_ms = utc_now_ms()
    with closing(open_store(settings.clickhouse)) as store:
        outbox = Outbox(store)
        failed = outbox.failed(route)
        if route and not failed:
            _routes(settings, route)
        meant = [_meant(failed, each) for each in dict.fromkeys(ids)] if ids else failed
        gone = {each.route for each in meant} - {each.name for each in settings.notify.routes}
        if gone:
            print_note(f"repmon: there is no route {', '.join(sorted(gone))} any more: what is for it waits")
        for each in meant:
            each.state, each.tries, each.next_try_ms, each.due_ms, each.batch = "waiting", 0, 0, now_ms, ""
        outbox.save(sorted(meant, key=lambda each: each.place), now_ms)
    print_line(f"{len(meant):,} to be sent again")


def _meant(failed: list[Notification], id_: str) -> Notification:
    found = [each for each in failed if each.id.startswith(id_)]
    if len(found) != 1:
        raise SettingsError(f"notify retry: {len(found)} dead letters have an id that begins with {id_!r}")
    return found[0]


def _routes(settings: Settings, name: str = "") -> list[Route]:
    """The routes, or the one that is named.

    Raises:
        SettingsError: there is none.
    """
    if not settings.notify.routes:
        raise SettingsError("notify.routes: there are none; a route is a table `[[notify.routes]]` (docs/notify.md)")
    found = [each for each in settings.notify.routes if name in ("", each.name)]
    if not found:
        names = ", ".join(each.name for each in settings.notify.routes)
        raise SettingsError(f"notify.routes: there is no {name!r}; there are {names}")
    return found
