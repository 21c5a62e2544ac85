"""What a rule can judge, and the words that policies are written with."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from schemas.errors import InvalidInputError
from schemas.listing import Weight
from schemas.times import DAY_S, UNIT_MS

#: Counts are kept this long (clickhouse/0001_counts.sql); a longer window would be short of counts.
LONGEST_MS = 400 * UNIT_MS["d"]
#: What a rule judges. Those of `COUNTED` are numbers (of listings, or hours), those of `RATES` rates; a burn says how
#: many times faster than evenly an allowance is spent, `volume_spike` is a score of how unusual an hour's volume is.
Metric = Literal[
    "complaint",
    "failure",
    "block",
    "exposure",
    "critical_listing",
    "listing_count",
    "listed_hours",
    "attributed_listing",
    "complaint_burn",
    "failure_burn",
    "volume_spike",
    "unsubscribe",
    "unwanted",
    "sms_gateway",
    "unregistered_from",
    "new_from_domain",
    "reported_spam",
]
NEW_FROM: Metric = "new_from_domain"
#: The spam rate that Gmail reports of a customer's domains: of the days of the window the worst. No mail of ours is
#: counted in it, so it is exact as it is said.
REPORTED_SPAM: Metric = "reported_spam"
COUNTED: frozenset[Metric] = frozenset(
    {"critical_listing", "listing_count", "listed_hours", "attributed_listing", NEW_FROM}
)
#: What is made of blocklistings.
LISTED_METRICS: frozenset[Metric] = COUNTED - {NEW_FROM} | {"exposure"}
#: What an IP pool is judged by of all its mail, besides what its small customers have together.
OF_POOLS: frozenset[Metric] = frozenset({"exposure", "critical_listing", "listing_count", "listed_hours"})
#: What is read only where a rule asks for it (`streams.windows.acceptable_use`), and is not replayed.
USE: frozenset[Metric] = frozenset({"unwanted", "sms_gateway", "unregistered_from", NEW_FROM, REPORTED_SPAM})
#: A From domain is new if it was not used for so long before the window.
NEW_AFTER_S = 60 * DAY_S
#: The mail from which on a new From domain counts, where a rule does not say.
DEFAULT_LEAST_MAIL = 100
#: Those of which a rule may say which weights of lists count, and what counts where it does not.
WEIGHED: frozenset[Metric] = frozenset({"listing_count", "listed_hours"})
DEFAULT_WEIGHTS: tuple[Weight, ...] = ("critical", "major")
#: The share from which a customer is the cause of a listing, where a rule does not say.
DEFAULT_MIN_SHARE = 0.5
#: The part of the mail at which a rate must be seen to call anybody good by it, where a policy does not say.
DEFAULT_MIN_OBSERVABLE = 0.05
RATES: frozenset[Metric] = frozenset(
    {
        "complaint",
        "failure",
        "block",
        "exposure",
        "unsubscribe",
        "unwanted",
        "sms_gateway",
        "unregistered_from",
        REPORTED_SPAM,
    }
)
#: What an allowance is of.
BURNS: Mapping[Metric, Metric] = {"complaint_burn": "complaint", "failure_burn": "failure"}
SPIKE: Metric = "volume_spike"
#: How many times the busiest time of the last weeks an hour must exceed, where a rule does not say.
DEFAULT_FACTOR = 2.0
#: Those that a rule may judge by the mail to some mailbox providers alone.
BY_PROVIDER: frozenset[Metric] = frozenset({"complaint", "failure", "block", "unsubscribe", *BURNS})
#: Verdicts on these do not tell whether somebody has enough mail to be called good.
TELLING_NOTHING: frozenset[Metric] = COUNTED | USE | {SPIKE}
Text = Annotated[str, Meta(min_length=1, max_length=256)]
RuleName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Window = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mhd]$")]
Threshold = Annotated[float, Meta(gt=0)]
Volume = Annotated[int, Meta(ge=0)]
#: One for all windows of the rule, or one for each window by name.
MinVolume = Volume | dict[Window, Volume]


class PolicyError(InvalidInputError):
    """The policy cannot be used; the message names the file, the rule and the field."""


class Contradiction(NamedTuple):
    """What does not fit together: `path` leads to it (keys, and places in lists), `said` begins with the field."""

    path: tuple[str | int, ...]
    said: str


@cache
def provider_names() -> tuple[str, ...]:
    """The mailbox providers that a rule may name."""
    from schemas import providers  # few policies name any, and the table is long

    return (*(each.name for each in providers.load_providers().all), providers.OTHER)


def window_ms(name: str) -> int:
    """The length of a window in ms: a whole number with `m`, `h` or `d`.

    Raises:
        PolicyError: not such a name.
    """
    if re.fullmatch(r"[1-9][0-9]{0,5}[mhd]", name) is None:
        raise PolicyError(f"{name!r} is not a window: give a number with m, h or d, such as 24h")
    return int(name[:-1]) * UNIT_MS[name[-1]]


def raise_first(contradictions: Iterator[Contradiction]) -> None:
    for each in contradictions:
        raise ValueError(each.said)


def unit_of(metric: Metric) -> str:
    return {"listed_hours": "hours", NEW_FROM: "domains"}.get(metric, "listings")


def repeated(field: str, names: Sequence[str], key: str = "") -> Iterator[Contradiction]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield Contradiction((field, place, key) if key else (field, place), f"{field}: {name} is given twice")
        seen.add(name)
