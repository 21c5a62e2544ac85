"""The table of standings: where each subject stands, with the numbers of the last day.

A row is written at once when the standing or its reasons change. When only the numbers do, and those of an active
customer always do, it is written every `refresh_ms`: who looks at the table sees numbers that are at most so old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.policy import Policy
from schemas.policy_metric import Metric
from schemas.times import utc_time
from streams.alerts.outcome import LastShown, SubjectOutcome
from streams.alerts.record import last_shown
from streams.io.store import Store
from streams.judge.score import SCORES, scores
from streams.judge.screen import finished, measured
from streams.subjects.arrays import StreamKey, Subjects

SHOWN_WINDOW = "24h"
SHOWN_METRICS: tuple[Metric, ...] = ("complaint", "failure", "block", "exposure")
RATES = tuple(f"{metric}_rate" for metric in SHOWN_METRICS)
SCORE_COLUMNS = tuple(f"{name}_score" for name in SCORES)
COLUMNS = ("volume", *RATES, *SCORE_COLUMNS)

#: Standing, since when (epoch ms), reasons, when written (epoch ms), and the numbers written.
LastWritten = tuple[str, int, tuple[str, ...], int, bytes]


@dataclass(slots=True)
class Rows:
    """What is to be shown; one entry a subject. `numbers` has a column for each of `COLUMNS`."""

    subjects: list[StreamKey]
    standings: list[str]
    reasons: list[tuple[str, ...]]
    numbers: NDArray[np.float64]


@dataclass(slots=True)
class _Writing:
    """The rows of one INSERT, by their place in what is shown."""

    places: list[int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)


class Standings:
    """Writes the table, and remembers of at most `most` subjects what it wrote."""

    def __init__(self, store: Store, policy_version: str, refresh_ms: int, most: int) -> None:
        self._store = store
        self._policy_version = policy_version
        self._refresh_ms = refresh_ms
        self._most = most
        self._known: dict[StreamKey, LastWritten] = {}

    def show(
        self, rows: Rows, now_ms: int, before: Mapping[StreamKey, LastShown] | None = None
    ) -> list[tuple[str, int]]:
        """Write what is due. Returns the customers whose numbers are not written yet, each with the time (epoch ms)
        from which on they are. How all of them were shown `before` need not be asked for where it is given.

        Raises:
            StoreError: the store failed; the same rows are due again.
        """
        known = self._known
        numbers = np.ascontiguousarray(rows.numbers).view(f"V{8 * len(COLUMNS)}").ravel().tolist()
        written = list(map(known.get, rows.subjects))
        new = sorted({key[0] for key, each in zip(rows.subjects, written, strict=True) if each is None})
        stored = before if before is not None else last_shown(self._store, new) if new else {}
        writing, owed = _Writing(), []
        for place, (key, last_row, standing, reasons, shown) in enumerate(
            zip(rows.subjects, written, rows.standings, rows.reasons, numbers, strict=True)
        ):
            if last_row is None:
                last = stored.get(key)
                writing.places.append(place)
                writing.since.append(last.since_ms if last is not None and last.standing == standing else now_ms)
            elif last_row[0] != standing or last_row[2] != reasons:
                writing.places.append(place)
                writing.since.append(last_row[1] if last_row[0] == standing else now_ms)
            elif last_row[4] != shown:
                if not last_row[3] <= now_ms < last_row[3] + self._refresh_ms:
                    writing.places.append(place)
                    writing.since.append(last_row[1])
                else:
                    owed.append((key[0], last_row[3] + self._refresh_ms))
        if writing.places:
            self._write(rows, writing, now_ms)
            for place, since_ms in zip(writing.places, writing.since, strict=True):
                key = rows.subjects[place]
                # Put last, so that those longest unwritten are first.
                known.pop(key, None)
                known[key] = (rows.standings[place], since_ms, rows.reasons[place], now_ms, numbers[place])
            for key in list(known)[: max(0, len(known) - self._most)]:
                del known[key]
        return owed

    def forget(self) -> None:
        """Another monitor may have written since."""
        self._known.clear()

    def _write(self, rows: Rows, writing: _Writing, now_ms: int) -> None:
        places, count = writing.places, len(writing.places)
        numbers = rows.numbers[places]
        columns = {
            "customer": pa.array([rows.subjects[place][0] for place in places], pa.string()),
            "scope": pa.array([rows.subjects[place][1] for place in places], pa.string()),
            "updated": pa.array([utc_time(now_ms)] * count, pa.timestamp("us", "UTC")),
            "standing": pa.array([rows.standings[place] for place in places], pa.string()),
            "since": pa.array(writing.since, pa.int64()).cast(pa.timestamp("ms", "UTC")),
            "volume": pa.array(numbers[:, 0].astype(np.uint64)),
            **{name: pa.array(numbers[:, COLUMNS.index(name)]) for name in RATES},
            **{name: _scores(numbers[:, COLUMNS.index(name)]) for name in SCORE_COLUMNS},
            "reasons": pa.array([rows.reasons[place] for place in places], pa.list_(pa.string())),
            "policy_version": pa.array([self._policy_version] * count, pa.string()),
        }
        self._store.insert_table("standings", pa.table(columns))


def _scores(column: NDArray[np.float64]) -> pa.Array:
    missing = np.isnan(column)
    return pa.array(np.where(missing, 0, column).astype(np.uint8), mask=missing)


def rows_of(
    subjects: Subjects,
    insufficient_volume: Sequence[bool],
    places: Sequence[int],
    outcomes: Sequence[SubjectOutcome],
    policy: Policy,
) -> Rows:
    """What the table is to say of all subjects: the outcomes are those at `places`, then those without any mail."""
    silent = outcomes[len(places) :]
    rows = Rows(
        subjects=[*zip(subjects.customers, subjects.scopes, strict=True), *(outcome.key for outcome in silent)],
        standings=["insufficient_volume" if each else "good" for each in insufficient_volume]
        + [each.standing for each in silent],
        reasons=[()] * len(subjects) + [outcome.reasons for outcome in silent],
        numbers=np.concatenate((shown_numbers(subjects, policy), nothing_shown(len(silent)))),
    )
    for place, outcome in zip(places, outcomes, strict=False):
        rows.standings[place] = outcome.standing
        rows.reasons[place] = outcome.reasons
    return rows


def nothing_shown(count: int) -> NDArray[np.float64]:
    """What a table shows of so many subjects without any mail."""
    numbers = np.zeros((count, len(COLUMNS)))
    numbers[:, 1 + len(RATES) :] = np.nan
    return numbers


def shown_numbers(subjects: Subjects, policy: Policy) -> NDArray[np.float64]:
    """What a table shows: finished recipients, then complaint, failure, block and exposure rate, over 24 h; scores."""
    numbers = nothing_shown(len(subjects))
    numbers[:, 1 + len(RATES) :] = scores(subjects, policy)
    if SHOWN_WINDOW not in subjects.windows:
        return numbers
    counts = subjects.counts[:, subjects.windows.index(SHOWN_WINDOW)]
    numbers[:, 0] = np.maximum(finished(counts), 0)
    for column, metric in enumerate(SHOWN_METRICS, start=1):
        top, bottom = measured(metric, counts, policy.expired_is_failure)
        numbers[:, column] = np.where(bottom > 0, np.minimum(top / np.maximum(bottom, 1), 1.0), 0.0)
    return numbers
