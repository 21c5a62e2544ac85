"""Complaints that come at once about mail of an unknown time: a provider reports late, and says no date.

They count in the hour in which they came. The mail of that hour is not what they are about, so it does not say whether
they are many: by night, or for who sends once a week, there is hardly any. So what came within a day (UTC) is set
against the deliveries of the seven days up to it, as it is where customers are judged by (`streams.subjects.undated`);
and those are asked (`detect`) whose complaints have no date. Of the others it is known elsewhere what mail theirs are
about (`days`), and that none is of this hour says nothing. Where these were found to be struck by complaints of that
provider on that very day, one of the former who is struck is enough: it is one batch.

Of a day that was struck the hours in which many came are the incident: so they are left out, with the mail of those
hours to that provider. Who is complained of at other providers too is no witness, and stays in sight there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from schemas.times import DAY_S
from streams.incidents.cells import Cells
from streams.incidents.days import MOST_ASKED, PART_OF_RAISED
from streams.incidents.detect import (
    BAD_HISTORY,
    ENOUGH,
    LEAST_STRUCK,
    SHARE,
    Account,
    Finding,
    Outcome,
    Seen,
    find,
    seen_together,
)
from streams.incidents.hours import FoundHour, examples_of, hour_of
from streams.incidents.usual import HISTORY_S
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT

#: Days (UTC) of which what came is looked at: today and yesterday.
DAYS = 2
#: Days of mail that it is set against.
MAIL_DAYS = 7
#: A day of which fewer came at a provider is none.
LEAST_CAME = 3
#: Where the others were struck too, this share of the weight that is enough elsewhere is.
PART_BESIDE = 1 / 2

CAME = f"""
SELECT customer, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(undated_complained) AS n
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value, hour
HAVING n > 0
"""  # noqa: S608 - made of texts of this project only
#: Those who had mail at some providers, by chance.
SENT_THERE = """
SELECT customer FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
    AND toStartOfHour(bucket) < toDateTime({until:UInt32}) AND value IN {places:Array(String)}
GROUP BY customer
ORDER BY sipHash64(customer), customer
LIMIT {most:UInt32}
"""
MAIL = f"""
SELECT customer, value, sumIf(delivered, toStartOfHour(bucket) >= toDateTime({{mail_since:UInt32}})),
    sumIf(delivered, toStartOfHour(bucket) < toDateTime({{day:UInt32}})),
    sumIf(complained, toStartOfHour(bucket) < toDateTime({{day:UInt32}})),
    sumIf(undated_complained, toStartOfHour(bucket) < toDateTime({{day:UInt32}}))
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}} AND value IN {{places:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    AND toStartOfHour(bucket) < toDateTime({{until:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value
"""  # noqa: S608 - made of texts of this project only

#: A provider and a day (epoch s).
ProviderDay = tuple[str, int]


class WeekMail(NamedTuple):
    """What one customer has at one provider: deliveries of the week up to a day, undated complaints that came on it;
    and of the weeks before that day deliveries, complaints, and those of them without a date."""

    week: int = 0
    came: int = 0
    before: int = 0
    complained_before: int = 0
    undated_before: int = 0

    def plus(self, other: "WeekMail") -> "WeekMail":
        """Both together."""
        return WeekMail(*(one + another for one, another in zip(self, other, strict=True)))


#: By customer and provider.
ByProvider = Mapping[str, Mapping[str, WeekMail]]


def struck_by_arrivals(
    mail: ByProvider,
    place: str,
    company: Mapping[tuple[str, str], str],
    *,
    beside: bool = False,
    bad: Mapping[Outcome, float] = BAD_HISTORY,
) -> tuple[Finding, Sequence[Account]] | None:
    """Who was struck by what came at a provider on a day, and those who were asked; None where nothing did together.
    `beside`: complaints with a date were found to have come there on that day, too. `bad` are the shares (ratios) from
    which somebody's mail is not good."""
    accounts = [_account(name, of, place, company)._replace(bad=bad) for name, of in _comparable(mail).items()]
    accounts = [each for each in accounts if each.here.total]
    usual = seen_together(each.usual for each in accounts)
    enough, least = (ENOUGH * PART_BESIDE, 1) if beside else (ENOUGH, LEAST_STRUCK)
    found = find("complained", accounts, usual, enough=enough, share=SHARE, least=least)
    return (found, accounts) if found is not None and not found.pool else None


def _comparable(mail: ByProvider) -> ByProvider:
    """Those whose complaints have no date; of those of whom nobody complained yet as large a part as of the others, by
    chance."""
    sums = {name: _all(of.values()) for name, of in mail.items()}
    undated = {name for name, each in sums.items() if (n := each.came + each.undated_before) and 2 * n >= _of(each)}
    nobody = sorted(
        (name for name, each in sums.items() if not _of(each)), key=lambda name: (crc32(name.encode()), name)
    )
    known = len(sums) - len(nobody)
    part = round(len(nobody) * len(undated) / known) if known else 0
    asked = undated.union(nobody[:part])
    return {name: of for name, of in mail.items() if name in asked}


def _of(mail: WeekMail) -> int:
    return mail.came + mail.complained_before


def _all(some: Collection[WeekMail]) -> WeekMail:
    found = WeekMail()
    for each in some:
        found = found.plus(each)
    return found


def _account(name: str, of: Mapping[str, WeekMail], place: str, company: Mapping[tuple[str, str], str]) -> Account:
    here = of.get(place, WeekMail())
    elsewhere = _all([each for where, each in of.items() if where != place])
    every = here.plus(elsewhere)
    return Account(
        customer=name,
        owner=company.get((name, "from"), name),
        pool=company.get((name, "pool"), ""),
        here=Seen(here.week, here.came),
        # What usually comes in a day is set against the mail of a week as well.
        usual=Seen(here.before * MAIL_DAYS, here.complained_before),
        elsewhere=Seen(elsewhere.week, elsewhere.came),
        history=Seen(every.before, every.complained_before),
        address=company.get((name, "ip"), ""),
    )


class Arrivals:
    """Reads what is asked. One thread at a time."""

    def __init__(self, store: Store, cells: Cells) -> None:
        self._store = store
        self._cells = cells

    def found(self, now_ms: int, known: Collection[ProviderDay]) -> list[FoundHour]:
        """The provider-hours of today and yesterday (as of `now_ms`, epoch ms) in which complaints without a date came
        at once. On the days that are `known`, complaints with a date were found to have come at once there.

        Raises:
            StoreError: the store failed.
        """
        today = now_ms // 1000 // DAY_S * DAY_S
        came: dict[ProviderDay, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        asked: dict[str, object] = {"since": max(0, today - (DAYS - 1) * DAY_S)}
        for customer, value, hour, n in self._cells.rows(CAME, asked):
            came[str(value), int(hour) // DAY_S * DAY_S][str(customer)][int(hour)] = int(n)
        least = {at for at, of in came.items() if _total(of) >= LEAST_CAME}
        found: list[FoundHour] = []
        for day in sorted({day for _, day in least}):
            places = sorted({place for place, on in came if on == day})
            mail = self._mail(day, places, came)
            hours = {hour for at in least if at[1] == day for hour in _hours(came[at])}
            company = self._cells.company(list(mail), sorted(hours))
            for place in (place for place in places if (place, day) in least):
                struck = struck_by_arrivals(mail, place, company, beside=(place, day) in known, bad=self._cells.bad)
                if struck is not None:
                    found += _found_hours(place, came[place, day], *struck)
        return found

    def _mail(
        self, day: int, places: Sequence[str], came: Mapping[ProviderDay, Mapping[str, Mapping[int, int]]]
    ) -> dict[str, dict[str, WeekMail]]:
        asked: dict[str, object] = {
            "since": max(0, day - HISTORY_S),
            "mail_since": max(0, day - (MAIL_DAYS - 1) * DAY_S),
            "day": day,
            "until": day + DAY_S,
            "places": [*places],
            "most": MOST_ASKED,
        }
        every = self._cells.rows(SENT_THERE, {**asked, "since": asked["mail_since"]})
        who = sorted(
            {str(name) for (name,) in every} | {name for at, of in came.items() if at[1] == day for name in of}
        )
        found: dict[str, dict[str, WeekMail]] = {}
        for part in portions(self._store, who):
            for customer, place, week, *before in self._cells.rows(MAIL, {**asked, "customers": part}):
                n = sum(came.get((str(place), day), {}).get(str(customer), {}).values())
                found.setdefault(str(customer), {})[str(place)] = WeekMail(int(week), n, *map(int, before))
        return found


def _total(of: Mapping[str, Mapping[int, int]]) -> int:
    return sum(sum(each.values()) for each in of.values())


def _hours(of: Mapping[str, Mapping[int, int]]) -> set[int]:
    return {hour for each in of.values() for hour in each}


def _found_hours(
    place: str, came: Mapping[str, Mapping[int, int]], finding: Finding, accounts: Sequence[Account]
) -> Iterator[FoundHour]:
    """The hours in which a good part came."""
    of_struck = {customer: came.get(customer, {}) for customer in finding.struck}
    examples = examples_of(finding, accounts)
    usual = seen_together(each.usual for each in accounts)
    every = _total(of_struck)
    for hour in sorted(_hours(of_struck)):
        if sum(each.get(hour, 0) for each in of_struck.values()) >= every * PART_OF_RAISED:
            yield hour_of(finding, ("provider", place), hour, "complained", usual.rate, examples)
