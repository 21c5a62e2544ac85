"""The limit on dead letters: a worker whose topic suddenly cannot be read must stop, not set the topic aside. Pure.

A few bad messages are their senders' fault, and the stream continues without them. When a large share is bad, the
fault is more likely here: the wrong format for the topic, or a release that reads it wrongly.

The share is taken over a sliding window of the last messages of one source partition, in whole calls of `note`: the
window is the fewest latest calls that together hold `window` messages. Called for each message it is exactly
the last `window` messages; called for each batch it is at most one batch longer.

Before `window` messages were seen nothing is exceeded, so a quiet topic whose first 50 messages are all bad continues:
of so few it cannot be said whether the format or one sender is at fault, every message is kept as a dead letter,
and one bad message among the first three must stop nobody. Where that is too late, `ingest.dead_letter_window` is
to be lowered.
"""

from collections import deque
from fractions import Fraction

from schemas.errors import ExternalError


class DeadShareError(ExternalError):
    """Too large a share of a source partition cannot be read; the message says what to look at."""


class DeadShare:
    """The share of one source partition.

    `share` is a ratio (0.2 is 20 %), exceeded only above it: with 1 it never is. `window` is in messages.
    """

    def __init__(self, topic: str, partition: int, share: float = 0.2, window: int = 1000) -> None:
        self.topic = topic
        self.partition = partition
        # As it is written in the settings: 29 of 100 is not above 0.29, though the float 0.29 * 100 is below 29.
        self.share = Fraction(str(share))
        self.window = window
        self.last_reason = ""
        self._calls: deque[tuple[int, int]] = deque()
        self._messages = 0
        self._bad = 0

    def note(self, good: int, bad: int, last_reason: str = "") -> None:
        """Messages taken since the last call: how many were read, how many became dead letters, and why the last
        of those did."""
        if good + bad == 0:
            return
        if last_reason:
            self.last_reason = last_reason
        calls = self._calls
        calls.append((good, bad))
        self._messages += good + bad
        self._bad += bad
        while self._messages - sum(calls[0]) >= self.window:
            old_good, old_bad = calls.popleft()
            self._messages -= old_good + old_bad
            self._bad -= old_bad

    @property
    def exceeded(self) -> bool:
        """Whether the window is full and more than the share of it is bad."""
        return self._messages >= self.window and self._bad > self.share * self._messages

    def check(self) -> None:
        """End the worker if it must not continue.

        Raises:
            DeadShareError: the share is exceeded.
        """
        if self.exceeded:
            raise DeadShareError(self._text())

    def _text(self) -> str:
        found, allowed = 100 * self._bad / self._messages, 100 * float(self.share)
        reason = f"; the last one: {self.last_reason}" if self.last_reason else ""
        return (
            f"{self.topic}, partition {self.partition}: {self._bad:,} of the last {self._messages:,} messages "
            f"({found:.1f} %) could not be read, and ingest.dead_letter_share allows {allowed:g} %{reason}. "
            "Is ingest.formats right for this topic? `repmon dead-letters list --summary` shows what was set aside; "
            "with ingest.dead_letter_share = 1 all of it is"
        )
