"""Mail of an unknown time that several customers give up at one provider within the same hours: that provider, or the
way to it, put it off days before, and no incident is known, since nothing says of which hours it is.

Such expiries count when they come, and the mail of that hour is not what they are about. So what came within
`SPAN_S` of the most of it is set against the mail of the days before. Where three independent customers gave up far
more than is usual for them, nobody can tell that it is they; those who did not may still wait, so they say nothing.
Hosts that the table of providers does not know are many, and dead domains are among them: there nothing is suspected.
"""

from collections.abc import Mapping, Sequence

from schemas.counts import finished_sql
from schemas.providers import OTHER
from schemas.times import HOUR_S
from streams.incidents.alone import Place
from streams.incidents.cells import Cells
from streams.incidents.detect import LEAST_STRUCK, MOST, Account, Finding, Seen, raised_to, seen_together, weighed
from streams.incidents.given_up_later import APART_S, LONGEST_S, PART, FailedMail
from streams.incidents.hours import FoundHour, examples_of, hour_of
from streams.incidents.usual import HISTORY_S
from streams.subjects.left_out import NOT_LEFT_OUT

#: Around the hour in which most came, hours so long (s) before and after it: as far apart as the last tries of servers.
SPAN_S = APART_S
#: Why it is only suspected, as operators are told.
WHY = "several gave up mail of an unknown time within the same hours: it may have been put off by the place"

GAVE_UP = f"""
SELECT customer,
    sumIf(undated_expired, toStartOfHour(bucket) BETWEEN toDateTime({{first:UInt32}}) AND toDateTime({{last:UInt32}})),
    toInt64(greatest(0, {finished_sql("sumIf({}, toStartOfHour(bucket) >= toDateTime({{mail:UInt32}}))")})),
    toInt64(greatest(0, {finished_sql("sum({})")})),
    sumIf(expired, toStartOfHour(bucket) < toDateTime({{first:UInt32}}))
FROM counts
WHERE dimension = 'provider' AND value = {{place:String}} AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    AND {NOT_LEFT_OUT} AND customer IN (
        SELECT customer FROM counts
        WHERE dimension = 'provider' AND value = {{place:String}} AND undated_expired > 0
            AND toStartOfHour(bucket) BETWEEN toDateTime({{first:UInt32}}) AND toDateTime({{last:UInt32}})
    )
GROUP BY customer
"""  # noqa: S608 - made of texts of this project only


def may_be_of_others(failed: FailedMail, at: Place, accounts: Sequence[Account], customer: str, bad: float) -> bool:
    """Whether a customer gave up mail together with two independent others at least, that is a good part of what
    `failed` of its mail, and what else failed is less than is `bad` (a ratio)."""
    came = sum(n for place, n in failed.undated.items() if _is_near(place, at))
    if came < max(1, PART * failed.failed) or failed.failed - came >= bad * failed.total:
        return False
    mine = next((each for each in accounts if each.customer == customer), None)
    if mine is None:
        return False
    raised = raised_to(mine.here)
    usual = seen_together(each.usual for each in accounts)
    struck = {vote.account.owner for vote in weighed("expired", accounts, usual, raised) if vote.weight >= MOST}
    return mine.owner in struck and len(struck) >= LEAST_STRUCK


def _is_near(place: Place, at: Place) -> bool:
    return place.provider == at.provider and abs(place.hour - at.hour) <= SPAN_S


class ExpiredTogether:
    """Reads what is asked. One thread at a time."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def found(self, failed: Mapping[str, FailedMail]) -> dict[str, FoundHour]:
        """Of customers who alarm, and whose expiries of an unknown time are given, those of whom nobody can tell; with
        what is suspected.

        Raises:
            StoreError: the store failed.
        """
        found: dict[str, FoundHour] = {}
        read: dict[Place, list[Account]] = {}
        for customer, each in sorted(failed.items()):
            at = max(sorted(each.undated), key=each.undated.__getitem__)
            if at.provider == OTHER:
                continue
            if at not in read:
                read[at] = self._accounts(at)
            if may_be_of_others(each, at, read[at], customer, self._cells.bad["expired"]):
                found[customer] = _suspected(read[at], customer, at)
        return found

    def _accounts(self, at: Place) -> list[Account]:
        first, last = at.hour - SPAN_S, at.hour + SPAN_S
        asked = {"place": at.provider, "first": max(0, first), "last": last}
        asked |= {"mail": max(0, first - LONGEST_S), "since": max(0, first - HISTORY_S)}
        rows = self._cells.rows(GAVE_UP, asked)
        hours = range(first, last + HOUR_S, HOUR_S)
        company = self._cells.company(sorted(str(row[0]) for row in rows), list(hours)) if rows else {}
        found = []
        for name, came, mail, every, before in rows:
            customer, seen = str(name), Seen(int(mail) + int(came), int(came))
            usual = Seen(int(every), int(before))
            owner = company.get((customer, "from"), customer)
            found.append(Account(customer, owner, "", seen, usual, Seen(0, 0), usual))
        return sorted(found, key=lambda each: each.customer)


def _suspected(accounts: Sequence[Account], customer: str, at: Place) -> FoundHour:
    mine = next(each for each in accounts if each.customer == customer)
    finding = Finding("", min(mine.here.rate, 1.0), (customer,), (), 0.0)
    usual = seen_together(each.usual for each in accounts).rate
    one = hour_of(finding, ("provider", at.provider), at.hour, "expired", usual, examples_of(finding, accounts))
    return one._replace(suspected=True, why=WHY)
