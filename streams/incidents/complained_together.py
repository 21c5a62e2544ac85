"""Whether complaints that somebody alarms by may be a provider's batch, where too few send there to tell: on a
platform's first day, and in a tiny fleet.

Of each batch that three of good history meet `days` and `arrivals` make an incident. Where two do, of any history, and
hardly anybody who sent there was spared, and their mail to other providers that report is not complained of, nobody can
tell whether it is the provider or they; so their alerts are held. All is asked of the window that alarms.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from schemas.times import DAY_S, HOUR_S
from streams.incidents.cells import Cells
from streams.incidents.days import DAYS
from streams.incidents.detect import MOST, STRUCK, Account, Finding, Seen, raised_to, seen_together, weighed
from streams.incidents.hours import FoundHour, examples_of, hour_of
from streams.incidents.usual import HISTORY_S
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT

#: Where more send to a provider, somebody surely can tell.
MANY = 30
#: People complain hours later, and few do within these (s): that nobody did yet says nothing.
UNTOLD_S = 6 * HOUR_S
#: A single complaint of some hundreds is chance; two are not.
LEAST_COMPLAINED = 2
#: The share of the others' weight that those who were struck must have, where somebody was spared: a window is longer
#: than most batches, so of a few who send there little one is hardly complained of by chance.
SHARE = 2 / 3
#: Why it is only suspected, as operators are told.
WHY = "too few sent there to tell whether the complaints are a batch of the provider's"

#: Where and when customers were complained of.
COMPLAINED = f"""
SELECT customer, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(complained) AS n
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value, hour
HAVING n > 0
"""  # noqa: S608 - made of texts of this project only
#: How many sent to some providers.
SENDERS = f"""
SELECT value, uniq(customer) FROM counts
WHERE dimension = 'provider' AND value IN {{places:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY value
"""  # noqa: S608 - made of texts of this project only
#: Of those who sent to one provider: deliveries and complaints by provider, since a time and in the weeks before. What
#: is left out is among them: who was struck by a part of the batch that is known was not spared.
MAIL = """
SELECT customer, value,
    sumIf(delivered, toStartOfHour(bucket) >= toDateTime({since:UInt32}) AND bucket < toDateTime({told:UInt32})),
    sumIf(complained, toStartOfHour(bucket) >= toDateTime({since:UInt32})),
    sumIf(delivered, toStartOfHour(bucket) < toDateTime({since:UInt32})),
    sumIf(complained, toStartOfHour(bucket) < toDateTime({since:UInt32}))
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({before:UInt32}) AND customer IN (
    SELECT customer FROM counts
    WHERE dimension = 'provider' AND value = {place:String} AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
)
GROUP BY customer, value
"""


class ReportedMail(NamedTuple):
    """Deliveries and complaints at one provider within a window, and in the weeks before. What was delivered within
    the last `UNTOLD_S` is not among them."""

    here: Seen
    before: Seen


def may_be_a_batch(accounts: Sequence[Account], customer: str) -> bool:
    """Whether a customer and an independent second one were complained of at a provider, the others there more clearly
    than some were spared, and its own mail elsewhere is not complained of."""
    mine = next((each for each in accounts if each.customer == customer), None)
    if mine is None or mine.here.failed < LEAST_COMPLAINED:
        return False
    raised = raised_to(mine.here)
    usual = seen_together(each.usual for each in accounts)
    votes = {vote.account.owner: vote.weight for vote in weighed("complained", accounts, usual, raised)}
    elsewhere = weighed("complained", [mine._replace(here=mine.elsewhere)], usual, raised)
    if votes.get(mine.owner, 0.0) < MOST or any(vote.weight >= STRUCK for vote in elsewhere):
        return False
    several = {each.owner for each in accounts if each.here.failed >= LEAST_COMPLAINED}
    struck = {owner for owner, weight in votes.items() if weight >= MOST and owner in several}
    others = [weight for owner, weight in votes.items() if owner != mine.owner]
    pro, contra = (sum(max(each * sign, 0.0) for each in others) for sign in (1, -1))
    return len(struck) > 1 and (all(each > -STRUCK for each in others) or pro >= SHARE * (pro + contra))


class ComplainedTogether:
    """Reads what is asked. One thread at a time."""

    def __init__(self, store: Store, cells: Cells) -> None:
        self._store = store
        self._cells = cells

    def found(self, alarmed: Mapping[str, int], now_ms: int) -> dict[str, FoundHour]:
        """Of customers who alarm by complaints within so many ms each those of whom nobody can tell; with what is
        suspected.

        Raises:
            StoreError: the store failed.
        """
        found: dict[str, FoundHour] = {}
        by_window: dict[int, list[str]] = defaultdict(list)
        for customer, length_ms in alarmed.items():
            by_window[max(0, now_ms // 1000 - min(length_ms // 1000, (DAYS + 1) * DAY_S))].append(customer)
        for since, some in by_window.items():
            worst = self._worst(some, since)
            senders = self._senders({place for place, _ in worst.values()}, since)
            for place in sorted(each for each, count in senders.items() if count <= MANY):
                days = {hour // DAY_S * DAY_S for where, hour in worst.values() if where == place}
                accounts = self._accounts(place, since, now_ms // 1000 - UNTOLD_S, days)
                for customer, (where, hour) in worst.items():
                    if where == place and may_be_a_batch(accounts, customer):
                        found[customer] = _suspected(accounts, customer, place, hour)
        return found

    def _worst(self, customers: Sequence[str], since: int) -> dict[str, tuple[str, int]]:
        """The provider at which each was complained of most, and the hour there that was most."""
        counted: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        for part in portions(self._store, sorted(customers)):
            for customer, place, hour, n in self._cells.rows(COMPLAINED, {"customers": part, "since": since}):
                counted[str(customer)][str(place)][int(hour)] = int(n)
        found = {}
        for name, places in counted.items():
            place = max(sorted(places), key=lambda each: sum(places[each].values()))
            found[name] = place, max(sorted(places[place]), key=places[place].__getitem__)
        return found

    def _senders(self, places: Collection[str], since: int) -> dict[str, int]:
        if not places:
            return {}
        asked = {"places": sorted(places), "since": since}
        return {str(place): int(count) for place, count in self._cells.rows(SENDERS, asked)}

    def _accounts(self, place: str, since: int, told: int, days: Collection[int]) -> list[Account]:
        asked = {"place": place, "since": since, "told": max(since, told), "before": max(0, since - HISTORY_S)}
        mail: dict[str, dict[str, ReportedMail]] = defaultdict(dict)
        for customer, value, *numbers in self._store.rows(MAIL, asked):
            delivered, complained, *before = map(int, numbers)
            mail[str(customer)][str(value)] = ReportedMail(Seen(max(delivered, complained), complained), Seen(*before))
        # Who reports no complaints says nothing.
        reporting = {
            value for of in mail.values() for value, each in of.items() if each.here.failed or each.before.failed
        }
        hours = [hour for day in sorted(days) for hour in range(day, day + DAY_S, HOUR_S)]
        company = self._cells.company(sorted(mail), hours)
        return [
            _account(customer, company.get((customer, "from"), customer), of, place, reporting)
            for customer, of in sorted(mail.items())
            if place in of
        ]


def _account(
    customer: str, owner: str, of: Mapping[str, ReportedMail], place: str, reporting: Collection[str]
) -> Account:
    rest = [each for value, each in of.items() if value != place and value in reporting]
    return Account(
        customer=customer,
        owner=owner,
        pool="",
        here=of[place].here,
        usual=of[place].before,
        elsewhere=seen_together(each.here for each in rest),
        history=seen_together((of[place].before, *(each.before for each in rest))),
    )


def _suspected(accounts: Sequence[Account], customer: str, place: str, hour: int) -> FoundHour:
    mine = next(each for each in accounts if each.customer == customer)
    finding = Finding("", min(mine.here.rate, 1.0), (customer,), (), 0.0)
    usual = seen_together(each.usual for each in accounts).rate
    one = hour_of(finding, ("provider", place), hour, "complained", usual, examples_of(finding, accounts))
    return one._replace(suspected=True, why=WHY)
