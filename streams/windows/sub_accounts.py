"""The sub-accounts of customers by themselves: a reseller may be good while one of its clients is not."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from schemas.scope import STREAM_PREFIX, SUB_ACCOUNT_PREFIX
from streams.subjects.arrays import StreamKey, Subjects
from streams.subjects.scopes import sub_account


def rows_of_sub_accounts(customers: Sequence[str], scopes: Sequence[str]) -> Mapping[StreamKey, Sequence[int]]:
    """The rows of the streams of each sub-account, by customer and scope in their order. Pure.

    A customer's streams stand there where it has several. A sub-account that has all of them is that customer, and is
    left out.
    """
    streams: dict[StreamKey, list[int]] = defaultdict(list)
    for row, (customer, scope) in enumerate(zip(customers, scopes, strict=True)):
        if scope.startswith(STREAM_PREFIX):
            streams[customer, sub_account(scope.removeprefix(STREAM_PREFIX))].append(row)
    accounts = Counter(customer for customer, _ in streams)
    return {
        (customer, SUB_ACCOUNT_PREFIX + account): rows
        for (customer, account), rows in sorted(streams.items())
        if account and accounts[customer] > 1
    }


def with_sub_accounts(found: Subjects) -> Subjects:
    """The subjects, and behind them the sub-accounts. Pure."""
    accounts = rows_of_sub_accounts(found.customers, found.scopes)
    if not accounts:
        return found
    return replace(
        found,
        customers=[*found.customers, *(customer for customer, _ in accounts)],
        scopes=[*found.scopes, *(scope for _, scope in accounts)],
        counts=np.concatenate((found.counts, [found.counts[rows].sum(axis=0) for rows in accounts.values()])),
    )
