"""The thresholds in force are in the store, each policy's once, since it was taken up."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas import policy as policies
from schemas.policy import Policy
from streams.io.store import Store, StoreError
from streams.monitor.policy_levels import LevelsWritten, store_levels

NOW_MS = 1_790_000_000_000
TEXT = """
[[rules]]
name = "complaints"
metric = "complaint"
windows = ["24h", "7d"]
levels = {{ warning = {warning}, excessive = 0.005 }}

[[rules]]
name = "gmail"
metric = "failure"
windows = ["1h"]
providers = ["gmail"]
levels = {{ watch = 0.04 }}
"""


def policy(warning: float) -> Policy:
    return policies.parse(TEXT.format(warning=warning), "policy.toml")


def written(store: Store) -> list[tuple[Any, ...]]:
    rows = store.rows(
        "SELECT toUnixTimestamp64Milli(since), rule, metric, windows, providers, level, threshold FROM policy_levels "
        "ORDER BY since, rule, level"
    )
    return [tuple(row) for row in rows]


def test_each_level_is_a_row_and_the_same_policy_is_written_once(store: Store) -> None:
    assert store_levels(store, policy(0.003), NOW_MS)
    assert not store_levels(store, policy(0.003), NOW_MS + 1)
    first = [
        (NOW_MS, "complaints", "complaint", ["24h", "7d"], [], "excessive", 0.005),
        (NOW_MS, "complaints", "complaint", ["24h", "7d"], [], "warning", 0.003),
        (NOW_MS, "gmail", "failure", ["1h"], ["gmail"], "watch", 0.04),
    ]
    assert written(store) == first
    assert store_levels(store, policy(0.002), NOW_MS + 2)
    assert written(store)[:3] == first
    assert written(store)[4] == (NOW_MS + 2, "complaints", "complaint", ["24h", "7d"], [], "warning", 0.002)
    assert store_levels(store, policy(0.003), NOW_MS + 3), "back to the one before"


def test_levels_that_could_not_be_written_are_written_with_the_next_look(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the policy is in force all the same."""
    following = iter([policy(0.002), None, None])
    insert: Callable[..., None] = store.insert

    def failing(*_: object) -> None:
        raise StoreError("gone for a moment")

    levels = LevelsWritten(store, policy(0.003), lambda: next(following), lambda: NOW_MS)
    monkeypatch.setattr(store, "insert", failing)
    assert levels.newer() == policy(0.002)
    assert written(store) == []
    monkeypatch.setattr(store, "insert", insert)
    assert levels.newer() is None
    assert [row[6] for row in written(store)] == [0.005, 0.002, 0.04]
    assert levels.newer() is None
