"""When each zone is asked, and about what. Pure: the time and chance are passed in.

All resources lie on a circle, each at the place that its name gives it. A zone goes round it once an interval: in one
turn where there are few resources, in several, evenly spread, where there are many. Each turn asks about one arc and
begins where the last one ended, so nothing is asked about twice in a round and nothing left out, also over a restart.
The time between two turns varies by `jitter`, so that zones which began together do not stay together.

- In the same number of turns a round, a resource is asked about again after an interval, give or take `jitter` of it.
- Where a list allows so many questions a day, a round takes as long as these last.
- Where another scanner works on the same store, each turn is taken by one of them.
- What is overdue after a pause, or was never asked, is not asked all at once, but within `jitter` of an interval.
"""

from dataclasses import dataclass, replace
from math import inf
from zlib import crc32

from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Zone
from schemas.times import DAY_MS, MINUTE_MS

CIRCLE = 1 << 32
#: A turn takes about so long, at the zone's rate or as fast as it answers, so that it keeps no other waiting, ...
TURN_S = 10.0
#: ... but is about so many resources at least, for a list that lists too many of them is to be noticed, ...
LEAST_IN_TURN = 40
#: ... and so many at most.
MOST_IN_TURN = 1_000
#: So late another scanner's turn has to be before it is taken in its place.
STAND_BY_MS = MINUTE_MS
#: Of what a list allows a day, this share is for turns; self-tests and second looks have the rest. No turn takes more
#: than the second share at once.
SHARE_OF_DAY = 0.85
SHARE_OF_TURN = 0.05


@dataclass(frozen=True, slots=True)
class Arc:
    """A piece of the circle; a length of CIRCLE is all of it."""

    begin: int = 0
    length: int = CIRCLE

    def holds(self, place: int) -> bool:
        """Whether the place lies in it."""
        return self.begin <= place < self.begin + self.length

    @property
    def ends_round(self) -> bool:
        """Whether the next arc begins a new round."""
        return self.begin + self.length >= CIRCLE


@dataclass(frozen=True, slots=True)
class Turn:
    """A zone's last turn and its next: when it was asked (epoch ms, UTC; 0 is never) and how many questions, when it is
    due, and where on the circle the next arc begins."""

    asked_ms: int
    questions: int
    due_ms: int
    place: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a zone goes round: how long one round takes, in how many turns, varied by how much (a ratio)."""

    round_ms: float
    turns: int
    jitter: float

    @property
    def arc_length(self) -> int:
        """The length of a turn's arc; the last one of a round may be shorter."""
        return -(-CIRCLE // self.turns)


def place_of(name: str) -> int:
    """Where on the circle a resource lies; always the same."""
    return crc32(name.encode())


def rhythm(zone: Zone, resources: int, settings: Blocklists, per_s: float = inf) -> Rhythm:
    """How a zone goes round so many resources. `per_s` is how many questions a second it answered lately."""
    every_ms: float = getattr(settings.every_minutes, zone.weight) * MINUTE_MS
    per_s = min(per_s, zone.queries_per_s or settings.queries_per_s)
    most = max(LEAST_IN_TURN, min(MOST_IN_TURN, TURN_S * per_s))
    if zone.queries_per_day:
        allowed = zone.queries_per_day * SHARE_OF_DAY * (1 - settings.jitter)
        every_ms = max(every_ms, resources * DAY_MS / allowed)
        most = max(1.0, min(most, zone.queries_per_day * SHARE_OF_TURN))
    return Rhythm(every_ms, max(1, int(-(-resources // most))), settings.jitter)


def next_arc(turn: Turn, rhythm: Rhythm) -> Arc:
    """What the next turn is about."""
    return Arc(turn.place, min(rhythm.arc_length, CIRCLE - turn.place))


def arc_out_of_turn(turn: Turn, zone: Zone, resources: int) -> Arc:
    """All of the circle; or from where the zone is, as much as the list allows a day."""
    allowed = (zone.queries_per_day or resources) * SHARE_OF_DAY
    if not zone.queries_per_day or resources <= allowed:
        return Arc()
    return Arc(turn.place, min(int(CIRCLE * allowed / resources), CIRCLE - turn.place))


def taken(turn: Turn, arc: Arc, rhythm: Rhythm, asked_ms: int, questions: int, chance: float) -> Turn:
    """The turn after one that was begun at `asked_ms` (epoch ms). `chance` is in [0, 1).

    Where it was begun a little late, the next one makes up for that, as far as jitter goes.
    """
    gap = rhythm.round_ms * arc.length / CIRCLE
    swing = gap * rhythm.jitter
    aimed = turn.due_ms + gap + swing * (2 * chance - 1)
    due = min(max(aimed, asked_ms + gap - swing), asked_ms + gap + swing)
    place = 0 if arc.ends_round else arc.begin + arc.length
    return Turn(asked_ms=asked_ms, questions=questions, due_ms=round(due), place=place)


def resumed(turn: Turn | None, rhythm: Rhythm, now_ms: int, chance: float) -> Turn:
    """A zone's turn at the start of a process, from what was stored of it. `chance` is in [0, 1).

    A turn that lies ahead is kept, but not further ahead than a round after the last; one that is overdue, or the
    first, comes within `jitter` of a round.
    """
    soon_ms = now_ms + round(rhythm.round_ms * rhythm.jitter * chance)
    if turn is None:
        return Turn(asked_ms=0, questions=0, due_ms=soon_ms, place=0)
    latest_ms = min(turn.asked_ms, now_ms) + round(rhythm.round_ms * (1 + rhythm.jitter))
    due_ms = min(turn.due_ms, latest_ms)
    return replace(turn, due_ms=due_ms if due_ms > now_ms else soon_ms)


def standing_by(taken_by_another: Turn) -> Turn:
    """A zone's turn where another scanner took the last one: it has the next one, too, unless it is late."""
    return replace(taken_by_another, due_ms=taken_by_another.due_ms + STAND_BY_MS)


def allowed_from_ms(zone: Zone, turn: Turn) -> int:
    """From when on (epoch ms) a zone with a limit a day may be asked again out of turn, so that the limit holds."""
    if not zone.queries_per_day:
        return 0
    return turn.asked_ms + round(turn.questions * DAY_MS / (zone.queries_per_day * SHARE_OF_DAY))
