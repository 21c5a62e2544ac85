"""Whether it is us or them: what deferrals, refusals and bounces at one mailbox provider say, next to the others. Pure.

What hits most customers at one provider alone is that provider's doing, or what it thinks of something that all share.
What hits most customers at most providers is ours. What hits a few customers is theirs.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Literal, get_args

import msgspec

from schemas.wording import percent
from streams.judge.certainty import lower_bound

#: What may be raised: attempts that were put off, recipients that were refused, recipients that do not exist.
Kind = Literal["deferred", "block", "hard"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Whose doing it is.
Whose = Literal["usual", "them", "us", "some", "unknown"]
#: What is to be looked at first.
ORDER: tuple[Whose, ...] = ("us", "them", "unknown", "some", "usual")

#: Below these rates (ratios) nothing is called raised: there is always a little.
FLOOR: Mapping[Kind, float] = {"deferred": 0.02, "block": 0.005, "hard": 0.01}
#: Raised is what is so many times usual, above the worst of the days before, ...
TIMES = 2.0
#: ... and surely so (natural logarithm of the odds against chance), of so many recipients.
SURELY, LEAST_MAIL = log(1_000), 50
#: With fewer days before that had so much mail it is not known what is usual; then so many times the floor is raised.
LEAST_DAYS, FLOORS = 3, 4.0
#: A share of customers that are hit, above which most are and below which few are (ratios); of so many at least.
MOST, FEW, LEAST_CUSTOMERS = 0.5, 0.2, 5

NOT_KNOWN = f"What is usual here is not known yet: it takes {LEAST_DAYS} days with mail at this time of day."
NAMES: Mapping[Kind, str] = {"deferred": "deferrals", "block": "refusals", "hard": "hard bounces"}


class OutcomeCounts(msgspec.Struct, frozen=True):
    """Recipients whose fate is known, and of them (deferred: of the attempts besides) what became of them."""

    finished: int = 0
    delivered: int = 0
    deferred: int = 0
    block: int = 0
    hard: int = 0

    def of(self, kind: Kind) -> tuple[int, int]:
        """Numerator and denominator of a rate."""
        if kind == "deferred":
            return self.deferred, self.finished + self.deferred
        return getattr(self, kind), self.finished

    def rate(self, kind: Kind) -> float:
        """The rate (a ratio); 0 where there was nothing."""
        numerator, denominator = self.of(kind)
        return numerator / denominator if denominator else 0.0


class ProviderNow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the fleet's mail at one provider now, and in the same hours of each of the `days` before, the
    latest first; `elapsed` is the part of these hours that is over now (a ratio).

    `customers` sent there now. By kind, `enough` of them sent so much that it can be said whether they are hit, and
    `hit` of these are.
    """

    provider: str
    now: OutcomeCounts
    days: tuple[OutcomeCounts, ...] = ()
    elapsed: float = 1.0
    customers: int = 0
    enough: Mapping[Kind, int] = {}
    hit: Mapping[Kind, int] = {}

    @property
    def usual(self) -> OutcomeCounts:
        """All days before together."""
        return OutcomeCounts(
            *(sum(getattr(each, name) for each in self.days) for name in OutcomeCounts.__struct_fields__)
        )

    @property
    def usual_mail(self) -> float | None:
        """Recipients of so many hours as are over now, on a day before; None where it is not known what is usual."""
        return self.usual.finished / len(self.days) * self.elapsed if self.is_known else None

    @property
    def is_known(self) -> bool:
        """Whether it is known what is usual."""
        return sum(each.finished >= LEAST_MAIL for each in self.days) >= LEAST_DAYS

    def limit(self, kind: Kind) -> float:
        """The rate (a ratio) above which one is raised: of the fleet, or of a customer."""
        if not self.is_known:
            return FLOORS * FLOOR[kind]
        worst = max((each.rate(kind) for each in self.days if each.of(kind)[1] >= LEAST_MAIL), default=0.0)
        return max(FLOOR[kind], TIMES * self.usual.rate(kind), worst)

    def raised(self, kind: Kind) -> bool:
        """Whether more than usual is put off, refused or bounced."""
        numerator, denominator = self.now.of(kind)
        return denominator >= LEAST_MAIL and lower_bound(numerator, denominator, SURELY) > self.limit(kind)

    def share_hit(self, kind: Kind) -> float | None:
        """The part of the customers who sent enough that is hit; None where these are too few to say."""
        enough = self.enough.get(kind, 0)
        return self.hit.get(kind, 0) / enough if enough >= LEAST_CUSTOMERS else None

    def is_of_few(self, kind: Kind) -> bool:
        """Whether few customers are hit."""
        share = self.share_hit(kind)
        return share is not None and share < FEW


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, whose doing it is that things are as they are, the kind that says so, and a sentence."""

    at: ProviderNow
    whose: Whose
    sentence: str
    kind: Kind | None = None

    @property
    def raised(self) -> tuple[Kind, ...]:
        """All that is raised."""
        return tuple(each for each in KINDS if self.at.raised(each))


def told(providers: Sequence[ProviderNow]) -> list[Told]:
    """Each with what it says: what stands out first, then those with most mail."""
    raised: Mapping[Kind, set[str]] = {
        kind: {each.provider for each in providers if each.raised(kind)} for kind in KINDS
    }
    able = {each.provider for each in providers if each.now.finished + each.now.deferred >= LEAST_MAIL}
    # Where it is not a few customers' doing.
    widely: Mapping[Kind, set[str]] = {
        kind: {each.provider for each in providers if each.provider in raised[kind] and not each.is_of_few(kind)}
        for kind in KINDS
    }
    found = [_of(each, raised, widely, able) for each in providers]
    return sorted(found, key=lambda each: (ORDER.index(each.whose), -each.at.now.finished, each.at.provider))


def _of(each: ProviderNow, raised: Mapping[Kind, set[str]], widely: Mapping[Kind, set[str]], able: set[str]) -> Told:
    kinds = [kind for kind in KINDS if each.provider in raised[kind]]
    if not kinds:
        if each.provider not in able:
            return Told(at=each, whose="usual", sentence="Too little mail to say.")
        said = "As usual." if each.is_known else f"Nothing stands out. {NOT_KNOWN}"
        return Told(at=each, whose="usual", sentence=said)
    kind = max(kinds, key=lambda kind: each.now.rate(kind) / each.limit(kind))
    others = able - {each.provider}
    whose, said = _whose(each, kind, len(others), len(others & widely[kind]))
    usual = f"usual {percent(each.usual.rate(kind))}" if each.is_known else "and what is usual is not known yet"
    head = f"{NAMES[kind].capitalize()} are at {percent(each.now.rate(kind))}, {usual}"
    return Told(at=each, whose=whose, sentence=f"{head}{said}", kind=kind)


def _whose(each: ProviderNow, kind: Kind, others: int, with_it: int) -> tuple[Whose, str]:
    """Whose doing it is, and how a sentence goes on; of so many other providers so many have the same."""
    share = each.share_hit(kind)
    if share is None:
        return "unknown", f". Fewer than {LEAST_CUSTOMERS} customers sent enough there to say whose doing it is."
    hit = f"{each.hit.get(kind, 0):,} of {each.enough.get(kind, 0):,} customers are hit"
    if share < FEW:
        return "some", f", but only {hit}: look at these customers, not at the provider."
    if others and with_it * 2 >= others:
        also = f"{hit}, and {NAMES[kind]} are raised at {with_it} of {others} others too"
        return "us", f"; {also}: it is likely us. Look at our network, our DNS, and what all customers share."
    said = f"; {hit}, which is neither few nor most: what they share may be an address or a pool of ours."
    if not others:
        said = f"; {hit}. There is no other provider to compare it with."
    if share < MOST or not others:
        return "unknown", said
    alone = f"only {with_it} of {others} others have it" if with_it else "the others are as usual"
    return "them", f"; {hit}, and {alone}: it is likely them, or what they think of an address that all share."
