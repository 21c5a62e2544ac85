"""What becomes of mail, and when that is known: each late outcome has a delay of its own.

Counts are those that intake would store: repeats are no business of theirs. What a customer's formats do not date is
counted when it comes, as undated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.verdicts.chance.mishaps import Mishap, Shaped
from benchmarks.verdicts.chance.people import Person
from benchmarks.verdicts.fleet import HOUR, LOOPED, PROVIDERS
from benchmarks.verdicts.mail import Ints, Numbers

MEASURES = (
    "delivered",
    "hard",
    "block",
    "expired",
    "complained",
    "late_hard",
    "undated_hard",
    "undated_expired",
    "undated_complained",
)
AT = {name: place for place, name in enumerate(MEASURES)}
#: Of hard bounces so many come after the delivery.
LATE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Rows:
    """Times in s after the beginning: when it was known and in which minute it counts."""

    known: Ints
    sent: Ints
    customer: Ints
    stream: Ints
    provider: Ints
    measure: Ints
    n: Ints

    def some(self, chosen: np.typing.NDArray[np.bool_]) -> "Rows":
        """Some of them."""
        return Rows(*(getattr(self, name)[chosen] for name in Rows.__slots__))


@dataclass
class Mailbag:
    """All outcomes of a fleet so far, and the recipients of each customer by time of sending."""

    rng: np.random.Generator
    mishaps: Sequence[Mishap]
    parts: list[Rows] = field(default_factory=list)

    def post(
        self,
        number: int,
        person: Person,
        stream: int,
        begins: Ints,
        recipients: Ints,
        noise: Numbers,
        failing: Numbers | None = None,
    ) -> None:
        """Mail of one stream: recipients by time (s), with how many times worse than its rates each time's mail is;
        what fails (unknown, given up) by `failing`, where that is given."""
        some = np.flatnonzero(recipients)
        if not len(some):
            return
        failing = noise if failing is None else failing
        begins, noise, failing, rng = begins[some], noise[some], failing[some], self.rng
        n = rng.multinomial(recipients[some], person.mix)
        hit = [Shaped(each, begins, person) for each in self.mishaps]

        def drawn(of: Ints, own: float, outcome: str) -> tuple[Ints, Numbers]:
            times = failing if outcome in ("hard", "expired") else noise
            rate = np.minimum(own * times, 0.9)[:, None] + np.zeros(len(PROVIDERS))
            for each in hit:
                if each.mishap.outcome == outcome:
                    rate = 1 - (1 - rate) * (1 - each.rate)
            return rng.binomial(of, rate), rate

        hard, _ = drawn(n, person.hard, "hard")
        block, _ = drawn(n - hard, person.block, "block")
        expired, _ = drawn(n - hard - block, person.expired, "expired")
        delivered = n - hard - block - expired
        for each in hit:
            if each.mishap.together:
                given_up = rng.binomial(delivered, np.minimum(each.batch, 1.0))
                delivered = delivered - given_up
                known = np.maximum(each.mishap.known, begins + 60)
                self._put(number, stream, person, known, begins, given_up, "expired")
        looped = delivered * np.array(LOOPED)
        complained, _ = drawn(looped, person.complained, "complained")
        asynchronous = rng.binomial(hard, LATE_SHARE)
        deferred = rng.binomial(delivered, 0.04)
        prompt = delivered - deferred
        at = begins
        self._put(number, stream, person, at, at, prompt, "delivered")
        self._put(number, stream, person, at, at, asynchronous, "delivered")
        self._put(number, stream, person, at, at, hard - asynchronous, "hard")
        self._put(number, stream, person, at, at, block, "block")
        self._late(number, stream, person, at, deferred, "delivered", 0.4, 1.0)
        self._late(number, stream, person, at, asynchronous, "hard", 4.0 * person.late, 1.0)
        self._late(number, stream, person, at, expired, "expired", person.gives_up_h, 0.02)
        self._late(number, stream, person, at, complained, "complained", 9.0 * person.late, 1.3)
        for each in hit:
            if each.mishap.outcome == "complained":
                more = rng.binomial(looped, np.minimum(each.batch, 1.0))
                known = np.full(len(at), each.mishap.known)
                self._put(number, stream, person, known, at, more, "complained")

    def _late(
        self, number: int, stream: int, person: Person, at: Ints, n: Ints, name: str, median_h: float, spread: float
    ) -> None:
        rows, provider = np.nonzero(n)
        each = np.repeat(np.arange(len(rows)), n[rows, provider])
        drawn = median_h * HOUR * np.exp(spread * self.rng.standard_normal(len(each)))
        # In steps of ten minutes, so that what comes together is one row.
        steps = np.clip(np.round(drawn / 600), 1, 99_999).astype(np.int64)
        key = each * 100_000 + steps
        distinct, count = np.unique(key, return_counts=True)
        which, lags = distinct // 100_000, distinct % 100_000 * 600
        sent = at[rows[which]]
        self._add(number, stream, person, sent + lags, sent, provider[which], count, name)

    def _put(self, number: int, stream: int, person: Person, known: Ints, at: Ints, n: Ints, name: str) -> None:
        rows, provider = np.nonzero(n)
        self._add(number, stream, person, known[rows], at[rows], provider, n[rows, provider], name)

    def _add(
        self, number: int, stream: int, person: Person, known: Ints, sent: Ints, provider: Ints, n: Ints, name: str
    ) -> None:
        if not len(n):
            return
        late = known > sent
        undated = late & (not person.dated) & (name != "delivered")
        sent = np.where(undated, known, sent)
        for measure, chosen in _measures(name, late, undated):
            count = int(chosen.sum())
            if count:
                whose, what, kind = (np.full(count, value, np.int64) for value in (number, stream, AT[measure]))
                self.parts.append(Rows(known[chosen], sent[chosen], whose, what, provider[chosen], kind, n[chosen]))

    def rows(self) -> Rows:
        """All of them, by when they were known."""
        every = [np.concatenate([getattr(part, name) for part in self.parts]) for name in Rows.__slots__]
        order = np.argsort(every[0], kind="stable")
        return Rows(*(each[order] for each in every))


def _measures(
    name: str, late: np.typing.NDArray[np.bool_], undated: np.typing.NDArray[np.bool_]
) -> Iterator[tuple[str, np.typing.NDArray[np.bool_]]]:
    yield name, np.ones(len(late), np.bool_)
    if name == "hard":
        yield "late_hard", late
    if f"undated_{name}" in AT:
        yield f"undated_{name}", undated


def noises(rng: np.random.Generator, person: Person, begins: Ints) -> Numbers:
    """How many times worse than usual each time's mail is: alike within a day, 1 on average."""
    days = begins // (24 * HOUR)
    distinct, place = np.unique(days, return_inverse=True)
    drawn = rng.gamma(person.shape, 1 / person.shape, len(distinct))
    return np.asarray(drawn[place])
