"""What judging makes of a batch, before anything of it is stored."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from streams.alerts.outcome import LastShown, SubjectOutcome
from streams.alerts.record import Lives
from streams.judge.screen import Screened
from streams.subjects.arrays import StreamKey, Subjects


class DecidedBatch(NamedTuple):
    """`closely` are the places of the subjects that were judged one by one. The outcomes are theirs, then those of
    subjects without any mail. How they were last `shown` was asked of some."""

    subjects: Subjects
    screened: Screened
    closely: list[int]
    outcomes: list[SubjectOutcome]
    lives: Lives
    again: list[tuple[str, int]]
    shown: Mapping[StreamKey, LastShown]
    asked: Collection[str]

    def without(self, waiting: Collection[str]) -> "DecidedBatch":
        """The same of a batch without these customers: no customer's outcome depends on who is judged along with it.
        So who waits costs no second reading of the others."""
        stays = np.array([customer not in waiting for customer in self.subjects.customers], np.bool_)
        place_of = dict(zip(stays.nonzero()[0].tolist(), range(len(stays)), strict=False))
        lives = self.lives
        return DecidedBatch(
            self.subjects.at(list(place_of)),
            Screened(
                self.screened.remarkable[stays],
                self.screened.insufficient_volume[stays],
                {rule: rows[stays] for rule, rows in self.screened.unobservable.items()},
            ),
            [place_of[place] for place in self.closely if place in place_of],
            [each for each in self.outcomes if each.subject.customer not in waiting],
            lives._replace(
                states={key: each for key, each in lives.states.items() if key[0] not in waiting},
                unsent={key: each for key, each in lives.unsent.items() if key[0] not in waiting},
                fresh_starts={name: each for name, each in lives.fresh_starts.items() if name not in waiting},
                decisions={key: each for key, each in lives.decisions.items() if key[0] not in waiting},
            ),
            [(customer, at_ms) for customer, at_ms in self.again if customer not in waiting],
            self.shown,
            self.asked,
        )
