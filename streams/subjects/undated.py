"""Outcomes that may be of other mail than a window's: they count there as far as they are likely of its own. Pure.

A complaint, an expiry or a late bounce comes hours or days after its mail. Where the time of sending is known it counts
in the minute of that, and so in the windows that hold the mail. Where it is not, it is counted when it comes, and then
a window that the mail has left would set it against almost nothing: 18 complaints about 40,000 sent yesterday against
the 3,000 of today.

So the undated outcomes of a longer window are spread evenly over the mail of that. A window of length w has, of its own
undated outcomes u_w, at most u_x * n_w / n_x, rounded down: x is the shortest window read that is at least five days
longer, n are the denominators. Five days is how long mail is tried (RFC 5321 section 4.5.4.1). Whoever sends evenly
keeps all of them; a mailing that has left a window accuses nobody there. A window that is not in one longer keeps its
own.

After a fresh start what came since is spread over all mail of the longest window read, that of before included: what is
most likely of mail that does not count any more accuses nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np

from schemas.counts import FINISHED, WindowCounts
from schemas.policy_metric import LONGEST_MS
from schemas.times import DAY_MS
from streams.subjects.arrays import BEFORE, FIELD_INDEX, Counts, Subjects, has_undated

#: How much longer the window must be that a window's undated outcomes are spread over.
LAG_MS = 5 * DAY_MS
#: How much longer than the longest the window is that is read for that one alone.
BEYOND_MS = 7 * DAY_MS
#: Its name among the others.
BEYOND = "beyond"


class Kind(NamedTuple):
    """Outcomes of one kind: the undated ones, what they are divided by (`finished` is the sum of that name), in which
    fields they are counted, and where those go that are not of a window's mail."""

    undated: str
    mail: str
    fields: tuple[str, ...]
    outside: str

    @property
    def before(self) -> int:
        """The field with the mail of before a fresh start."""
        return FIELD_INDEX[f"before_{self.mail}"]


KINDS = (
    Kind("undated_hard", "finished", ("hard", "late_hard", "undated_hard"), "outside_hard"),
    Kind("undated_block", "finished", ("block", "late_block", "undated_block"), "outside_block"),
    Kind("undated_expired", "finished", ("expired", "undated_expired"), "outside_expired"),
    Kind(
        "fbl_undated_complained",
        "fbl_delivered",
        ("complained", "fbl_complained", "undated_complained", "fbl_undated_complained"),
        "outside_complained",
    ),
    Kind("undated_unsubscribed", "delivered", ("unsubscribed", "undated_unsubscribed"), "outside_unsubscribed"),
)
_BEFORE = [FIELD_INDEX[name] for name in BEFORE]


def to_read(windows: Mapping[str, int]) -> dict[str, int]:
    """The windows (by name, in ms) and behind them the one that is read for the longest of them alone."""
    longest = max(windows.values(), default=0)
    beyond = min(longest + BEYOND_MS, LONGEST_MS)
    return {**windows, BEYOND: beyond} if windows and beyond > longest else dict(windows)


def longer(length_ms: int, lengths_ms: Iterable[int]) -> int:
    """The length of the window that the undated outcomes of one are spread over; its own where there is none."""
    return min((other for other in lengths_ms if other >= length_ms + LAG_MS), default=length_ms)


def spread(counts: Counts, lengths_ms: Sequence[int], kept: int) -> Counts:
    """The first `kept` windows with what is likely of their own mail; the rest of it is in the `outside_*` fields.

    `counts` has the axes window and field as its last, with a window for each of `lengths_ms`.
    """
    judged: Counts = counts[..., :kept, :]
    if not has_undated(judged):
        return judged
    judged = judged.copy(order="K")
    over = [lengths_ms.index(longer(length, lengths_ms)) for length in lengths_ms[:kept]]
    longest = max(range(len(lengths_ms)), key=lengths_ms.__getitem__)
    anew = counts[..., longest, :][..., _BEFORE].any(axis=-1)
    for kind in KINDS:
        undated, mail = counts[..., FIELD_INDEX[kind.undated]], mail_of(counts, kind.mail)
        all_undated, all_mail = undated[..., over], mail[..., over]
        if anew.any():
            all_undated[anew] = undated[anew][:, [longest]]
            all_mail[anew] = (mail[anew] + counts[anew][..., kind.before])[:, [longest]]
        outside = outside_of(undated[..., :kept], mail[..., :kept], all_undated, all_mail)
        for name in kind.fields:
            judged[..., FIELD_INDEX[name]] -= outside
        judged[..., FIELD_INDEX[kind.outside]] = outside
    return judged


def without(counts: WindowCounts) -> WindowCounts:
    """Counts without any undated outcome."""
    fewer = {name: getattr(counts, name) - getattr(counts, kind.undated) for kind in KINDS for name in kind.fields}
    return msgspec.structs.replace(counts, **fewer)


def judged(subjects: Subjects, lengths_ms: Sequence[int], kept: int) -> Subjects:
    """Subjects with the first `kept` of their windows, as they are judged: see `spread`."""
    return replace(
        subjects,
        windows=subjects.windows[:kept],
        counts=spread(subjects.counts, lengths_ms, kept),
        by_provider={group: spread(counts, lengths_ms, kept) for group, counts in subjects.by_provider.items()},
    )


def outside_of(undated: Counts, mail: Counts, all_undated: Counts, all_mail: Counts) -> Counts:
    """How many of a window's undated outcomes are most likely of other mail, by what a longer window has.

    That one has at least what the window has; it may have been read a little earlier.
    """
    mail = np.maximum(mail, 0)
    whole = np.maximum(all_mail, mail)
    share: Counts = np.maximum(all_undated, undated) * mail // np.maximum(whole, 1)
    return undated - np.minimum(undated, share)


def mail_of(counts: Counts, name: str) -> Counts:
    """The mail that outcomes are divided by: a field, or `finished`."""
    if name != "finished":
        found: Counts = counts[..., FIELD_INDEX[name]]
        return found
    total = np.zeros_like(counts[..., 0])
    for measure, sign in FINISHED.items():
        total += sign * counts[..., FIELD_INDEX[measure]]
    return total
