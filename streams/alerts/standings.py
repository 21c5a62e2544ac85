"""The table of standings: where each subject stands, with the numbers of the last day.

A row is written at once when the standing or its reasons change. When only the numbers do, and those of an active
customer always do, it is written every `refresh_ms`: who looks at the table sees numbers that are at most so old.

Beside the standing are two marks: since when there is no mail, and of which rules too little is observable. Everybody
with mail in the longest window is judged now and then, so silence is seen without anything coming in.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.counts import SEEN_OF
from schemas.policy import Policy
from schemas.policy_metric import Metric, window_ms
from schemas.standing import stored_standing
from schemas.times import DAY_MS, utc_time
from streams.alerts.last_mail import LastMail, last_mail, silent_in
from streams.alerts.outcome import LastShown, SubjectOutcome
from streams.alerts.record import last_shown
from streams.io.store import Store
from streams.judge.score import SCORES, scores
from streams.judge.screen import Screened, finished, measured
from streams.subjects.arrays import FIELD_INDEX, StreamKey, Subjects

#: Rows that may be of who has no mail in the longest window any more, and so is not judged.
LEFT_BEHIND = f"""
SELECT customer, scope
FROM standings FINAL
WHERE toUnixTimestamp64Milli(inactive_since) = 0 AND standings.updated < fromUnixTimestamp64Milli({{before:Int64}})
    AND {stored_standing("standings.standing")} IN ('good', 'insufficient_volume')
    AND splitByChar(':', scope)[1] IN {{scopes:Array(String)}}
ORDER BY standings.updated, customer, scope LIMIT {{most:UInt32}}
"""  # noqa: S608 - made of texts of this project only
MOST_LEFT_BEHIND = 10_000
#: Rows that were not written for so long may be of somebody without mail in any window. Who mails once a month is not
#: judged from the 31st day on, and silent for longer than usual two weeks later.
UNWRITTEN_MS = DAY_MS

SHOWN_WINDOW = "24h"
SHOWN_METRICS: tuple[Metric, ...] = ("complaint", "failure", "block", "exposure")
RATES = tuple(f"{metric}_rate" for metric in SHOWN_METRICS)
SCORE_COLUMNS = tuple(f"{name}_score" for name in SCORES)
#: Deliveries of which complaints could come, and all, in the longest window of a rule on complaints.
OBSERVED = ("observable_mail", "all_mail")
COLUMNS = ("volume", *RATES, *SCORE_COLUMNS, *OBSERVED)
_SCORES = slice(COLUMNS.index(SCORE_COLUMNS[0]), COLUMNS.index(SCORE_COLUMNS[-1]) + 1)

#: The rules that are unobservable, and since when there is no mail (epoch ms; 0 where there is).
Marks = tuple[tuple[str, ...], int]
NO_MARKS: Marks = ((), 0)
NOTHING_SHOWN: Mapping[StreamKey, LastShown] = MappingProxyType({})
#: Standing, since when (epoch ms), reasons, when written (epoch ms), the numbers and the marks written.
LastWritten = tuple[str, int, tuple[str, ...], int, bytes, Marks]


@dataclass(slots=True)
class Rows:
    """What is to be shown; one entry a subject. `numbers` has a column for each of `COLUMNS`.

    By the places of subjects: `unobservable` are the rules that are, `silent` those without mail for the
    `inactive_after` of their policy; it depends on their rhythm whether that is remarkable.
    """

    subjects: list[StreamKey]
    standings: list[str]
    reasons: list[tuple[str, ...]]
    numbers: NDArray[np.float64]
    unobservable: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    silent: Sequence[int] = ()


@dataclass(slots=True)
class _Writing:
    """The rows of one INSERT, by their place in what is shown."""

    places: list[int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)


class Standings:
    """Writes the table, and remembers of at most `most` subjects what it wrote."""

    def __init__(self, store: Store, policy: Policy, refresh_ms: int, most: int) -> None:
        self._store = store
        self._policy = policy
        self._refresh_ms = refresh_ms
        self._most = most
        #: How subjects were shown, as far as it is remembered.
        self.known: dict[StreamKey, LastWritten] = {}
        #: Until when (epoch ms) the silence of some is as usual for them.
        self._usual_until: dict[StreamKey, int] = {}

    def show(
        self,
        rows: Rows,
        now_ms: int,
        before: Mapping[StreamKey, LastShown] = NOTHING_SHOWN,
        asked: Collection[str] = (),
    ) -> list[tuple[str, int]]:
        """Write what is due. Returns the customers whose numbers are not written yet, each with the time (epoch ms)
        from which on they are. How those `asked` of were shown `before` is known.

        Raises:
            StoreError: the store failed; the same rows are due again.
        """
        known = self.known
        numbers = np.ascontiguousarray(rows.numbers).view(f"V{8 * len(COLUMNS)}").ravel().tolist()
        written = list(map(known.get, rows.subjects))
        # Mostly all are known, which is seen at once.
        unknown = {key[0] for key in rows.subjects if key not in known} if None in written else set[str]()
        unread = sorted(unknown.difference(asked))
        stored = {**before, **last_shown(self._store, unread)} if unread else before
        marks = self._marks(rows, written, now_ms)
        writing, owed = _Writing(), []
        for place, (key, last_row, standing, reasons, shown, mark) in enumerate(
            zip(rows.subjects, written, rows.standings, rows.reasons, numbers, marks, strict=True)
        ):
            if last_row is None:
                last = stored.get(key)
                writing.places.append(place)
                writing.since.append(last.since_ms if last is not None and last.standing == standing else now_ms)
            elif last_row[0] != standing or last_row[2] != reasons or last_row[5] != mark:
                writing.places.append(place)
                writing.since.append(last_row[1] if last_row[0] == standing else now_ms)
            elif last_row[4] != shown:
                if not last_row[3] <= now_ms < last_row[3] + self._refresh_ms:
                    writing.places.append(place)
                    writing.since.append(last_row[1])
                else:
                    owed.append((key[0], last_row[3] + self._refresh_ms))
        if writing.places:
            self._write(rows, writing, marks, now_ms)
            for place, since_ms in zip(writing.places, writing.since, strict=True):
                key = rows.subjects[place]
                # Put last, so that those longest unwritten are first.
                known.pop(key, None)
                known[key] = (
                    rows.standings[place],
                    since_ms,
                    rows.reasons[place],
                    now_ms,
                    numbers[place],
                    marks[place],
                )
            for key in list(known)[: max(0, len(known) - self._most)]:
                del known[key]
        return owed

    def age(self, now_ms: int) -> None:
        """Mark those as silent whom judging does not meet any more, since they have no mail in any window.

        Raises:
            StoreError: the store failed; the same are due again.
        """
        longest_ms = now_ms - max(map(window_ms, self._policy.windows))
        asked = {"before": now_ms - UNWRITTEN_MS, "scopes": list(self._policy.scopes), "most": MOST_LEFT_BEHIND}
        rows_left = self._store.rows(LEFT_BEHIND, asked)
        left = [key for customer, scope in rows_left if self._is_due(key := (str(customer), str(scope)), now_ms)]
        if not left:
            return
        last = last_mail(self._store, sorted({customer for customer, _ in left}), now_ms, kinds=self._policy.scopes)
        silent = [
            key
            for key in left
            if key not in last or (self._is_silent(key, last[key], now_ms) and last[key].last_ms < longest_ms)
        ]
        rows = Rows(
            subjects=silent,
            standings=["insufficient_volume"] * len(silent),
            reasons=[()] * len(silent),
            numbers=nothing_shown(len(silent)),
        )
        # When there was mail last is not known any more where its counts are gone.
        marks: list[Marks] = [((), last[key].last_ms if key in last else longest_ms) for key in silent]
        if silent:
            self._write(rows, _Writing(list(range(len(silent))), [now_ms] * len(silent)), marks, now_ms)

    def forget(self) -> None:
        """Another monitor may have written since."""
        self.known.clear()
        self._usual_until.clear()

    def _marks(self, rows: Rows, written: Sequence[LastWritten | None], now_ms: int) -> list[Marks]:
        """Of each subject. When it sent last is asked of those of whom that is not known yet."""
        marks = [NO_MARKS] * len(rows.subjects)
        since = {place: 0 if (row := written[place]) is None else row[5][1] for place in rows.silent}
        unknown = {
            place: key
            for place, known in since.items()
            if not known and self._is_due(key := rows.subjects[place], now_ms)
        }
        # Mail of an incident is left out of the counts, and is mail all the same.
        asked = sorted({key[0] for key in unknown.values()})
        last = last_mail(self._store, asked, now_ms, kinds=self._policy.scopes) if unknown else {}
        for place, known in since.items():
            whose = rows.subjects[place]
            if known:
                marks[place] = ((), known)
            elif place in unknown and whose in last and self._is_silent(whose, last[whose], now_ms):
                marks[place] = ((), last[whose].last_ms)
        for place, rules in rows.unobservable.items():
            marks[place] = (rules, marks[place][1])
        return marks

    def _is_due(self, key: StreamKey, now_ms: int) -> bool:
        """Whether to ask of somebody silent when they sent last; else their silence is as usual."""
        return self._usual_until.get(key, 0) <= now_ms

    def _is_silent(self, key: StreamKey, last: LastMail, now_ms: int) -> bool:
        """Whether somebody is silent for longer than usual."""
        self._usual_until.pop(key, None)
        if last.is_silent(self._policy, now_ms):
            return True
        if len(self._usual_until) >= self._most:
            del self._usual_until[next(iter(self._usual_until))]
        self._usual_until[key] = last.usual_until_ms(self._policy)
        return False

    def _write(self, rows: Rows, writing: _Writing, marks: Sequence[Marks], now_ms: int) -> None:
        places, count = writing.places, len(writing.places)
        numbers = rows.numbers[places]
        columns = {
            "customer": pa.array([rows.subjects[place][0] for place in places], pa.string()),
            "scope": pa.array([rows.subjects[place][1] for place in places], pa.string()),
            "updated": pa.array([utc_time(now_ms)] * count, pa.timestamp("us", "UTC")),
            "standing": pa.array([rows.standings[place] for place in places], pa.string()),
            "since": pa.array(writing.since, pa.int64()).cast(pa.timestamp("ms", "UTC")),
            "inactive_since": pa.array([marks[place][1] for place in places], pa.int64()).cast(
                pa.timestamp("ms", "UTC")
            ),
            "unobservable": pa.array([marks[place][0] for place in places], pa.list_(pa.string())),
            **{name: pa.array(numbers[:, COLUMNS.index(name)].astype(np.uint64)) for name in OBSERVED},
            "volume": pa.array(numbers[:, 0].astype(np.uint64)),
            **{name: pa.array(numbers[:, COLUMNS.index(name)]) for name in RATES},
            **{name: _scores(numbers[:, COLUMNS.index(name)]) for name in SCORE_COLUMNS},
            "reasons": pa.array([rows.reasons[place] for place in places], pa.list_(pa.string())),
            "policy_version": pa.array([self._policy.version] * count, pa.string()),
        }
        self._store.insert_table("standings", pa.table(columns))


def _scores(column: NDArray[np.float64]) -> pa.Array:
    missing = np.isnan(column)
    return pa.array(np.where(missing, 0, column).astype(np.uint8), mask=missing)


def rows_of(
    subjects: Subjects,
    screened: Screened,
    places: Sequence[int],
    outcomes: Sequence[SubjectOutcome],
    policy: Policy,
) -> Rows:
    """What the table is to say of all subjects: the outcomes are those at `places`, then those without any mail."""
    silent = outcomes[len(places) :]
    unobservable: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for name, hidden in screened.unobservable.items():
        for place in hidden.nonzero()[0].tolist():
            unobservable[place] += (name,)
    rows = Rows(
        subjects=[*zip(subjects.customers, subjects.scopes, strict=True), *(outcome.key for outcome in silent)],
        standings=["insufficient_volume" if each else "good" for each in screened.insufficient_volume.tolist()]
        + [each.standing for each in silent],
        reasons=[()] * len(subjects) + [outcome.reasons for outcome in silent],
        numbers=np.concatenate((shown_numbers(subjects, policy, screened), nothing_shown(len(silent)))),
        unobservable=unobservable,
        silent=[*_silent(subjects, policy), *range(len(subjects), len(subjects) + len(silent))],
    )
    for place, outcome in zip(places, outcomes, strict=False):
        rows.standings[place] = outcome.standing
        rows.reasons[place] = outcome.reasons
        hidden_of = tuple(verdict.rule for verdict in outcome.judgement.verdicts if verdict.unobservable)
        if hidden_of or place in unobservable:
            unobservable[place] = hidden_of
    return rows


def _silent(subjects: Subjects, policy: Policy) -> list[int]:
    """The places of those without mail for the policy's `inactive_after`."""
    if policy.inactive_window not in subjects.windows:
        return []
    counts = subjects.counts[:, subjects.windows.index(policy.inactive_window)]
    found: list[int] = silent_in(counts).nonzero()[0].tolist()
    return found


def nothing_shown(count: int) -> NDArray[np.float64]:
    """What a table shows of so many subjects without any mail."""
    numbers = np.zeros((count, len(COLUMNS)))
    numbers[:, _SCORES] = np.nan
    return numbers


def shown_numbers(subjects: Subjects, policy: Policy, screened: Screened) -> NDArray[np.float64]:
    """What a table shows: finished recipients, then complaint, failure, block and exposure rate, over 24 h; scores; and
    of how many deliveries complaints could come."""
    numbers = nothing_shown(len(subjects))
    numbers[:, _SCORES] = scores(subjects, policy, screened)
    longest = max((rule.longest for rule in policy.rules if rule.metric == "complaint"), key=window_ms, default="")
    if longest in subjects.windows:
        over = subjects.counts[:, subjects.windows.index(longest)]
        for name, of in zip(OBSERVED, SEEN_OF["complaint"], strict=True):
            numbers[:, COLUMNS.index(name)] = np.maximum(over[:, FIELD_INDEX[of]], 0)
    if SHOWN_WINDOW not in subjects.windows:
        return numbers
    counts = subjects.counts[:, subjects.windows.index(SHOWN_WINDOW)]
    numbers[:, 0] = np.maximum(finished(counts), 0)
    for column, metric in enumerate(SHOWN_METRICS, start=1):
        top, bottom = measured(metric, counts, policy.expired_is_failure)
        numbers[:, column] = np.where(bottom > 0, np.minimum(top / np.maximum(bottom, 1), 1.0), 0.0)
    return numbers
