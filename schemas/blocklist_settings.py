"""The settings of the stage that asks blocklists."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.listing import Weight
from schemas.quantities import Count, Minutes, Port, Rate, Seconds, WholeDays
from schemas.secrets import Secret, Section


class EveryMinutes(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How often a zone is asked about everything, by the weight of its listings."""

    critical: Minutes = 10.0
    """Zones whose listings are critical."""
    major: Minutes = 30.0
    """Zones whose listings are major."""
    minor: Minutes = 60.0
    """Zones whose listings are minor."""
    informational: Minutes = 60.0
    """The others."""


class Blocklists(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where and how blocklists are asked (docs/blocklists.md)."""

    resolvers: list[str] = []
    """Addresses of your own resolvers, with a port (`192.0.2.53:5353`, `[2001:db8::53]:5353`) where that is not `port`.
    The second and the others are asked where the first fails, and for second looks."""
    port: Port = 53
    """The resolvers' port."""
    zones_file: str = ""
    """A table of zones in place of the built-in one (schemas/blocklists.toml)."""
    skip_zones: list[str] = []
    """Zones of the table that are not asked, such as those where the resolvers are not registered."""
    keys: dict[str, Secret] = {}
    """Your own keys of zones that take one, by the names in the table of zones (`spamhaus_dqs`, `abusix`)."""
    every_minutes: EveryMinutes = EveryMinutes()
    """How often a zone is asked about everything, by the weight of its listings."""
    jitter: Annotated[float, Meta(ge=0, le=0.5, extra={"unit": "ratio"})] = 0.1
    """By how much of `every_minutes` times vary."""
    extra_resources: list[str] = []
    """Addresses and domains that do not send yet, to be asked about too."""
    second_look_s: Seconds = 180.0
    """A listing begins, where the list is not a critical one, and ends with a second look that says the same, this
    long after the first or later."""
    most_listed_share: Annotated[float, Meta(gt=0, le=1, extra={"unit": "ratio"})] = 0.5
    """A zone that lists more than this of the resources it was asked about is not trusted."""
    trust_min_sample: Count = 20
    """That holds only where it was asked about this many at least."""
    timeout_s: Seconds = 5.0
    """How long an answer is waited for, before the question is sent again."""
    tries: Count = 2
    """How often a question is sent."""
    queries_per_s: Rate = 100.0
    """How often a zone is asked at most, where the table of zones gives it no rate of its own."""
    zone_concurrency: Count = 20
    """How many questions to one zone may be unanswered."""
    concurrency: Count = 200
    """How many questions to all zones together may be unanswered."""
    lookback_days: WholeDays = 7
    """What mail was sent from in this time is asked about."""
    dedicated_pools: dict[str, str] = {}
    """The IP pools set up for one customer, by their names, each with its customer: whatever is listed of such a pool
    is that customer's doing."""
    outside_weights: dict[str, Weight] = {}
    """What listings reported by outside monitors weigh, by the name of the list."""
    outside_weight: Weight | Literal["refuse"] = "informational"
    """What they weigh on lists that are neither there nor in the table of zones; with `refuse` the message becomes a
    dead letter."""
