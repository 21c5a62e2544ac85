"""A customer whose failures are critical, as `explain` would tell it."""

from typing import Any

import msgspec

from api.explain.explanation import Explanation

NOW_MS = 1_773_316_800_000


def explained(level: str = "critical") -> Explanation:
    """Of acme, at NOW_MS: one rule, one open alert, both at this level."""
    alert: dict[str, Any] = {"alert_id": "a1", "level": level, "opened": "2026-03-12T11:00:00.000Z", "history": []}
    alert |= {"changed": "2026-03-12T11:00:00.000Z", "below_since": None, "acknowledged": None, "override": None}
    rule: dict[str, Any] = {"rule": "failure", "metric": "failure", "level": level, "holding_level": level}
    rule |= {"window": "24h", "insufficient_volume": False, "confidence": 0.9, "threshold": 0.1, "windows": []}
    rule |= {"allowance": None, "overrides": [], "alert": alert, "remarks": []}
    scope: dict[str, Any] = {
        "scope": "customer",
        "standing": level,
        "suspended": None,
        "reinstated": None,
        "scores": {},
    }
    scope |= {"recorded": level, "since": "2026-03-12T11:00:00.000Z", "rules": [rule], "remarks": []}
    whole = {"customer": "acme", "time": "2026-03-12T12:00:00.000Z", "policy_version": "p", "scopes": [scope]}
    return msgspec.convert(whole, Explanation)
