"""What was counted for one customer in one window: the input of every judgement."""

from collections.abc import Mapping
from operator import attrgetter

import msgspec

#: The counted measures, in the order of the columns of the `counts` table. `late_*` are bounces that came after the
#: message was reported delivered; they are also counted in `hard`, `soft` or `block`. So is what another host gave up
#: after it had taken the mail: it counts in `expired`, and in `late_soft`. `undated_*` are outcomes that come long
#: after the mail and of which it is not known when that was sent: they are counted, in the measure they are named after
#: too, when they come, and the mail they are of may lie in another window (`streams.subjects.undated`).
MEASURES: tuple[str, ...] = (
    "delivered",
    "hard",
    "soft",
    "block",
    "expired",
    "late_hard",
    "late_soft",
    "late_block",
    "complained",
    "unsubscribed",
    "deferred",
    "suppressed",
    "rejected",
    "reported",
    "undated_hard",
    "undated_block",
    "undated_expired",
    "undated_complained",
    "undated_unsubscribed",
)

#: What each measure adds to the recipients whose fate is known: delivered, bounced or expired, each once. A late bounce
#: follows a delivery that was counted already, so it adds nothing, and what expired adds nothing where it is not known
#: when it was sent: else a window without mail would have only failures. Everywhere *finished* is this sum, and so is
#: *sent*, which is the same of mail whose address or domain is known.
FINISHED: Mapping[str, int] = {
    "delivered": 1,
    "hard": 1,
    "soft": 1,
    "block": 1,
    "expired": 1,
    "late_hard": -1,
    "late_soft": -1,
    "late_block": -1,
    "undated_expired": -1,
}
_ADDED, _TAKEN = (attrgetter(*(name for name, sign in FINISHED.items() if sign == each)) for each in (1, -1))


def finished_sql(column: str = "{}") -> str:
    """The sum as SQL, over columns with the names of the measures; `column` is what stands for each: `sum({})`."""
    terms = (f"{'+' if sign > 0 else '-'} {column.format(name)}" for name, sign in FINISHED.items())
    return " ".join(terms).removeprefix("+ ")


class WindowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over one window. All are numbers of recipients, but for the last ones: listings, and seconds.

    Outcomes are those of the mail in the window, as far as that is known. Of the `undated_*`, which came in the window,
    the `outside_*` are most likely of mail that is not in it: they are in no other field any more (complaints, at
    providers with a feedback loop only), so what came altogether is the sum (`streams.subjects.undated`).

    The `before_*` are mail of before a fresh start (`streams.subjects.fresh_starts`): nobody is judged by it, but
    undated outcomes may be of it.

    `fbl_delivered` and `fbl_complained` count only mailbox providers that run a per-message feedback loop.
    `exposed` is the mail sent through a listed address while it was listed, `sent` all mail with a known
    sending address. `critical_listings` are listings on critical lists of addresses and domains only this customer
    used, and the `listings_*` those of lists of each weight, in force at some time of the window; `listed_s_*` are the
    seconds in which they were, added up over the listings. `attributed_listings` are those of which this customer is
    the likely cause by the policy's `min_share`.

    Read only where a rule asks for them: `gateway` is mail to SMS gateways, `unwanted` mail delivered to people who
    had refused it; `from_known` mail whose From domain is known, of customers that registered any, `from_unregistered`
    what of it came from none of these; `new_from_domains` are From domains that the customer never used before.
    `reported_spam` is the worst spam rate that Gmail reported of a domain of the customer, in parts of `reported_of`
    (`REPORTED_OF`); that is 0 where nothing was reported.
    """

    delivered: int = 0
    hard: int = 0
    soft: int = 0
    block: int = 0
    expired: int = 0
    late_hard: int = 0
    late_soft: int = 0
    late_block: int = 0
    complained: int = 0
    unsubscribed: int = 0
    deferred: int = 0
    suppressed: int = 0
    rejected: int = 0
    reported: int = 0
    undated_hard: int = 0
    undated_block: int = 0
    undated_expired: int = 0
    undated_complained: int = 0
    undated_unsubscribed: int = 0
    fbl_delivered: int = 0
    fbl_complained: int = 0
    fbl_undated_complained: int = 0
    before_finished: int = 0
    before_delivered: int = 0
    before_fbl_delivered: int = 0
    exposed: int = 0
    sent: int = 0
    gateway: int = 0
    unwanted: int = 0
    from_known: int = 0
    from_unregistered: int = 0
    new_from_domains: int = 0
    reported_spam: int = 0
    reported_of: int = 0
    critical_listings: int = 0
    listings_critical: int = 0
    listings_major: int = 0
    listings_minor: int = 0
    listings_informational: int = 0
    listed_s_critical: int = 0
    listed_s_major: int = 0
    listed_s_minor: int = 0
    listed_s_informational: int = 0
    attributed_listings: int = 0
    outside_hard: int = 0
    outside_block: int = 0
    outside_expired: int = 0
    outside_complained: int = 0
    outside_unsubscribed: int = 0

    @property
    def finished(self) -> int:
        """Recipients whose fate is known: see `FINISHED`."""
        added, taken = sum(_ADDED(self)), sum(_TAKEN(self))
        return int(added - taken)

    @property
    def uncounted_complaints(self) -> int:
        """Complaints from providers that run no feedback loop, as forwarded mail brings them: they enter no rate,
        since of such a provider's other recipients nobody could have complained.
        """
        return self.complained - self.fbl_complained


#: A reported rate is kept as so many parts of this.
REPORTED_OF = 1_000_000
#: The metrics whose numerator is hard failures, and expired mail where the policy says so.
FAILURES: frozenset[str] = frozenset({"failure", "failure_burn"})
#: Numerator and denominator by their names in `WindowCounts`, of all but failures and numbers.
RATIOS: Mapping[str, tuple[str, str]] = {
    "complaint": ("fbl_complained", "fbl_delivered"),
    "complaint_burn": ("fbl_complained", "fbl_delivered"),
    "block": ("block", "finished"),
    "exposure": ("exposed", "sent"),
    "volume_spike": ("finished", "finished"),
    "unsubscribe": ("unsubscribed", "delivered"),
    "unwanted": ("unwanted", "delivered"),
    "sms_gateway": ("gateway", "finished"),
    "unregistered_from": ("from_unregistered", "from_known"),
    "reported_spam": ("reported_spam", "reported_of"),
}

#: Metrics whose denominator is a part of the mail, and what that is a part of: a mailbox provider without a feedback
#: loop never complains, and nobody knows whether anybody minds. Of failures and refusals all mail is seen.
SEEN_OF: Mapping[str, tuple[str, str]] = {
    "complaint": ("fbl_delivered", "delivered"),
    "complaint_burn": ("fbl_delivered", "delivered"),
}


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """How many recipients of all the `mail` of a window a rate is `seen` of."""

    window: str
    seen: int
    mail: int

    @property
    def share(self) -> float:
        """The part that is seen, a ratio; 1 without mail, of which nothing is unseen."""
        return min(1.0, self.seen / self.mail) if self.mail > 0 else 1.0


def observed(metric: str, window: str, counts: WindowCounts) -> Observed | None:
    """What a metric sees of one window; None where it sees all mail."""
    if metric not in SEEN_OF:
        return None
    seen, mail = SEEN_OF[metric]
    return Observed(window=window, seen=getattr(counts, seen), mail=getattr(counts, mail))


class VolumeBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What a subject usually sends at this time of day, in recipients (`streams.judge.spikes` says how it is found).

    `median` and `mad` (the median absolute deviation from it) are over `days` days; `largest` is the most that was sent
    in two neighbouring hours, `burst` the most that was likely sent within 60 minutes. `fleet` is how many times its
    usual the whole fleet sends now, at least 1: so many times the customer's own usual is usual now. What the fleet
    sent more on the days before is not in the numbers.
    """

    median: float
    mad: float
    largest: int
    days: int
    burst: int = 0
    fleet: float = 1.0

    @property
    def expected(self) -> float:
        """The median, scaled by what the fleet does."""
        return self.median * self.fleet

    @property
    def busiest(self) -> float:
        """The most that is to be expected within 60 minutes at any time."""
        return max(float(self.largest), self.burst * self.fleet)


class SubjectCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one subject: a customer (`scope` is `customer`) or one stream of it (`stream:NAME`).

    `windows` maps a window's name (`1h`, `24h`, ...) to its totals. `baseline` is what is usual at this time of day,
    where that is known and asked for, `by_provider` the windows of mail to groups of mailbox providers alone, likewise.
    """

    customer: str
    scope: str
    windows: Mapping[str, WindowCounts]
    baseline: VolumeBaseline | None = None
    by_provider: Mapping[tuple[str, ...], Mapping[str, WindowCounts]] = {}

    def mail_to(self, providers: tuple[str, ...]) -> Mapping[str, WindowCounts]:
        """The windows of the mail to a group of mailbox providers; without any, of all mail."""
        return self.by_provider.get(providers, {}) if providers else self.windows
