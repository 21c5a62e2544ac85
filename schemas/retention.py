"""How long rows are kept."""

from typing import Annotated

from msgspec import Meta

from schemas.secrets import Section

#: The longest a table of ClickHouse can promise by a TTL of a Date is to 2149.
MOST_DAYS = 36_500
#: Counts are read for 37 days back (`streams.judge.spikes`), and a little more is always there.
Days40 = Annotated[int, Meta(ge=40, le=MOST_DAYS, extra={"unit": "d"})]
#: Samples of alerts and baselines reach a month back.
Days31 = Annotated[int, Meta(ge=31, le=MOST_DAYS, extra={"unit": "d"})]
Days1 = Annotated[int, Meta(ge=1, le=MOST_DAYS, extra={"unit": "d"})]


class Retention(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How long rows are kept in the tables, in days from the time they are about (docs/data.md). `migrate` and `up`
    apply it. A shorter time removes rows for good: `migrate --dry-run` says how many."""

    counts_days: Days40 = 400
    """Counts by minute, and scores by day. More than `ingest.max_behind_days`."""
    evidence_days: Days31 = 120
    """Failures, complaints and unsubscriptions one by one, with hashes of their recipients; and unwanted mail."""
    alerts_days: Days31 = 400
    """Alerts as they were sent."""
    listings_days: Days31 = 400
    """Listings on blocklists, what they are attributed to, and what lists answered last."""
    incidents_days: Days31 = 400
    """Incidents and holds."""
    provider_reports_days: Days31 = 400
    """What mailbox providers reported (`repmon poll`)."""
    audit_days: Days31 = 800
    """Who decided what, and which policy was in force."""
    dead_letters_days: Days1 = 30
    """Messages that could not be read, with their bytes: they may have addresses in them."""
    notifications_days: Days31 = 90
    """Notifications that were sent, or that nobody took."""
