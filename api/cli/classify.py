"""`repmon classify`: bounces as JSON lines in, what each of them means as JSON lines out, in the same order.

The operator's way to try rules of their own, and to see why a bounce counts as it does.
"""

import sys
from functools import partial
from typing import IO

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import with_settings
from api.stack.adapting import load_classifier
from api.text.json_lines import answer_lines
from schemas.providers import Providers, load_providers
from schemas.settings import Settings
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


@command("repmon classify < docs/examples/bounces.jsonl", name="classify")
@with_settings
def classify(settings: Settings) -> None:
    """Classify bounces on standard input.

    JSON lines in (smtp_code, enhanced_status, diagnostic, mx_host), and out in the same order: class, kind and rule.
    The exit code is 1 if a line cannot be read.
    """
    rules = load_classifier(settings)
    if not classify_lines(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, rules, load_providers()):
        raise click.exceptions.Exit(1)


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
