"""`repmon classify`: bounces as JSON lines in, what each of them means as JSON lines out, in the same order.

The operator's way to try rules of their own, and to see why a bounce counts as it does.
"""

from functools import partial
from typing import IO

import msgspec

from api.text.json_lines import answer_lines
from schemas.providers import Providers
from streams.adapt.canonical import MAX_CODE
from streams.adapt.common import plain
from streams.bounces.classify import BounceClassifier


class Bounce(msgspec.Struct):
    """One line. What is not known is left out, empty or null; fields that are not named here are ignored."""

    smtp_code: int | str | None = None
    enhanced_status: str | None = None
    diagnostic: str | None = None
    mx_host: str | None = None


class Answer(msgspec.Struct):
    """The verdict on one line."""

    bounce_class: str = msgspec.field(name="class")
    kind: str
    rule: str


_DECODER = msgspec.json.Decoder(Bounce)


def classify_lines(
    lines: IO[bytes], out: IO[bytes], problems: IO[str], rules: BounceClassifier, known: Providers
) -> bool:
    """Answer every line of `lines` in `out`; True if all could be read (see `answer_lines`)."""
    return answer_lines(lines, out, problems, partial(answer_to, rules=rules, known=known))


def answer_to(line: bytes, rules: BounceClassifier, known: Providers) -> Answer:
    """The verdict on one line.

    Raises:
        ValueError: not JSON, or a field that is none of ours in type or range; the text says which.
    """
    try:
        bounce = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(plain(error)) from error
    verdict = rules.classify(
        _code(bounce.smtp_code),
        bounce.enhanced_status or "",
        bounce.diagnostic or "",
        known.of_mx(bounce.mx_host or ""),
    )
    return Answer(verdict.bounce_class, verdict.kind, verdict.rule)


def _code(value: int | str | None) -> int:
    """The reply code, as a number or as text; 0 where none is given."""
    if not value:
        return 0
    digits = str(value)
    if not digits.isascii() or not digits.isdecimal() or int(digits[:9]) > MAX_CODE:
        raise ValueError(f"field `smtp_code`: {digits[:40]!r} is not a reply code of three digits")
    return int(digits)
