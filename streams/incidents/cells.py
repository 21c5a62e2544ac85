"""What customers met at each mailbox provider in each hour, read from the counts.

First, by one query over all customers, the provider-hours in which some fail together; nearly always there is none.
Only of those the customers are read, with what they had in the weeks before.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE
from schemas.times import DAY_S, HOUR_S
from streams.incidents.accounts import Accounts, ByProvider, CellCounts
from streams.incidents.company import Company, Shared, nothing_known
from streams.incidents.detect import BAD_HISTORY, LEAST_USUAL, MORE, Outcome
from streams.incidents.first_day import AGE_S
from streams.incidents.hour_cells import LEAST_FAILING, LEAST_SHARE, LEAST_WEIGHT, OUTCOMES, TRIED
from streams.incidents.kept_cells import CELLS_WHERE, FAILED, OF_HOURS, TOTALS, KeptCells, no_state
from streams.incidents.surge import busiest_hours
from streams.incidents.told import last_expired
from streams.incidents.usual import HISTORY_S, FleetUsual
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut, ProviderHour
from streams.subjects.totals import bound as without_lookup

#: So many customers of a provider-hour are asked at most; a sample by their names tells as well as all.
MOST_ASKED = 2_000

#: Of so many customers who alarm it is asked in which hours their mail failed, and so many hours of each outcome are
#: looked at, since complaints are few beside bounces.
MOST_ALARMED, MOST_HOURS = 500, 8
FAILING_HOURS = """
SELECT toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(hard), sum(block), sum(expired), sum(complained)
FROM counts
WHERE dimension = 'provider' AND customer IN {customers:Array(String)}
    AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
GROUP BY hour
ORDER BY hour DESC
"""

#: Of all mail of a customer.
_ALL_MAIL = f"""
    SELECT customer, '*' AS value, toStartOfHour(bucket) AS hour, {FAILED}, {TOTALS}
    FROM counts
    WHERE dimension = 'provider' AND {OF_HOURS}
    GROUP BY customer, hour
"""  # noqa: S608 - made of texts of this project only

#: The provider-hours that may be candidates at all: here each customer weighs by its own rate, which no raised one
#: exceeds, and those against it by no more than the lowest raised rate. It costs a part of what trying each rate costs.
SUSPECTS = """
SELECT value, toUnixTimestamp(hour)
FROM
(
    {cells}
    UNION ALL
    {all_mail}
)
GROUP BY value, hour
HAVING {suspected}
"""
_SUSPECTED = """(countIf(({pro} AS {name}) >= 1) >= {{failing:UInt8}} AND sum({name}) >= {{least:Float64}}
        AND sum({name}) >= {{share:Float64}} * (sum({name}) + sum({contra})))"""
#: `detect`'s weights with the fleet's usual rate for everybody: where they are low, nothing would be found.
CANDIDATES = """
WITH
    last_expired AS
    (
        SELECT customer, max(expired_at) AS given_up
        FROM
        (
            SELECT customer, toStartOfHour(bucket) AS expired_at FROM counts
            WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
            GROUP BY customer, expired_at
            HAVING sum(expired) > 0
        )
        GROUP BY customer
    )
SELECT DISTINCT place, toUnixTimestamp(hour)
FROM
(
    SELECT place, hour, tried.1 AS outcome, raised,
        greatest(-3, least(3, tried.2 * log(raised / tried.4)
            + greatest(0, tried.3 - tried.2) * log((1 - raised) / (1 - tried.4)))) AS weight
    FROM
    (
        SELECT customer, place, hour, sum(n_hard) AS hard, sum(n_block) AS block, sum(n_expired) AS expired,
            sum(n_complained) AS complained, sum(n_finished) AS finished, sum(n_delivered) AS delivered
        FROM ({cells})
        ARRAY JOIN [value, '*'] AS place
        GROUP BY customer, place, hour
    ) AS met
    LEFT JOIN last_expired USING (customer)
    ARRAY JOIN [{tried}] AS tried
    ARRAY JOIN {{raised:Array(Float64)}} AS raised
    WHERE tried.3 > 0 AND raised >= tried.4 + tried.5
        AND (tried.1 != 'expired' OR tried.2 > 0 OR given_up >= hour)
)
GROUP BY place, hour, outcome, raised
HAVING countIf(weight >= 1) >= {{failing:UInt8}} AND sumIf(weight, weight > 0) >= {{least:Float64}}
    AND sumIf(weight, weight > 0) >= {{share:Float64}} * sum(abs(weight))
"""
_TRIED = ", ".join(
    f"('{each}', toFloat64({each}), toFloat64({'delivered' if each == 'complained' else 'finished'}),"
    f" transform(place, {{{{names:Array(String)}}}}, {{{{usual_{each}:Array(Float64)}}}}, {LEAST_USUAL[each]}),"
    f" {MORE[each]})"
    for each in OUTCOMES
)

#: Of customers, by provider, all hours together.
HISTORY = f"""
SELECT customer, value, sum(hard), sum(block), sum(expired), sum(complained), toInt64({finished_sql("sum({})")}),
    sum(delivered)
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    AND toStartOfHour(bucket) < toDateTime({{until:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value
"""  # noqa: S608 - made of texts of this project only
#: Of one customer since an hour.
ALL_MAIL = f"""
SELECT sum(hard), sum(block), sum(expired), sum(complained), toInt64({finished_sql("sum({})")}), sum(delivered)
FROM counts
WHERE dimension = 'provider' AND customer = {{customer:String}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
"""  # noqa: S608 - made of texts of this project only
#: Of customers at one provider, or all but some, by the minute of an hour.
BY_MINUTE = f"""
SELECT customer, toUnixTimestamp(bucket) AS minute, sum(hard), sum(block), sum(expired), sum(complained),
    toInt64({finished_sql("sum({})")}), sum(delivered)
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
    AND if({{place:String}} = '*', value NOT IN {{without:Array(String)}}, value = {{place:String}})
GROUP BY customer, minute
"""  # noqa: S608 - made of texts of this project only

#: The hour of the first mail there is, by the hourly projection.
FIRST_HOUR = """
SELECT toUnixTimestamp(toStartOfHour(bucket)) AS hour FROM counts
WHERE dimension = 'provider'
GROUP BY hour
ORDER BY hour
LIMIT 1
"""


class Failing(NamedTuple):
    """The hours (epoch s) that have most of each outcome of some customers, latest among equals; and how many
    recipients complained in all."""

    hours: set[int]
    complained: int


def failing_hours(store: Store, customers: Collection[str], since_s: int) -> Failing:
    """Of some customers, since `since_s` (epoch s).

    Raises:
        StoreError: the store failed.
    """
    some = sorted(customers, key=_shuffled)[:MOST_ALARMED]
    rows = store.rows(FAILING_HOURS, {"customers": some, "since": max(0, since_s)})
    found: set[int] = set()
    for outcome in range(1, 1 + len(OUTCOMES)):
        most = sorted((row for row in rows if row[outcome]), key=lambda row: -row[outcome])
        found |= {int(row[0]) for row in most[:MOST_HOURS]}
    return Failing(found, sum(int(row[1 + OUTCOMES.index("complained")]) for row in rows))


def candidates(store: Store, hours: Collection[int], usual: Mapping[str, CellCounts]) -> set[ProviderHour]:
    """The provider-hours of some hours (epoch s) in which customers fail together, by a rough look at all of them; `*`
    stands for all mail.

    Raises:
        StoreError: the store failed.
    """
    cells = CELLS_WHERE.format(where=OF_HOURS)
    asked = {"hours": sorted(hours), "raised": list(TRIED), **suspecting(usual)}
    suspects = store.rows(
        bound(SUSPECTS.format(cells=cells, all_mail=_ALL_MAIL, suspected=" OR ".join(map(suspected, OUTCOMES)))),
        asked,
    )
    if not suspects:
        return set()
    asked["hours"] = sorted({int(hour) for _, hour in suspects})
    asked["since"] = min(int(hour) for _, hour in suspects)
    sql = bound(CANDIDATES.format(cells=cells, tried=_TRIED))
    return {(str(place), int(hour)) for place, hour in store.rows(sql, asked)}


def suspecting(usual: Mapping[str, CellCounts]) -> dict[str, object]:
    """What `suspected` asks for."""
    names = sorted(usual)
    asked: dict[str, object] = {"failing": LEAST_FAILING, "least": LEAST_WEIGHT, "share": LEAST_SHARE}
    asked["names"] = names
    for each in OUTCOMES:
        rates = (usual[name].seen(each).rate for name in names)
        asked[f"usual_{each}"] = [min(0.5, max(rate, LEAST_USUAL[each])) for rate in rates]
    return asked


def suspected(outcome: Outcome) -> str:
    """The condition that some may have been struck by one outcome."""
    usual = (
        f"transform(value, {{{{names:Array(String)}}}}, {{{{usual_{outcome}:Array(Float64)}}}}, {LEAST_USUAL[outcome]})"
    )
    n, d = f"n_{outcome}", "toFloat64(n_delivered)" if outcome == "complained" else "toFloat64(n_finished)"
    rate = f"least({n} / {d}, 0.999999)"
    pro = (
        f"if({n} > 0 AND {n} > {usual} * {d}, least(3, {n} * log({rate} / {usual}) + greatest(0, {d} - {n}) * "
        f"log((1 - {rate}) / (1 - {usual}))), 0)"
    )
    # Mail may still wait of which nothing has expired yet: who is to be asked is left to the closer look.
    contra = "0." if outcome == "expired" else f"if({n} = 0, least(3, {MORE[outcome]} * {d}), 0)"
    return _SUSPECTED.format(pro=pro, name=f"pro_{outcome}", contra=contra)


def bound(sql: str) -> str:
    """With single braces around parameters, where `suspected` was put into a text."""
    return sql.replace("{{", "{").replace("}}", "}")


class Cells:
    """Reads what customers had in chosen hours, and keeps what is usual for them. One thread at a time."""

    def __init__(
        self,
        store: Store,
        state: Callable[[int], object | None] = no_state,
        counted: Callable[[], object | None] = nothing_known,
    ) -> None:
        """`state` says of an hour (epoch s) what stands for all that is counted in it (see `KeptCells`), `counted` what
        stands for all that is counted at all (see `Company`)."""
        self._store = store
        self._company = Company(store, counted)
        self._hours = KeptCells(store, state)
        #: What is left out, as far as it is known; None: each query looks it up.
        self.left_out: KnownLeftOut = None
        #: From which failing shares (ratios) on somebody's mail is not good, by the policy in force.
        self.bad: Mapping[Outcome, float] = BAD_HISTORY
        #: By the midnight that it ends with.
        self._history: dict[int, ByProvider] = {}
        self._usual = FleetUsual(store)
        #: The hour of the first mail (epoch s).
        self._first_hour: int | None = None

    def forget(self) -> None:
        """Read again what was usual, from now on: other mail is left out of it."""
        self._history.clear()
        self._usual.forget()

    def rows(self, sql: str, asked: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """What a query finds whose conditions leave mail out; what is known of that is not looked up.

        Raises:
            StoreError: the store failed.
        """
        return self._store.rows(*without_lookup(sql, asked, self.left_out))

    def usual(self, hour: int) -> dict[str, CellCounts]:
        """What the fleet had in the weeks before the day of an hour (epoch s).

        Raises:
            StoreError: the store failed.
        """
        return self._usual.before(hour, self.left_out)

    def is_first_day(self, hour: int) -> bool:
        """Whether the first mail that there was at the last `read` was sent in the day before an hour (epoch s)."""
        return self._first_hour is not None and hour - self._first_hour < AGE_S

    def read(self, places: Collection[ProviderHour]) -> Accounts:
        """All that `detect` asks for of some provider-hours (`*` for all mail).

        Raises:
            StoreError: the store failed.
        """
        hours = sorted({hour for _, hour in places})
        if hours and (self._first_hour is None or self.is_first_day(hours[-1])):
            # Old logs may be read meanwhile.
            self._first_hour = next((int(hour) for (hour,) in self._store.rows(FIRST_HOUR)), None)
        by_hour = self._hours.read(hours)
        asked: dict[ProviderHour, list[str]] = {}
        for place, hour in places:
            there = by_hour[hour]
            who = [each for each, cells in there.items() if place == EVERYWHERE or place in cells]
            asked[place, hour] = sorted(who, key=_shuffled)[:MOST_ASKED]
        everybody = sorted({each for who in asked.values() for each in who})
        company = self.company(everybody, hours)
        histories = {}
        for (_, hour), who in asked.items():
            histories[hour // DAY_S * DAY_S] = self._histories(hour // DAY_S * DAY_S, who)
        is_given_up = any(each.expired for there in by_hour.values() for of in there.values() for each in of.values())
        told = last_expired(self._store, everybody, hours[0]) if is_given_up else None
        return Accounts(by_hour, asked, company, histories, told, self.bad)

    def company(self, customers: Sequence[str], hours: Sequence[int]) -> Shared:
        """By customer and dimension (`pool`, `ip`, `from`) what most of its mail of some hours (epoch s) has.

        Raises:
            StoreError: the store failed.
        """
        return self._company.of(customers, hours)

    def all_mail(self, customer: str, since: int) -> CellCounts:
        """What a customer has at all providers since an hour (epoch s), of what counts.

        Raises:
            StoreError: the store failed.
        """
        ((*numbers,),) = self.rows(ALL_MAIL, {"customer": customer, "since": since})
        return CellCounts(*map(int, numbers))

    def by_minute(
        self, place: str, hour: int, customers: Collection[str], without: Collection[str]
    ) -> dict[str, dict[int, CellCounts]]:
        """What customers had at one place in the minutes (epoch s) of an hour; of all mail (`*`) but that to the
        providers `without`.

        Raises:
            StoreError: the store failed.
        """
        asked = {"since": hour, "until": hour + HOUR_S, "place": place, "without": sorted(without)}
        found: dict[str, dict[int, CellCounts]] = defaultdict(dict)
        for part in portions(self._store, sorted(customers)):
            for customer, minute, *numbers in self._store.rows(BY_MINUTE, {"customers": part, **asked}):
                found[str(customer)][int(minute)] = CellCounts(*map(int, numbers))
        return found

    def busiest_hours(self, customers: Collection[str], hour: int) -> dict[str, int]:
        """The recipients of each customer's busiest hour in the weeks before the day of an hour (epoch s).

        Raises:
            StoreError: the store failed.
        """
        midnight = hour // DAY_S * DAY_S
        return busiest_hours(self._store, sorted(customers), midnight - HISTORY_S, midnight, self.left_out)

    def _histories(self, midnight: int, customers: Iterable[str]) -> ByProvider:
        if midnight not in self._history:
            self._history = {day: each for day, each in self._history.items() if day > midnight - 9 * DAY_S}
        kept = self._history.setdefault(midnight, {})
        unread = sorted({each for each in customers if each not in kept})
        kept.update((each, {}) for each in unread)
        for part in portions(self._store, unread):
            asked = {"customers": part, "since": max(0, midnight - HISTORY_S), "until": midnight}
            for customer, value, *numbers in self.rows(HISTORY, asked):
                kept[str(customer)][str(value)] = CellCounts(*map(int, numbers))
        return kept


def _shuffled(customer: str) -> tuple[int, str]:
    return crc32(customer.encode()), customer


def hours_before(now_s: int, count: int) -> int:
    """The beginning (epoch s) of the earliest of the last `count` hours, the one that runs included."""
    return max(0, (now_s // HOUR_S - count + 1) * HOUR_S)
