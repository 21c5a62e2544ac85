"""Window counts of one customer as they stand for a moment: what `streams.windows.current` gives, and for the past too.

Windows of the monitor have no end, since nothing lies behind now. Here they end with the moment's minute. What came
late is counted at the time it happened, so a moment of the past may show more than was known then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.counts import MEASURES, SubjectCounts
from schemas.listing import KINDS, WEIGHTS
from schemas.policy import Policy
from schemas.scope import CLASS, SUB_ACCOUNT
from schemas.times import FOREVER_S, MINUTE_MS, MINUTE_S
from streams.io.store import Store
from streams.listings.causes import read_attributed, read_owners
from streams.listings.exclusive import add_attributed, add_listings, by_owner, users_before
from streams.listings.exposure import SENT_MAIL, THROUGH_LISTED, exposing
from streams.listings.intervals import ListingInterval, read_listings
from streams.subjects.arrays import FIELDS, PLACE, Totals, is_long, subjects
from streams.subjects.totals import READ, begin, longest_first, sums
from streams.windows.acceptable_use import add_acceptable_use
from streams.windows.classes import CLASSES, with_classes
from streams.windows.providers import of_subjects
from streams.windows.sub_accounts import with_sub_accounts

#: One customer's rows are few enough to be read by the minute, however long the window.
TOTALS = """
SELECT stream,
    {sums}
FROM counts
WHERE dimension = '{dimension}' AND customer = {{customer:String}}
    AND bucket >= toDateTime({{since_0:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
    {only}
GROUP BY stream
ORDER BY stream
"""

#: What is asked of some of the mail alone, by the name of what is bound.
ONLY = {"mail_to": "AND value IN {mail_to:Array(String)}", "class": "AND class = {class:String}"}
_BY_LOOP = {f"fbl_{name}": f"{name} if value IN {{fbl:Array(String)}}" for name in ("delivered", "complained")}
COUNTED = {name: name for name in MEASURES} | _BY_LOOP
EXPOSED = {
    "sent": SENT_MAIL,
    "exposed": f"{SENT_MAIL} if {THROUGH_LISTED}",
    "rows": "1 if value IN {ips:Array(String)}",
}


def counts_at(
    store: Store,
    customer: str,
    windows: Mapping[str, int],
    feedback_loop: Sequence[str],
    at_ms: int,
    *,
    include_later: bool,
    policy: Policy | None = None,
) -> list[SubjectCounts]:
    """The customer and each of its streams (these only where it has more than one); empty without any count.

    `windows` maps names to lengths in ms. With `include_later` nothing that is counted is left out, as when the
    monitor judges at `at_ms` (epoch ms): events may lie a little ahead of the clock. With `policy` what only its rules
    ask for is also read; listings are attributed by the causes that are stored now.

    Raises:
        StoreError: the store failed.
    """
    lengths = list(windows.values())
    until = FOREVER_S if include_later else (at_ms // 1000 // MINUTE_S + 1) * MINUTE_S
    asked = {"customer": customer, "fbl": list(feedback_loop), "until": until}
    totals = _totals(store, lengths, at_ms, asked)
    # What was listed later was not listed then.
    known = [each for each in read_listings(store, at_ms - max(lengths), WEIGHTS, KINDS) if each.from_ms <= at_ms]
    for long in (False, True):
        places = [place for place, length in enumerate(lengths) if is_long(length) == long]
        if places:
            _add_exposure(store, totals, lengths, places, known, at_ms, asked)
    if policy is not None and policy.used:
        add_acceptable_use(store, totals, [customer], lengths, policy.used, policy.least_new, at_ms, until)
    found = subjects(totals, tuple(windows))
    if policy is not None and SUB_ACCOUNT in policy.scopes:
        found = with_sub_accounts(found)
    for field in ("sent", "exposed"):
        np.maximum(found.counts[..., PLACE[field]], 0, out=found.counts[..., PLACE[field]])
    own = [each for each in known if policy is None or each.weight in policy.listed_weights]
    add_listings(found, lengths, by_owner(own, users_before(store, own), read_owners(store, own)), at_ms)
    if policy is not None and (share := policy.attributed_share) is not None:
        add_attributed(found, lengths, read_attributed(store, known, share), at_ms)
    if policy is not None and CLASS in policy.scopes:
        of_class = {name: _totals(store, lengths, at_ms, asked | {"class": name}) for name in CLASSES}
        found = with_classes(found, of_class)
    if policy is not None:
        by_provider = {
            group: of_subjects(_totals(store, lengths, at_ms, asked | {"mail_to": list(group)}), found)
            for group in policy.mail_to
        }
        found = replace(found, by_provider=by_provider)
    return [found.one(place) for place in range(len(found))]


def _totals(store: Store, lengths: Sequence[int], at_ms: int, asked: Mapping[str, Any]) -> Totals:
    order = longest_first(lengths)
    since = {f"since_{place}": begin(lengths[window], at_ms) for place, window in enumerate(order)}
    only = " ".join(condition for name, condition in ONLY.items() if name in asked)
    sql = TOTALS.format(sums=sums(COUNTED, len(order), "bucket"), dimension="provider", only=only)
    rows = store.rows(sql, {**asked, **since})
    counts = np.zeros((len(rows), len(order), len(FIELDS)), np.int64)
    for place, (_, *numbers) in enumerate(rows):
        counts[place, order, : len(READ)] = np.array(numbers, np.int64).reshape(len(order), len(READ))
    return Totals([(str(asked["customer"]), str(row[0])) for row in rows], counts)


def _add_exposure(
    store: Store,
    totals: Totals,
    lengths: Sequence[int],
    places: Sequence[int],
    known: Sequence[ListingInterval],
    at_ms: int,
    asked: Mapping[str, Any],
) -> None:
    """`sent` and `exposed` of the windows at `places`, as `exposure.add_exposure` fills them in."""
    order = [places[each] for each in longest_first([lengths[place] for place in places])]
    since = [begin(lengths[place], at_ms) for place in order]
    listed = [each for each in exposing(known) if each.to_ms is None or each.to_ms > since[0] * 1000]
    if not listed:
        return
    parameters = {
        **asked,
        "ips": [each.resource for each in listed],
        "begins": [each.from_ms // MINUTE_MS * MINUTE_S for each in listed],
        "ends": [FOREVER_S if each.to_ms is None else each.to_ms // 1000 for each in listed],
        **{f"since_{place}": second for place, second in enumerate(since)},
    }
    found = {
        str(stream): np.array(numbers, np.int64).reshape(len(order), len(EXPOSED))
        for stream, *numbers in store.rows(
            TOTALS.format(sums=sums(EXPOSED, len(order), "bucket"), dimension="ip", only=""), parameters
        )
    }
    if not any(numbers[0, -1] for numbers in found.values()):
        return  # no listed address was used
    for row, (_, stream) in enumerate(totals.keys):
        if stream in found:
            totals.counts[row][np.ix_(order, [PLACE["sent"], PLACE["exposed"]])] = found[stream][:, :2]
