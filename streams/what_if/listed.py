"""The listings of a subject at each step, as `streams.listings.exclusive` fills them in. Pure."""

import numpy as np
from numpy.typing import NDArray

from schemas.policy_metric import window_ms
from schemas.policy_rule import Rule
from schemas.scope import CLASS_PREFIX, CUSTOMER
from streams.subjects.arrays import FIELD_INDEX, LISTED_S_OF, LISTINGS_OF, Counts
from streams.subjects.scopes import scopes_of
from streams.what_if.timeline import AttributedListing, History, OwnListing, Steps


def add_listings(found: Counts, history: History, place: int, rule: Rule) -> None:
    """Fill in the listings of one subject, and of which it is the likeliest cause."""
    customer, scope, times = history.customers[place], history.scopes[place], history.times_s
    if scope.startswith(CLASS_PREFIX):
        return
    since = since_at(history, customer)
    windows = [
        (column, np.maximum(times - window_ms(window) // 1000, since)) for column, window in enumerate(rule.windows)
    ]
    for each in history.listings.get(customer, ()):
        if scope != CUSTOMER and (each.stream is None or scope not in scopes_of(each.stream)):
            continue
        for column, begins in windows:
            counted = _in_force(each, times, begins)
            found[:, column, LISTINGS_OF[each.weight]] += counted
            if scope == CUSTOMER and each.weight == "critical":
                found[:, column, FIELD_INDEX["critical_listings"]] += counted
            lasted = np.minimum(np.floor(each.to_s), times) - np.maximum(each.from_s, begins)
            found[:, column, LISTED_S_OF[each.weight]] += np.maximum(lasted, 0).astype(np.int64)
    if scope == CUSTOMER:
        for caused in history.attributed.get(customer, ()):
            if caused.share >= rule.least_share:
                for column, begins in windows:
                    counted = _in_force(caused, times, begins) & (caused.from_s >= since)
                    found[:, column, FIELD_INDEX["attributed_listings"]] += counted


def has_listings(history: History, customer: str, scope: str, rule: Rule) -> bool:
    """Whether any listing may count for a subject under a rule."""
    own = history.listings.get(customer, ())
    match rule.metric:
        case "attributed_listing":
            return scope == CUSTOMER and customer in history.attributed
        case "critical_listing":
            return scope == CUSTOMER and any(each.weight == "critical" for each in own)
        case _:
            return any(each.weight in rule.counted_weights for each in own)


def since_at(history: History, customer: str) -> Steps:
    """Of each step, the second (epoch) of the fresh start that holds then; 0 without one."""
    times = history.times_s
    since = np.zeros(len(times), np.int64)
    for cut in history.cuts.get(customer, ()):
        since[times * 1000 >= cut.decided_ms] = cut.since_s
    return since


def _in_force(listing: OwnListing | AttributedListing, times: Steps, begins: Steps) -> NDArray[np.bool_]:
    """Of each step, whether a listing was in force at some time of a window."""
    found: NDArray[np.bool_] = (listing.from_s <= times) & (listing.to_s > begins)
    return found
