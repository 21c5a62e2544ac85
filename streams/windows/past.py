"""Window counts of one customer as they stand for a moment: what `streams.windows.current` gives, and for the past too.

Windows of the monitor have no end, since nothing lies behind now. Here they end with the moment's minute. What came
late is counted at the time it happened, so a moment of the past may show more than was known then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from schemas.counts import SubjectCounts
from schemas.listing import KINDS, WEIGHTS
from schemas.policy import Policy
from schemas.policy_metric import REPORTED_SPAM
from schemas.scope import CLASS, SUB_ACCOUNT
from schemas.times import FOREVER_S, MINUTE_S
from streams.io.store import Store
from streams.listings.causes import read_attributed, read_owners
from streams.listings.exclusive import add_attributed, add_listings, by_owner, users_before
from streams.listings.exposure import add_exposure
from streams.listings.left_out import read_judged
from streams.subjects import undated
from streams.subjects.arrays import FIELD_INDEX, is_long, subjects
from streams.subjects.fresh_starts import FreshStart, since_at
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import begin, read_totals
from streams.windows.acceptable_use import add_acceptable_use
from streams.windows.classes import with_classes
from streams.windows.providers import of_subjects
from streams.windows.reported import add_reported, days_in, with_reported
from streams.windows.sub_accounts import with_sub_accounts


def counts_at(
    store: Store,
    customer: str,
    windows: Mapping[str, int],
    feedback_loop: Sequence[str],
    at_ms: int,
    *,
    include_later: bool,
    policy: Policy | None = None,
    fresh: Sequence[FreshStart] | None = None,
) -> list[SubjectCounts]:
    """The customer and each of its streams (these only where it has more than one); empty without any count.

    `windows` maps names to lengths in ms. With `include_later` nothing that is counted is left out, as when the
    monitor judges at `at_ms` (epoch ms): events may lie a little ahead of the clock. With `policy` what only its rules
    ask for is also read; listings are attributed by the causes that are stored now. `fresh` are all fresh starts of the
    customer, the oldest first, where who asks has them.

    Raises:
        StoreError: the store failed.
    """
    every = undated.to_read(windows)
    lengths = list(every.values())
    until = FOREVER_S if include_later else (at_ms // 1000 // MINUTE_S + 1) * MINUTE_S
    # One that is older than all windows cuts nothing off.
    first = begin(max(lengths, default=0), at_ms)
    since = read_since(store, at_ms, first, customer) if fresh is None else since_at(customer, fresh, at_ms, first)
    # One customer's rows are few enough to be read by the minute, however long the window.
    read = partial(read_totals, store, [customer], lengths, feedback_loop, at_ms, until_s=until, since=since)
    totals = read()
    # What was listed later was not listed then.
    known = [
        each for each in read_judged(store, at_ms - max(windows.values()), WEIGHTS, KINDS) if each.from_ms <= at_ms
    ]
    for long in (False, True):
        places = [place for place, length in enumerate(lengths) if is_long(length) == long]
        if places:
            some = [lengths[place] for place in places]
            add_exposure(store, totals, [customer], some, known, at_ms, places=places, until_s=until, since=since)
    if policy is not None and policy.used:
        add_acceptable_use(store, totals, [customer], lengths, policy.used, policy.least_new, at_ms, until, since=since)
    reported = policy is not None and REPORTED_SPAM in policy.used
    days = days_in(store, [customer], lengths, at_ms, since) if reported else {}
    if days:
        totals = with_reported(totals, days, len(lengths))
    found = subjects(totals, tuple(every))
    if policy is not None and SUB_ACCOUNT in policy.scopes:
        found = with_sub_accounts(found)
    for field in ("sent", "exposed"):
        np.maximum(found.counts[..., FIELD_INDEX[field]], 0, out=found.counts[..., FIELD_INDEX[field]])
    own = [each for each in known if policy is None or each.weight in policy.listed_weights]
    add_listings(found, lengths, by_owner(own, users_before(store, own), read_owners(store, own)), at_ms, since)
    if policy is not None and (share := policy.attributed_share) is not None:
        add_attributed(found, lengths, read_attributed(store, known, share), at_ms, since)
    if days:
        add_reported(found, days, lengths, at_ms)
    if policy is not None and CLASS in policy.scopes:
        found = with_classes(found, read(by_class=True))
    if policy is not None:
        by_provider = {group: of_subjects(read(mail_to=group), found) for group in policy.mail_to}
        found = replace(found, by_provider=by_provider)
    found = undated.judged(found, lengths, len(windows))
    return [found.one(place) for place in range(len(found))]
