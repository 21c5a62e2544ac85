"""The sub-accounts of customers by themselves: a reseller may be good while one of its clients is not."""

from collections import Counter
from dataclasses import replace

import numpy as np

from schemas.scope import SUB_ACCOUNT_PREFIX
from streams.scopes import sub_account
from streams.subjects import Counts, Subjects, Totals


def with_sub_accounts(found: Subjects, totals: Totals) -> Subjects:
    """The subjects, and behind them each sub-account of the streams that `totals` has. Pure.

    One that has all of its customer's mail is that customer, and is left out.
    """
    sums: dict[tuple[str, str], Counts] = {}
    for (customer, stream), counts in zip(totals.keys, totals.counts, strict=True):
        key = customer, sub_account(stream)
        sums[key] = sums[key] + counts if key in sums else counts
    accounts = Counter(customer for customer, _ in sums)
    parts = {key: counts for key, counts in sorted(sums.items()) if key[1] and accounts[key[0]] > 1}
    if not parts:
        return found
    return replace(
        found,
        customers=[*found.customers, *(customer for customer, _ in parts)],
        scopes=[*found.scopes, *(SUB_ACCOUNT_PREFIX + account for _, account in parts)],
        counts=np.concatenate((found.counts, np.stack(list(parts.values())))),
    )
