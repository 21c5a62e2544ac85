"""Complaints of whole days that come at once: a provider reports late, those of several days within a moment.

Complaints are few, and each counts where its mail does. So a batch lies thinly over the hours of the days that it is
about, and no hour of them shows it, least of all in a small fleet. What is asked of an hour elsewhere (`detect`) is
asked here of a provider and a day (UTC) of mail, oldest first: a day that was struck is no part of what is usual on
the next. Of a day that was struck the hours whose mail was complained of are the incident.

Who is bad is complained of everywhere, and is no witness. But one batch may be of several providers: those that are
suspected on one day and not struck alone are asked together. There, and where another one was struck on the same day,
two thirds of the witnesses' weight are needed: of a bad sender, too, only what was not struck is left to tell.

Where few send to a provider, no single day shows it. So those days of a provider that were not struck by themselves are
asked together, too: from each of them to the last. Complaints of which nobody knows what mail they are about count on
the day on which they came; they are left out only where that day was struck, too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple

from schemas.times import DAY_S, HOUR_S
from streams.incidents.cells import Cells, bound, suspected, suspecting
from streams.incidents.detect import BAD_HISTORY, ENOUGH, SHARE, Account, Finding, Outcome, Seen, find, seen_together
from streams.incidents.hours import FoundHour, examples_of, hour_of
from streams.incidents.usual import HISTORY_S
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT

#: Today, and so many days before: what a window of seven days holds.
DAYS = 7
#: The share of the witnesses' weight where several providers are asked together, as for all mail.
SHARE_TOGETHER = 2 / 3
#: So many customers are asked at most; a sample tells as well as all.
MOST_ASKED = 2_000
#: An hour belongs to it where the rate is at least this part of that of those who were struck: a third of the
#: witnesses may be, and some of these in another hour.
PART_OF_RAISED = 1 / 8

_BY_DAY = f"""
    SELECT customer, value, toStartOfDay(toStartOfHour(bucket)) AS day, sum(complained) AS n_complained,
        sum(delivered) AS n_delivered
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{{{since:UInt32}}}}) AND {NOT_LEFT_OUT}
    GROUP BY customer, value, day
    HAVING n_delivered > 0
"""  # noqa: S608 - made of texts of this project only
SUSPECTED_DAYS = f"""
SELECT value, toUnixTimestamp(day)
FROM ({_BY_DAY})
GROUP BY value, day
HAVING {suspected("complained")}
"""  # noqa: S608 - made of texts of this project only
#: Those who sent to some providers, by chance.
WHO = """
SELECT customer FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32}) AND value IN {places:Array(String)}
GROUP BY customer
ORDER BY sipHash64(customer), customer
LIMIT {most:UInt32}
"""
#: By customer and provider: by day since a time, and all days before it together (day 0).
OF_DAYS = f"""
SELECT customer, value,
    if(toStartOfHour(bucket) < toDateTime({{since:UInt32}}), 0, toUnixTimestamp(toStartOfDay(toStartOfHour(bucket))))
        AS day,
    sum(delivered), sum(complained)
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{before:UInt32}})
    AND customer IN {{customers:Array(String)}} AND value IN {{places:Array(String)}} AND {NOT_LEFT_OUT}
GROUP BY customer, value, day
"""  # noqa: S608 - made of texts of this project only
#: Of all customers, by provider and hour.
OF_HOURS = f"""
SELECT value, toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(delivered), sum(complained) AS n
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    AND customer IN {{customers:Array(String)}} AND value IN {{places:Array(String)}} AND {NOT_LEFT_OUT}
GROUP BY value, hour
HAVING n > 0
"""  # noqa: S608 - made of texts of this project only

#: A provider and a midnight (epoch s).
ProviderDay = tuple[str, int]
#: Deliveries and complaints by customer, provider and day (epoch s); before the first of them at day 0.
ByDay = Mapping[str, Mapping[ProviderDay, Seen]]
_NONE = Seen(0, 0)


class Struck(NamedTuple):
    """Providers that were struck on some days (epoch s), the accounts that were asked and what was usual for all."""

    places: tuple[str, ...]
    days: tuple[int, ...]
    finding: Finding
    accounts: Sequence[Account]
    usual: Seen


def struck_days(
    counts: ByDay,
    asked: Collection[ProviderDay],
    company: Mapping[tuple[str, str], str],
    known: Collection[ProviderDay] = (),
    bad: Mapping[Outcome, float] = BAD_HISTORY,
) -> list[Struck]:
    """The days of those asked about on which customers were complained of together, oldest first. Next to a day that
    is `known` to be struck at a provider half as much is enough there. `bad` are the shares (ratios) from which
    somebody's mail is not good."""
    found: list[Struck] = []
    days = sorted({day for _, day in asked})
    for day in days:
        left = sorted(place for place, on in asked if on == day)
        struck = _places_and_days(found) | set(known)
        for place in tuple(left):
            near = any((place, on) in struck for on in (day - DAY_S, day, day + DAY_S))
            others = any(on == day and other != place for other, on in struck)
            share = SHARE_TOGETHER if others else SHARE
            if one := _asked(counts, (place,), (day,), found, company, bad, ENOUGH / 2 if near else ENOUGH, share):
                found.append(one)
                struck.add((place, day))
                left.remove(place)
        if len(left) > 1 and (one := _asked(counts, left, (day,), found, company, bad, ENOUGH, SHARE_TOGETHER)):
            found.append(one)
    return found + _struck_together(counts, asked, company, bad, found)


def _struck_together(
    counts: ByDay,
    asked: Collection[ProviderDay],
    company: Mapping[tuple[str, str], str],
    bad: Mapping[Outcome, float],
    found: Sequence[Struck],
) -> list[Struck]:
    """Several days of a provider that were not struck by themselves, the surest of those from each day to the last."""
    struck = _places_and_days(found)
    more: list[Struck] = []
    for place in sorted({place for place, _ in asked}):
        days = sorted(day for where, day in asked if where == place and (place, day) not in struck)
        # Of several beginnings one may seem right by chance.
        enough = ENOUGH + log(max(len(days), 1))
        each = (
            _asked(counts, (place,), days[first:], found, company, bad, enough, SHARE_TOGETHER)
            for first in range(len(days) - 1)
        )
        some = [one for one in each if one is not None]
        if some:
            more.append(max(some, key=lambda one: one.finding.weight))
    return more


def _places_and_days(found: Iterable[Struck]) -> set[ProviderDay]:
    return {(place, day) for each in found for place in each.places for day in each.days}


def _asked(
    counts: ByDay,
    places: Iterable[str],
    days: Iterable[int],
    found: Collection[Struck],
    company: Mapping[tuple[str, str], str],
    bad: Mapping[Outcome, float],
    enough: float,
    share: float,
) -> Struck | None:
    some, when = tuple(places), tuple(days)
    without = _places_and_days(found)
    accounts = [
        account
        for customer, cells in counts.items()
        if (account := _account(customer, cells, some, when, without, company)._replace(bad=bad)).here.total
    ]
    usual = seen_together(each.usual for each in accounts)
    finding = find("complained", accounts, usual, enough=enough, share=share)
    return Struck(some, when, finding, accounts, usual) if finding is not None else None


def _account(
    customer: str,
    cells: Mapping[ProviderDay, Seen],
    places: Collection[str],
    days: Sequence[int],
    without: Collection[ProviderDay],
    company: Mapping[tuple[str, str], str],
) -> Account:
    sound = {at: each for at, each in cells.items() if at not in without}
    return Account(
        customer=customer,
        owner=company.get((customer, "from"), customer),
        pool=company.get((customer, "pool"), ""),
        here=seen_together(each for (place, on), each in cells.items() if on in days and place in places),
        usual=seen_together(each for (place, on), each in sound.items() if on < days[0] and place in places),
        elsewhere=seen_together(each for (place, on), each in sound.items() if on in days and place not in places),
        history=seen_together(each for (_, on), each in sound.items() if on < days[0]),
        address=company.get((customer, "ip"), ""),
    )


class ComplaintDays:
    """Reads what is asked. One thread at a time."""

    def __init__(self, store: Store, cells: Cells) -> None:
        self._store = store
        self._cells = cells

    def found(self, now_ms: int, known: Collection[ProviderDay]) -> list[FoundHour]:
        """The provider-hours of the last days (before `now_ms`, epoch ms) that were struck and are not left out yet.
        `known` are the days of which some mail is left out because of complaints.

        Raises:
            StoreError: the store failed.
        """
        since = now_ms // 1000 // DAY_S * DAY_S - DAYS * DAY_S
        before = max(0, since - HISTORY_S)
        usual = self._cells.usual(since)
        asked_sql = {"since": max(0, since), **suspecting(usual)}
        asked = {(str(place), int(day)) for place, day in self._cells.rows(bound(SUSPECTED_DAYS), asked_sql)}
        if not asked:
            return []
        places = sorted({place for place, _ in asked})
        reporting = sorted({*places, *(each for each, counts in usual.items() if counts.complained)})
        who = [
            str(name)
            for (name,) in self._store.rows(WHO, {"since": max(0, since), "places": places, "most": MOST_ASKED})
        ]
        counts: dict[str, dict[ProviderDay, Seen]] = defaultdict(dict)
        hours: dict[ProviderDay, Seen] = {}
        for part in portions(self._store, who):
            asked_sql = {"since": max(0, since), "before": before, "customers": part, "places": reporting}
            for customer, place, day, delivered, complained in self._cells.rows(OF_DAYS, asked_sql):
                counts[str(customer)][str(place), int(day)] = Seen(int(delivered), int(complained))
        days = sorted({day for _, day in asked})
        of_days = [hour for day in days for hour in range(day, day + DAY_S, HOUR_S)]
        company = self._cells.company(who, of_days)
        found = struck_days(counts, asked, company, known, self._cells.bad)
        if not found:
            return []
        for part in portions(self._store, who):
            asked_sql = {"since": max(0, since), "customers": part, "places": places}
            for place, hour, delivered, complained in self._cells.rows(OF_HOURS, asked_sql):
                at = (str(place), int(hour))
                hours[at] = seen_together((hours.get(at, _NONE), Seen(int(delivered), int(complained))))
        return [each for one in found for each in _hours(one, hours)]


def _hours(one: Struck, hours: Mapping[ProviderDay, Seen]) -> Iterable[FoundHour]:
    """The hours of a struck day whose mail was complained of."""
    finding = one.finding
    examples = examples_of(finding, one.accounts)
    for (place, hour), seen in sorted(hours.items()):
        if place in one.places and hour // DAY_S * DAY_S in one.days and seen.rate >= finding.raised * PART_OF_RAISED:
            yield hour_of(finding, ("provider", place), hour, "complained", one.usual.rate, examples)
