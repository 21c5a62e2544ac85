"""What hit many customers at some places and hours: those who can tell are read, and asked as `detect` says.

A place is asked by itself first. Then those of one hour that may have been struck together; then all mail.

What the table of providers does not know is many hosts (`other`). One of them strikes those who send there, and who
does is not counted; so of it those are asked whose mail elsewhere in that hour is seen to be good, and it takes two
thirds of their weight.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from schemas.incident import EVERYWHERE, Example, Incident
from schemas.providers import OTHER
from schemas.times import HOUR_S
from streams.incidents.accounts import NOTHING, Accounts, ByProvider, CellCounts, sum_of
from streams.incidents.cells import Cells
from streams.incidents.detect import (
    AS_BAD_ELSEWHERE,
    ENOUGH,
    LEAST_STRUCK,
    SHARE,
    TELLING_ELSEWHERE,
    Account,
    Finding,
    Outcome,
    Seen,
    find,
    is_good_elsewhere,
    is_over,
    is_spared_meanwhile,
    seen_together,
)
from streams.incidents.first_day import find_on_first_day, with_peers
from streams.incidents.hour_cells import OUTCOMES
from streams.incidents.hours import FoundHour, Over, Place, examples_of, hour_of
from streams.incidents.not_excused import Worse, worse_in_another_way
from streams.incidents.surge import WHY, WHY_FIRST_DAY, most_surge
from streams.subjects.left_out import ProviderHour

#: Beside an hour that is an incident already, so much is enough, and so many who were struck: by night two send.
ENOUGH_BESIDE = ENOUGH / 2
LEAST_BESIDE = 2
#: The share of the witnesses who must have been struck for it to be everybody's mail.
SHARE_OF_ALL = 2 / 3
#: And the share that they must still have, or it was not everybody's: an hour of it may have begun or ended well.
SHARE_OF_ALL_STILL = 1 / 2


class Finder:
    """Asks those whom `cells` reads. One thread at a time."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        #: From which rate (a ratio) on each outcome is excessive by itself, by the policy in force.
        self.excessive: Mapping[Outcome, float] = {}

    def found(self, chosen: Collection[ProviderHour], known: Collection[Incident]) -> tuple[list[FoundHour], set[Over]]:
        """What is found at some places and hours, and which of the `known` incidents are over there. An hour whose mail
        was complained of stays one.

        Raises:
            StoreError: the store failed.
        """
        accounts = self._cells.read(chosen)
        # What was complained of says nothing of what is refused there: mail to it tells of refusals elsewhere.
        hit, complained = (
            {
                (each.value, hour)
                for each in known
                if each.leaves_out and (each.outcome == "complained") == is_complained
                for hour in each.confirmed
            }
            for is_complained in (False, True)
        )
        found: list[FoundHour] = []
        over: set[Over] = set()
        unfound: list[ProviderHour] = []
        places = sorted((each for each in chosen if each[0] != EVERYWHERE), key=lambda each: (each[1], each[0]))
        for place, hour in places:
            several = self._found_at(accounts, place, hour, hit, complained)
            found += several
            sure = {each.outcome == "complained" for each in several if each.place[0] != "pool" and not each.suspected}
            for is_complained in sure:
                (complained if is_complained else hit).add((place, hour))
            if not sure:
                unfound.append((place, hour))
        # Bought lists of the hour fail at unknown hosts, too: their mail there tells who is good.
        several = self._found_together(accounts, [each for each in unfound if each[0] != OTHER], hit)
        found += several
        together = {(each.place[1], each.hour) for each in several}
        hit |= together
        # Everywhere comes last: it is asked of mail to providers that are not incidents themselves.
        for place, hour in sorted(each for each in chosen if each[0] == EVERYWHERE):
            several = self._found_at(accounts, place, hour, hit, complained)
            found += several
            if all(each.place[0] == "pool" or each.suspected for each in several):
                unfound.append((place, hour))
        for place, hour in unfound:
            if (place, hour) not in together:
                # Complaints come after their mail, and lie thinly over its hours: `days` and `arrivals` decide.
                # Nor are those seen to be spared who still wait to give up mail that nobody could tell about.
                some = [each for each in known if not _is_told_later(each) or hour not in each.confirmed]
                over |= self._over(accounts, place, hour, some, hit)
        for (place, hour), outcomes in _outcomes(found, known, chosen).items():
            found += self._not_excused(accounts, place, hour, outcomes, hit)
        return found, over

    def edges(self, wanted: Collection[ProviderHour], found: Collection[FoundHour]) -> list[FoundHour]:
        """Of provider-hours next to days that were `found` to be complained of together those that belong to them: one
        customer of good history is enough, where nobody is spared.

        Raises:
            StoreError: the store failed.
        """
        accounts, more = self._cells.read(wanted), []
        hit = {(each.place[1], each.hour) for each in found}
        for place, hour in sorted(wanted):
            if not accounts.failing(place, hour, "complained"):
                continue
            some, usual = accounts.of(place, hour, "complained", hit), self.usual(place, hour).seen("complained")
            edge = find("complained", some, usual, enough=ENOUGH_BESIDE, share=SHARE_OF_ALL, least=1)
            if edge is not None and not edge.pool:
                more.append(self.found_hour(place, hour, "complained", some, edge))
        return more

    def _not_excused(
        self,
        accounts: Accounts,
        place: str,
        hour: int,
        outcomes: Collection[Outcome],
        hit: Collection[ProviderHour],
    ) -> Iterator[FoundHour]:
        """Who fails beyond what an incident of these outcomes explains: see `not_excused`."""
        cells = {
            customer: sum_of(of.values() if place == EVERYWHERE else [of.get(place, NOTHING)])
            for customer, of in accounts.by_hour[hour].items()
        }
        told = {customer for customer in cells if accounts.is_told(customer, hour)}
        worse: dict[str, Worse] = {}
        for outcome in outcomes:
            beyond = worse_in_another_way(outcome, cells, self.excessive, told)
            worse |= {who: one for who, one in beyond.items() if one.outcome not in outcomes}
        for who, one in sorted(worse.items()):
            if place != EVERYWHERE and self._is_good_elsewhere(accounts, who, place, hour, one.outcome, hit):
                continue
            example = Example(customer=who, failed=one.seen.failed, total=one.seen.total)
            yield FoundHour(
                ("customer", who), hour, one.outcome, one.seen.rate, one.others, 0, 0, one.weight, (example,)
            )

    def _is_good_elsewhere(
        self, accounts: Accounts, who: str, place: str, hour: int, outcome: Outcome, hit: Collection[ProviderHour]
    ) -> bool:
        rest = NOTHING
        for value, each in accounts.by_hour[hour][who].items():
            rest = rest if value == place or (value, hour) in hit else rest.plus(each)
        seen = rest.seen(outcome)
        return seen.total >= TELLING_ELSEWHERE and seen.rate < self.excessive[outcome]

    def minutes(
        self, some: list[Account], place: str, hour: int, outcome: Outcome, hit: Collection[ProviderHour]
    ) -> dict[str, dict[int, Seen]]:
        """What each of some customers had at a place by the minute of an hour."""
        without = {value for value, at in hit if at == hour} - {place}
        return {
            customer: {minute: cells.seen(outcome) for minute, cells in of.items()}
            for customer, of in self._cells.by_minute(place, hour, [each.customer for each in some], without).items()
        }

    def _found_at(
        self,
        accounts: Accounts,
        place: str,
        hour: int,
        refused: Collection[ProviderHour],
        complained: Collection[ProviderHour],
    ) -> list[FoundHour]:
        """The incidents of one place and hour, by outcome; of those of the whole place that are known, some are of mail
        that is `refused`, or fails otherwise, others of mail that is `complained` of."""
        found = []
        for outcome in OUTCOMES:
            hit = {*refused, *complained} if outcome == "complained" else refused
            beside = is_beside(place, hour, hit)
            if accounts.failing(place, hour, outcome) < (LEAST_BESIDE if beside else LEAST_STRUCK):
                continue
            some = self.witnesses(accounts, outcome, place, hour, hit)
            share = SHARE
            if place == OTHER:
                # Many hosts: who sends to which of them is not known.
                some, share = [each for each in some if is_good_elsewhere(outcome, each)], SHARE_OF_ALL
            finding = self._asked(outcome, some, place, hour, beside=beside, share=share)
            if place == EVERYWHERE and self._cells.is_first_day(hour) and finding is not None:
                # It is everywhere only if it is so, too, without the place at which most fails.
                without = {*hit, (_worst_of(accounts.by_hour[hour], outcome), hour)}
                rest = self.witnesses(accounts, outcome, place, hour, without)
                finding = finding if self._asked(outcome, rest, place, hour) is not None else None
            if finding is not None and not (
                not finding.pool and self._is_theirs(accounts, some, outcome, place, hour, finding.raised, hit)
            ):
                one = self.found_hour(place, hour, outcome, some, finding)
                why = self._may_be_theirs(accounts, outcome, one, finding) if one.place[0] != "pool" else ""
                found.append(one._replace(suspected=bool(why), why=why))
        return found

    def _may_be_theirs(self, accounts: Accounts, outcome: Outcome, one: FoundHour, finding: Finding) -> str:
        """Why those who are struck may be to blame themselves, where their mail fails everywhere; empty where nothing
        says so. What was found of one provider is asked whether all mail of theirs fails, too."""
        dimension, place, hour = *one.place, one.hour
        if dimension == "provider":
            if outcome == "complained" or self._cells.is_first_day(hour):
                return ""
            struck = set(finding.struck)
            every = accounts.of(place, hour, outcome, ())
            elsewhere = seen_together(each.elsewhere for each in every if each.customer in struck)
            if elsewhere.total < TELLING_ELSEWHERE or elsewhere.rate < max(
                self._cells.bad[outcome], finding.raised * AS_BAD_ELSEWHERE
            ):
                return ""
        elif self._cells.is_first_day(hour):
            return WHY_FIRST_DAY
        sent = {each: sum_of(accounts.by_hour[hour][each].values()).finished for each in finding.struck}
        return WHY if most_surge(sent, self._cells.busiest_hours(sent, hour)) else ""

    def _found_together(
        self, accounts: Accounts, suspected: Iterable[ProviderHour], hit: Collection[ProviderHour]
    ) -> list[FoundHour]:
        """Several places that were struck in one hour. Each by itself finds no witness, since mail to the others fails
        as well; so those are asked whose mail to none of them is seen to be good, and two thirds of their weight are
        needed, as for all mail. Complaints are asked by the day."""
        by_hour: dict[int, list[str]] = defaultdict(list)
        for place, hour in suspected:
            by_hour[hour].append(place)
        found: list[FoundHour] = []
        for hour, places in by_hour.items():
            without = {*hit, *((place, hour) for place in places)}
            for outcome in (each for each in OUTCOMES if each != "complained" and len(places) > 1):
                several = []
                for place in places:
                    if accounts.failing(place, hour, outcome) < LEAST_STRUCK:
                        continue
                    some = self.witnesses(accounts, outcome, place, hour, without)
                    some = [each for each in some if is_good_elsewhere(outcome, each)]
                    finding = self._asked(outcome, some, place, hour, share=SHARE_OF_ALL)
                    if finding is not None and not finding.pool:
                        several.append(self.found_hour(place, hour, outcome, some, finding))
                found += several if len(several) > 1 else []
        return found

    def _asked(
        self,
        outcome: Outcome,
        accounts: list[Account],
        place: str,
        hour: int,
        *,
        beside: bool = False,
        share: float = SHARE,
    ) -> Finding | None:
        everywhere = place == EVERYWHERE
        if self._cells.is_first_day(hour):
            usual = self.usual(place, hour).seen(outcome)
            return find_on_first_day(outcome, accounts, usual, everywhere=everywhere)
        usual, share = self.usual(place, hour).seen(outcome), SHARE_OF_ALL if everywhere else share
        found = find(outcome, accounts, usual, enough=ENOUGH_BESIDE if beside else ENOUGH, share=share)
        if found is None and beside and outcome != "complained":
            return find(outcome, accounts, usual, enough=ENOUGH, share=SHARE_OF_ALL, least=LEAST_BESIDE)
        return found

    def witnesses(
        self, accounts: Accounts, outcome: Outcome, place: str, hour: int, hit: Collection[ProviderHour]
    ) -> list[Account]:
        """Those who are asked about a place and hour; elsewhere is without the incidents in `hit`."""
        some = accounts.of(place, hour, outcome, set(hit) - {(place, hour)})
        if place == EVERYWHERE:
            some = [each for each in some if _may_tell_of_all(accounts.by_hour[hour][each.customer], hour, hit)]
        if self._cells.is_first_day(hour):
            return with_peers(outcome, some, everywhere=place == EVERYWHERE)
        return some

    def found_hour(
        self, place: str, hour: int, outcome: Outcome, accounts: list[Account], finding: Finding
    ) -> FoundHour:
        dimension: Place = ("provider", place)
        if finding.pool:
            dimension = ("pool", f"{finding.pool}@{place}")
        elif place == EVERYWHERE:
            dimension = ("all", place)
        usual = self.usual(place, hour).seen(outcome).rate
        return hour_of(finding, dimension, hour, outcome, usual, examples_of(finding, accounts))

    def usual(self, place: str, hour: int) -> CellCounts:
        """What the fleet had at one place in the weeks before the day of an hour; of a new one, everywhere."""
        usual = self._cells.usual(hour)
        return usual.get(place, usual[EVERYWHERE])

    def _over(
        self,
        accounts: Accounts,
        place: str,
        hour: int,
        known: Collection[Incident],
        hit: Collection[ProviderHour],
    ) -> set[Over]:
        """The place and hour, where it is clear that those who sent were spared of an incident that is known."""
        return {
            ((each.dimension, each.value), hour, each.outcome)
            for each in known
            if each.value == place
            for outcome in OUTCOMES
            if outcome == each.outcome and self._is_over(accounts, outcome, place, hour, each, hit)
        }

    def _is_over(
        self,
        accounts: Accounts,
        outcome: Outcome,
        place: str,
        hour: int,
        known: Incident,
        hit: Collection[ProviderHour],
    ) -> bool:
        some, rate = self.witnesses(accounts, outcome, place, hour, hit), known.rate
        share = SHARE_OF_ALL_STILL if place in (EVERYWHERE, OTHER) else SHARE
        return is_over(outcome, some, self.usual(place, hour).seen(outcome), rate, share) or self._is_theirs(
            accounts, some, outcome, place, hour, rate, hit
        )

    def _is_theirs(
        self,
        accounts: Accounts,
        some: list[Account],
        outcome: Outcome,
        place: str,
        hour: int,
        rate: float,
        hit: Collection[ProviderHour],
    ) -> bool:
        """Whether those who fail do so at several places, while others are unharmed in the very minutes: a bad list
        fails everywhere, and so do the accounts of one abuser, however old they grew."""
        failing = {each.customer for each in some if each.here.rate >= rate / 2}
        if len(some) - len(failing) < LEAST_STRUCK or outcome == "complained":
            return False
        if place != EVERYWHERE:
            every = accounts.of(place, hour, outcome, ())
            elsewhere = seen_together(each.elsewhere for each in every if each.customer in failing)
            if elsewhere.total < TELLING_ELSEWHERE or elsewhere.rate < self._cells.bad[outcome]:
                return False
        minutes = self.minutes(some, place, hour, outcome, hit)
        return is_spared_meanwhile(outcome, some, self.usual(place, hour).seen(outcome), rate, minutes)


def _is_told_later(incident: Incident) -> bool:
    """Whether it is known days later only whom it did not strike."""
    return incident.outcome == "complained" or (incident.outcome == "expired" and incident.state == "suspected")


def _outcomes(
    found: Iterable[FoundHour], known: Iterable[Incident], chosen: Collection[ProviderHour]
) -> dict[ProviderHour, set[Outcome]]:
    """Of which outcomes places and hours are incidents. Where one is found now, what seemed so earlier does not count:
    while mail waits, what is refused at once seems much. Complaints are looked for elsewhere."""
    outcomes: dict[ProviderHour, set[Outcome]] = defaultdict(set)
    struck = [
        (each.place[1], each.hour, each.outcome) for each in found if each.place[0] != "pool" and not each.suspected
    ]
    now = {(place, hour) for place, hour, _ in struck}
    struck += [
        (each.value, hour, each.outcome)
        for each in known
        if each.leaves_out
        for hour in each.confirmed
        if each.outcome == "complained" or (each.value, hour) not in now
    ]
    for place, hour, named in struck:
        if (place, hour) in chosen:
            outcomes[place, hour] |= {outcome for outcome in OUTCOMES if outcome == named}
    return outcomes


def is_beside(place: str, hour: int, hit: Collection[ProviderHour]) -> bool:
    """Whether an hour before or after is an incident there."""
    return any((place, hour + step) in hit for step in (-HOUR_S, HOUR_S))


def _worst_of(cells: ByProvider, outcome: Outcome) -> str:
    """The place at which most failed in an hour, of all customers."""
    failed: dict[str, int] = defaultdict(int)
    for of_customer in cells.values():
        for place, counts in of_customer.items():
            failed[place] += counts.seen(outcome).failed
    return max(sorted(failed), key=failed.__getitem__)


def _may_tell_of_all(cells: Mapping[str, CellCounts], hour: int, hit: Collection[ProviderHour]) -> bool:
    """Who sends to one provider alone says nothing of all mail, unless it is hardly any (or to those that the table of
    providers does not know)."""
    left = {place for place in cells if (place, hour) not in hit}
    return len(left) != 1 or OTHER in left or sum(cells[place].finished for place in left) < TELLING_ELSEWHERE
