"""Reads what others had at the places and in the minutes in which somebody's mail failed, for `witnessed`.

Asked only of those who are held, or would be. Who tells must be counted by the same topics: where those of some
customers alone are misread, or lack their deliveries, all of these look bad, and others of another topic look well.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from schemas.incident import EVERYWHERE
from schemas.providers import OTHER
from schemas.scope import CUSTOMER
from schemas.times import utc_time
from streams.incidents.accounts import Accounts, CellCounts
from streams.incidents.alone import failed_at, worst_hour
from streams.incidents.cells import Cells
from streams.incidents.detect import Account, Outcome, Seen, in_minutes, who_can_tell
from streams.incidents.finder import Finder
from streams.incidents.witnessed import AtPlace, Witnessed, witnessed
from streams.io.store import Store, portions
from streams.subjects.alarm import Alarm

#: Mail no further apart (s) is of the same minutes.
TOGETHER_S = 120
#: So many of those who can tell are asked about one provider, those with most mail there in the hour.
MOST_ASKED = 50
#: Unknown recipients: see `witnessed`.
OUTCOME: Outcome = "hard"
#: It is asked of all mail of a customer, also where a part of it alarms.
WHOLE = frozenset({CUSTOMER})

#: By which topics the mail of an hour was counted; empty where that is not known.
COUNTED_BY = """
SELECT customer, groupUniqArray(extract(source, '^([^:]+):[^:]*:[0-9]+$')) FROM counts
WHERE dimension = 'provider' AND customer IN {customers:Array(String)}
    AND toStartOfHour(bucket) = {hour:DateTime('UTC')}
GROUP BY customer
"""


class WitnessReader:
    """Asks those whom `cells` reads, as `finder` does. One thread at a time."""

    def __init__(self, store: Store, cells: Cells, finder: Finder) -> None:
        self._store = store
        self._cells = cells
        self._finder = finder

    def of(self, alarmed: Mapping[str, int], now_ms: int) -> dict[str, Witnessed]:
        """Of customers who alarm by mail of so many ms each those of whom others tell that it is they, by the hour in
        which most of their mail failed.

        Raises:
            StoreError: the store failed.
        """
        excessive = self._finder.excessive.get(OUTCOME)
        if excessive is None:
            return {}
        by_hour: dict[int, list[str]] = defaultdict(list)
        mail = {each: Alarm(length_ms, WHOLE) for each, length_ms in alarmed.items()}
        for customer, places in failed_at(self._store, mail, now_ms, self._cells.left_out).at.items():
            by_hour[worst_hour(places)].append(customer)
        found: dict[str, Witnessed] = {}
        for hour, customers in sorted(by_hour.items()):
            without = {place for place, at in self._cells.left_out or () if at == hour}
            if EVERYWHERE in without or self._cells.is_first_day(hour):
                continue
            for customer, at_places in self._places(hour, customers, without).items():
                if (one := witnessed(at_places, excessive)) is not None:
                    found[customer] = one
        return found

    def _places(self, hour: int, customers: Collection[str], without: Collection[str]) -> dict[str, dict[str, AtPlace]]:
        """What each of some customers and the others had at each provider at which its mail of an hour failed."""
        failing = _failing(self._cells.read([(EVERYWHERE, hour)]), hour, customers, {*without, OTHER})
        accounts = self._cells.read([(place, hour) for place in failing])
        company = self._cells.company(sorted(customers), [hour])
        # What of other hosts fails may be one of them that hardly anybody sends to.
        elsewhere = {(each, hour) for each in (*without, OTHER)}
        able = {
            place: _most(
                who_can_tell(
                    OUTCOME, [each for each in accounts.of(place, hour, OUTCOME, elsewhere) if each.customer not in of]
                )
            )
            for place, of in failing.items()
        }
        by = self._counted_by(sorted({*customers, *(each.customer for some in able.values() for each in some)}), hour)
        found: dict[str, dict[str, AtPlace]] = defaultdict(dict)
        for place, of in failing.items():
            mine = [
                Account(
                    who, company.get((who, "from"), who), "", each.seen(OUTCOME), Seen(0, 0), Seen(0, 0), Seen(0, 0)
                )
                for who, each in of.items()
            ]
            usual = self._finder.usual(place, hour).seen(OUTCOME)
            minutes = self._finder.minutes([*able[place], *mine], place, hour, OUTCOME, ())
            for one in mine:
                struck = [minute for minute, seen in minutes.get(one.customer, {}).items() if seen.failed]
                some = {minute + step for minute in struck for step in range(-TOGETHER_S, TOGETHER_S + 1, 60)}
                others = [each for each in able[place] if by[one.customer] & by[each.customer]]
                found[one.customer][place] = AtPlace(one, in_minutes(others, minutes, some), usual)
        return found

    def _counted_by(self, customers: Sequence[str], hour: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for part in portions(self._store, customers):
            asked = {"customers": part, "hour": utc_time(hour * 1000)}
            for customer, topics in self._store.rows(COUNTED_BY, asked):
                found[str(customer)] |= set(map(str, topics))
        return found


def _most(some: list[Account]) -> list[Account]:
    return sorted(some, key=lambda each: (-each.here.total, each.customer))[:MOST_ASKED]


def _failing(
    accounts: Accounts, hour: int, customers: Collection[str], without: Collection[str]
) -> dict[str, dict[str, CellCounts]]:
    """By provider which of some customers have failures there, and all that they had."""
    found: dict[str, dict[str, CellCounts]] = defaultdict(dict)
    for customer in customers:
        for place, cells in accounts.by_hour[hour].get(customer, {}).items():
            if place not in without and cells.hard:
                found[place][customer] = cells
    return found
