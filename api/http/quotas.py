"""How many requests a key may send: a bucket that holds a window's quota and fills evenly. Pure; time is passed in.

The header fields are those of draft-ietf-httpapi-ratelimit-headers-10 (`RateLimit-Policy`, `RateLimit`) and of RFC 9110
section 10.2.3 (`Retry-After`). Each process counts for itself, its part of the whole (`api.processes`).
"""

import math
from collections import OrderedDict
from typing import NamedTuple

#: Keys whose buckets are remembered. Who is forgotten has a full one, so the ones not used for longest go.
MOST = 100_000


class Quota(NamedTuple):
    """So many requests in so many seconds; all of them may come at once."""

    requests: int
    window_s: int = 60

    @property
    def policy(self) -> str:
        """As `RateLimit-Policy` says it."""
        return f'"requests";q={self.requests};w={self.window_s}'


class Left(NamedTuple):
    """What is left after a request: how many more may come now, when all of the quota is there again (s), and, where
    the request is one too many, when the next may come (s); else 0.
    """

    remaining: int
    reset_s: int
    retry_s: int

    def headers(self, quota: Quota) -> dict[str, str]:
        """The header fields of an answer."""
        found = {"RateLimit-Policy": quota.policy, "RateLimit": f'"requests";r={self.remaining};t={self.reset_s}'}
        return found | ({"Retry-After": str(self.retry_s)} if self.retry_s else {})


class Quotas:
    """The buckets, by key."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, quota: Quota, now_s: float) -> Left:
        """One request of `name` at `now_s` (seconds on a clock that never goes back)."""
        rate = quota.requests / quota.window_s
        held, at = self._buckets.pop(name, (float(quota.requests), now_s))
        held = min(float(quota.requests), held + (now_s - at) * rate)
        taken = held >= 1
        held -= taken
        self._buckets[name] = held, now_s
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return Left(
            remaining=int(held),
            reset_s=math.ceil((quota.requests - held) / rate),
            retry_s=0 if taken else max(1, math.ceil((1 - held) / rate)),
        )
