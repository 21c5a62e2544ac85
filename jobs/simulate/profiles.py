"""The behaviour of made-up customers as data (`profiles.toml`), checked when it is loaded."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.errors import InvalidInputError
from schemas.written_file import read_written

FILE = Path(__file__).with_name("profiles.toml")

Percent = Annotated[float, Meta(ge=0, le=100)]
Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
#: Both ends belong to it.
PercentRange = tuple[Percent, Percent]
AnswerKind = Literal["hard", "soft", "block", "deferred", "expired"]


class SimulationError(InvalidInputError):
    """The simulation was asked for something it cannot do, or its data are wrong; the message says what."""


class RateRanges(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Ranges in percent from which each customer's rates are drawn."""

    hard: PercentRange
    soft: PercentRange
    block: PercentRange
    expired: PercentRange
    suppressed: PercentRange
    rejected: PercentRange
    deferral: PercentRange
    complaint: PercentRange
    report: PercentRange
    unsubscribe: PercentRange
    late_bounce: PercentRange


class Profile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One kind of customer. `share` is percent of the fleet; `ranks` and `turns` are parts of one."""

    name: str
    share: Percent
    ranks: tuple[Fraction, Fraction]
    rates: RateRanges
    group: Annotated[int, Meta(ge=0)] = 0
    turns: tuple[Fraction, Fraction] | None = None
    volume_factor: Positive = 1.0
    after: RateRanges | None = None


class MailboxDomain(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A recipient domain and whether its provider reports single complaints."""

    name: str
    weight: Positive
    feedback_loop: bool = False


class ServerAnswer(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a receiving server said, and what it means."""

    kind: AnswerKind
    code: Annotated[int, Meta(ge=200, le=599)]
    status: str
    text: str
    weight: Positive


class NameParts(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The words of which customers' names are made."""

    first: Annotated[tuple[str, ...], Meta(min_length=1)]
    second: Annotated[tuple[str, ...], Meta(min_length=1)]


class Profiles(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """All of `profiles.toml`."""

    names: NameParts
    profiles: Annotated[tuple[Profile, ...], Meta(min_length=1)]
    domains: Annotated[tuple[MailboxDomain, ...], Meta(min_length=1)]
    answers: tuple[ServerAnswer, ...]


@cache
def load_profiles(file: Path = FILE) -> Profiles:
    """The behaviour in `file`.

    Raises:
        SimulationError: naming the file and what is wrong in it.
    """
    try:
        behaviour = msgspec.convert(tomllib.loads(read_written(file)), Profiles)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SimulationError(f"{file}: {error}") from error
    missing = {"hard", "soft", "block", "deferred", "expired"} - {each.kind for each in behaviour.answers}
    if missing:
        raise SimulationError(f"{file}: no answers of kind {', '.join(sorted(missing))}")
    for profile in behaviour.profiles:
        if (profile.turns is None) != (profile.after is None):
            raise SimulationError(f"{file}: profile {profile.name}: `turns` and `after` go together")
    return behaviour
