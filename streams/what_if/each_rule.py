"""A policy cut into policies of one rule each: rules are independent of each other, so each is followed by itself, and
one that two policies share only once. Pure."""

from collections.abc import Iterator, Sequence
from math import ceil

import msgspec
from msgspec import UNSET

from schemas.policy import Policy
from schemas.policy_metric import BURNS, MinVolume, window_ms
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.times import HOUR_MS, HOUR_S
from streams.subjects import undated


def each_rule(policy: Policy, *, minutes: bool = False) -> list[Policy]:
    """The policies of one rule, equal where they judge alike.

    Where `minutes` are not known, a burn over less than an hour is that of the hour, since it is measured by the
    window's length.
    """
    return [
        msgspec.structs.replace(
            policy,
            name="",
            inactive_after=UNSET,  # may be a window that the rule has not
            brake=UNSET,
            rules=(known,),
            windows=tuple(dict.fromkeys((*known.reads, *_spreading(policy.windows)))),
            overrides=tuple(
                each if minutes else _hourly_override(each, known)
                for each in policy.overrides
                if each.rule == rule.name
            ),
        )
        for rule in policy.rules
        for known in (rule if minutes else _hourly(rule),)
    ]


def short_windows(rule: Rule) -> list[str]:
    """The windows of a rule that are shorter than an hour."""
    return [window for window in rule.reads if window_ms(window) < HOUR_MS]


def hours_of(window: str) -> int:
    """The whole hours of a window, at least one."""
    return ceil(window_ms(window) / 1000 / HOUR_S)


def lengths_of(policy: Policy) -> list[int]:
    """The lengths in ms of what is read for a policy's windows."""
    return list(undated.to_read({name: window_ms(name) for name in policy.windows}).values())


def _hourly(rule: Rule) -> Rule:
    if rule.metric not in BURNS:
        return rule
    windows = dict.fromkeys(_an_hour_or_more(window) for window in rule.windows)
    return msgspec.structs.replace(rule, windows=tuple(windows), min_volume=_hourly_volume(rule.min_volume))


def _hourly_override(override: Override, rule: Rule) -> Override:
    if rule.metric not in BURNS or override.min_volume is None:
        return override
    return msgspec.structs.replace(override, min_volume=_hourly_volume(override.min_volume))


def _hourly_volume(least: MinVolume) -> MinVolume:
    """Where several windows become one hour, the largest of their minimum volumes."""
    if isinstance(least, int):
        return least
    found: dict[str, int] = {}
    for window, volume in least.items():
        hour = _an_hour_or_more(window)
        found[hour] = max(volume, found.get(hour, 0))
    return found


def _an_hour_or_more(window: str) -> str:
    return window if window_ms(window) >= HOUR_S * 1000 else "1h"


def _spreading(windows: Sequence[str]) -> Iterator[str]:
    """The windows that say how undated outcomes are spread over those of a rule."""
    longest = max(windows, key=window_ms)
    return (each for each in windows if window_ms(each) >= undated.LAG_MS or each == longest)
