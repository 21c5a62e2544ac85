"""How long each panel of the dashboards takes, on 10,000 customers and 30 days.

    python -m benchmarks.dashboards
    python -m benchmarks.dashboards --store /var/tmp/filled      keeps the store, and uses it again

Each customer sends every hour to two mailbox providers, from one address, one pool and one domain: 36 million rows of
counts; three million bounces and complaints, and what belongs to them. Queries are asked of chDB as Grafana's plugin
would send them, for the last 30 days, one after the other.
"""

import argparse
import os
import shlex
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from benchmarks import results
from benchmarks.results import Figure
from benchmarks.stored import settle
from dashboards.board import QueryVariable
from dashboards.boards import build_dashboards
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import Store, open_store
from tests.support.grafana_macros import ALL, Chosen, expanded, queries_of

DAYS = 30
#: What Grafana takes for 30 days on a panel of 1,000 pixels.
INTERVAL_S = 3_600
#: What a panel may take, in s.
ASKED_S = 1.0
CHOSEN: Chosen = {"customer": "customer-7", "level": ALL, "stream": ALL, "provider": ALL, "pool": ALL}

PROVIDER = "['gmail', 'yahoo', 'microsoft', 'apple', 'other', 'gmx', 'web.de', 'orange'][1 + (h % 8)]"
ADDRESS = "concat('192.0.', toString(rank % 16), '.', toString(intDiv(rank, 16) % 250))"
#: Dimension and value, each a row of each customer and hour.
COUNTED = (
    ("provider", PROVIDER),
    ("provider", PROVIDER),
    ("ip", ADDRESS),
    ("pool", "concat('pool-', toString(rank % 20))"),
    ("from", "concat('d', toString(rank), '.example')"),
)
COUNTS = """
INSERT INTO counts (dimension, customer, stream, class, bucket, value, source,
    delivered, hard, soft, block, expired, deferred, complained, last_offset)
WITH number % {{customers:UInt32}} AS rank, intDiv(number, {{customers:UInt32}}) AS hour, sipHash64(number, {seed}) AS h
SELECT '{dimension}', concat('customer-', toString(rank)), ['receipts', 'news', 'alerts'][1 + rank % 3], 'bulk',
    toDateTime(toStartOfHour(now()) - hour * 3600 + 60 * (h % 60)), {value}, concat('bench/', toString(rank % 8)),
    1 + h % 300, h % 53 = 0, h % 59 = 0, h % 83 = 0, h % 911 = 0, h % 37 = 0, h % 4999 = 0, number
FROM numbers({{customers:UInt64}} * 24 * {days})
SETTINGS max_insert_threads = 2, max_block_size = 1000000, min_insert_block_size_rows = 1000000
"""

LEVEL = "['watch', 'warning', 'excessive', 'critical'][1 + number % 4]"
NAME = "concat('customer-', toString(number % {customers:UInt32}))"
AGO = "now64(3) - toIntervalSecond(sipHash64(number) % 2592000)"
EVENT = (
    """concat('{"data": {"alert_id": "', hex(sipHash64(number)), '", "explanation": "65 of 249 recipients failed, of """
    """mail sent in the last 6h: 26.10 % (interval 15.95 % to 38.43 %), at or above the threshold of 10.00 %.", """
    """"evidence": {"providers": [{"name": "gmail", "count": 60}], "ips": [{"name": "192.0.2.1", "count": 60}], """
    """"bounce_classes": [{"name": "invalid-recipient", "count": 65, "sample": "550 5.1.1 no such user here"}], """
    """"sample_message_ids": ["<1@example>", "<2@example>"], "from_domains": [], "campaigns": []}}}')"""
)
STATE = (
    """concat('{"opened_ms": ', toString(toUnixTimestamp64Milli(now64(3)) - number), ', "level": "watch", """
    """"acknowledged": {"by": "Ida", "why": "seen"}}')"""
)
#: How many rows of what else there is, and the rest of the INSERT.
OTHERS: dict[str, tuple[int, str]] = {
    "standings": (30_000, f"""(customer, scope, updated, standing, since, volume, complaint_rate, policy_version)
        SELECT {NAME}, ['customer', 'stream:news', 'stream:receipts'][1 + intDiv(number, {{customers:UInt32}}) % 3],
        {AGO}, if(number % 50 = 0, {LEVEL}, 'good'), {AGO}, number, number / 1e9, 'p1'"""),
    "scores": (300_000, f"""(customer, scope, day, updated, standing, overall_score)
        SELECT {NAME}, 'customer', toDate(now()) - intDiv(number, {{customers:UInt32}}),
        now() - toIntervalDay(intDiv(number, {{customers:UInt32}})), 'good', number % 100"""),
    "alerts": (60_000, f"""(customer, time, id, scope, rule, episode, transition, kind, cause, level, previous_level,
        window, numerator, denominator, rate, lower, threshold, event)
        SELECT {NAME}, {AGO}, toString(number), if(number % 2 = 0, 'customer', 'stream:news'),
        ['complaints', 'failures', 'blocks'][1 + number % 3], 1, number % 3,
        ['opened', 'escalated', 'resolved'][1 + number % 3], 'events', {LEVEL}, 'good', '24h', 65, 249, 0.261, 0.1595,
        0.1, {EVENT}"""),
    "alert_states": (30_000, f"""(customer, scope, rule, updated, level, state)
        SELECT {NAME}, if(number % 2 = 0, 'customer', 'stream:news'),
        ['complaints', 'failures', 'blocks'][1 + number % 3], {AGO}, if(number % 30 = 0, {LEVEL}, 'good'), {STATE}"""),
    "events": (3_000_000, f"""(customer, time, type, id, stream, class, recipient_hash, provider, sending_ip, ip_pool,
        from_domain, smtp_code, diagnostic, bounce_class, bounce_kind, source, position)
        WITH sipHash64(number, 7) AS h SELECT {NAME}, {AGO}, if(number % 9 = 0, 'complained', 'bounced'),
        toString(number), ['receipts', 'news', 'alerts'][1 + number % 3], 'bulk', hex(h), {PROVIDER}, '192.0.2.1',
        concat('pool-', toString(number % 20)), 'd.example', 550,
        concat('550 5.7.1 [', toString(h % 1000), '] message refused for its reputation, see https://example.net/help'),
        ['invalid-recipient', 'spam-related', 'quota', 'policy'][1 + h % 4], ['hard', 'block', 'soft'][1 + h % 3],
        'bench/0', number"""),
    "listing_events": (40_000, f"""(resource, kind, zone, time, type, weight, meaning, id)
        SELECT concat('192.0.', toString(number % 16), '.', toString(number % 250)), 'ip',
        concat('bl', toString(number % 12), '.example'), {AGO}, if(number % 3 = 0, 'delisted', 'listed'), 'critical',
        'spam source', toString(number)"""),
    "listing_causes": (5_000, f"""(resource, kind, zone, began, weight, confirmed, ended, pool, attributed, users,
        customers, shares) SELECT concat('192.0.', toString(number % 16), '.', toString(number % 250)), 'ip',
        concat('bl', toString(number % 12), '.example'), {AGO} - INTERVAL 1 DAY,
        ['critical', 'major', 'minor', 'informational'][1 + number % 4], 1,
        if(number % 10 = 0, toDateTime64(0, 3), {AGO}), concat('pool-', toString(number % 20)), 'shared', 2,
        [{NAME}, 'customer-1'], [0.8, 0.2]"""),
    "blocklist_looks": (40_000, f"""(resource, zone, looked, updated)
        SELECT concat('192.0.', toString(number % 16), '.', toString(number % 250)),
        concat('bl', toString(number % 12), '.example'), {AGO}, {AGO}"""),
    "audit": (300_000, f"""(time, who, action, customer, subject, why) SELECT {AGO}, 'Ida',
        ['read', 'read', 'read', 'alert acknowledged', 'customer suspended'][1 + number % 5], {NAME}, toString(number),
        'seen'"""),
    "fleet_incidents": (400, f"""(id, decided, dimension, value, outcome, state, leaves_out, open, hours, detail,
        updated) SELECT toString(intDiv(number, 2)), number % 2, 'provider', 'gmail', 'deferred', 'detected', 1, 0,
        arrayMap(each -> toDateTime({AGO}) + each * 3600, range(6)), '{{"rate": 0.4, "usual": 0.01, "struck": 40}}',
        now()"""),
    "policy_levels": (400, f"""(since, rule, metric, windows, level, threshold, version)
        SELECT now64(3) - toIntervalDay(intDiv(number, 8)), toString(number % 8),
        ['complaint', 'failure', 'block'][1 + number % 3], ['24h'], {LEVEL}, 0.001 * (1 + number % 9), 'p'"""),
    "policies": (50, f"(applied, version, applied_by, why, text) SELECT {AGO}, 'p', 'Ida', 'stricter', 'text'"),
    "suspensions": (60, f"""(customer, suspended, since, who, why, updated)
        SELECT {NAME}, 1, {AGO}, 'Ida', 'spam', now()"""),
    "blocklist_trust": (40, "(zone, family, trusted, since, updated) SELECT toString(number), 'ipv4', 1, now(), now()"),
    "holds": (20, f"(id, reason, until, detail, updated) SELECT toString(number), 'brake', {AGO}, '{{}}', now()"),
}  # fmt: skip


class Took(NamedTuple):
    """What a query took at its best, which is what others on the machine slow least: s on the clock, s of CPU; and rows
    of its answer."""

    name: str
    seconds: float
    cpu_s: float
    rows: int


def fill(store: Store, customers: int, days: int, *, only_counts: bool = False) -> None:
    """Fill what is empty."""

    def is_short(table: str, rows: int) -> bool:
        return bool(store.rows(f"SELECT count() FROM {table}")[0][0] < rows)  # noqa: S608 - names of this module

    if is_short("counts", 1):
        for seed, (dimension, value) in enumerate(COUNTED):
            sql = COUNTS.format(seed=seed, dimension=dimension, value=value, days=days)
            store.run(sql, {"customers": customers})
            print(f"  counted by {dimension}", flush=True)
    for table, (rows, rest) in () if only_counts else OTHERS.items():
        if is_short(table, rows // 2):
            # Without a parameter in it the driver would take `%` for one of its own.
            bound = {"customers": customers} if "{customers" in rest else {}
            store.run(f"INSERT INTO {table} {rest} FROM numbers({rows})", bound)
            print(f"  {rows:,} rows of {table}", flush=True)


def measure(store: Store, repeats: int) -> list[Took]:
    """Every query of every dashboard: panels, what is marked, and what may be chosen."""
    boards = build_dashboards()
    asked = {name: query.raw_sql for name, query in queries_of(boards).items()}
    for board in boards:
        for variable in board.templating.list:
            if isinstance(variable, QueryVariable):
                asked[f"{board.uid.removeprefix('repmon-')}: choice of {variable.name}"] = variable.query.raw_sql
    now = datetime.now(UTC)
    found = []
    for name, sql in asked.items():
        sent = expanded(sql, now - timedelta(days=DAYS), now, INTERVAL_S, CHOSEN)
        times, cpus, rows = [], [], 0
        for _ in range(repeats):
            began, cpu = time.perf_counter(), time.process_time()
            rows = len(store.rows(sent))
            times.append(time.perf_counter() - began)
            cpus.append(time.process_time() - cpu)
        found.append(Took(name, min(times), min(cpus), rows))
        print(f"  {found[-1].seconds:6.2f} s  {found[-1].cpu_s:5.2f} s CPU  {rows:6,} rows  {name}", flush=True)
    return found


def figures(found: list[Took], note: str) -> list[Figure]:
    """The slowest of each dashboard, and how many took longer than they may."""
    made = []
    for board in dict.fromkeys(each.name.partition(":")[0] for each in found):
        own = [each for each in found if each.name.startswith(f"{board}:")]
        slow, dear = max(own, key=lambda each: each.seconds), max(own, key=lambda each: each.cpu_s)
        name = slow.name.partition(": ")[2]
        made.append(Figure(name=f"{board}: slowest of {len(own)} queries", value=slow.seconds, unit="s", note=name))
        name = dear.name.partition(": ")[2]
        made.append(Figure(name=f"{board}: most CPU", value=dear.cpu_s, unit="s", note=name))
    # Others on the machine: with more than it has cores, times on the clock say little, and CPU is dearer too.
    made.append(Figure(name="processes that ran or waited to", value=os.getloadavg()[1], unit="", note="load of 5 min"))
    late = sum(each.seconds > ASKED_S for each in found)
    made.append(
        Figure(name=f"queries that take more than {ASKED_S:g} s", value=late, unit=f"of {len(found)}", note=note)
    )
    return made


def main(arguments: list[str]) -> None:
    """Fill, measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS, help="of counts")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", default="", help="a folder for the store that is kept and used again")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = chosen.store or stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-dashboards-"))
        settings = ClickHouse(path=folder, timeout_s=600)
        migrate(settings)
        store = open_store(settings)
        stack.callback(store.close)
        fill(store, chosen.customers, chosen.days)
        held = settle(store)
        size = f"{held.rows:,} rows of counts, {held.bytes / 1e6:,.0f} MB"
        note = f"{chosen.customers:,} customers, {chosen.days} days, {size}"
        print(f"  {note}", flush=True)
        found = measure(store, chosen.repeats)
    # Where the store was kept is nobody's business.
    asked = [each for each in arguments if each not in ("--store", chosen.store)]
    command = shlex.join(["python", "-m", "benchmarks.dashboards", *asked])
    results.save("dashboards", command, figures=figures(found, note), trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
