"""`repmon alerts`: the alerts sent, and which of them are open."""

import click
import msgspec

from api.cli.durations import since_ms
from api.cli.lazy import group
from api.cli.options import only_customer, with_reached
from api.cli.printing import note_if_none, print_json_text, print_line
from api.cli.stopping import until_signalled
from api.cli.table import ALERTS
from api.text.alert_line import alert_line
from schemas.alert import AlertEvent
from schemas.levels import LEVELS
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.alerts.sent import AlertFilter, SentAlert, open_alerts, sent_alerts
from streams.io.store import open_store

REFRESH_S = 1.0


@group(
    "repmon alerts --open",
    "repmon alerts --since 24h --level excessive --customer acme",
    "repmon alerts --follow --json",
    name="alerts",
    commands=ALERTS,
)
@click.option("--open", "only_open", is_flag=True, help="Only those not resolved yet, as they stand now.")
@click.option("--level", type=click.Choice(LEVELS[1:]), help="Only those of this level or a worse one.")
@click.option("--since", default="", help="Only of this last period, for example 24h.")
@only_customer
@click.option("--limit", type=click.IntRange(1), help="At most this many, the newest.")
@click.option("--follow", "-f", is_flag=True, help="Keep printing new alerts.")
@click.option("--json", "as_json", is_flag=True, help="The CloudEvents as they were sent.")
@with_reached
def alerts(
    settings: Settings,
    only_open: bool,
    level: str | None,
    since: str,
    customer: str,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the alerts sent, oldest first.

    A line is one transition: when it happened, the alert's id, what happened, to whom, by which rule, the level, and
    why. With --open a line is an alert. `ack` and `text` take the id.
    """
    if only_open and follow:
        raise SettingsError("--open and --follow: give one of them")
    levels = LEVELS[LEVELS.index(level) :] if level else ()
    wanted = AlertFilter(customer, levels, since_ms(since, "--since", utc_now_ms()), limit)
    store, stop = open_store(settings.clickhouse), until_signalled()
    if only_open:
        found = open_alerts(store, wanted)
        note_if_none(found, "no open alerts")
        _show(found, as_json=as_json)
        return
    found = sent_alerts(store, wanted)
    note_if_none(found, "no alerts")
    _show(found, as_json=as_json)
    last = found[-1] if found else None
    while follow and not stop.wait(REFRESH_S):
        for each in (found := sent_alerts(store, wanted._replace(limit=None), last)):
            _show([each], as_json=as_json)
        last = found[-1] if found else last


def _show(found: list[SentAlert], *, as_json: bool) -> None:
    for each in found:
        if as_json:
            print_json_text(each.event)
        else:
            print_line(alert_line(msgspec.json.decode(each.event, type=AlertEvent)))
