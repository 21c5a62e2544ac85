"""Colours, and the levels in their order."""

from schemas.levels import Level

ALERT_LEVELS: tuple[Level, ...] = ("watch", "warning", "excessive", "critical")
#: Standings and alert levels, worst last.
LEVEL_COLORS = {
    "insufficient_volume": "text",
    "good": "green",
    "watch": "blue",
    "warning": "yellow",
    "excessive": "orange",
    "critical": "red",
    "suspended": "purple",
    "reinstated": "super-light-green",
    "inactive": "light-blue",
}
ALERT_COLORS = {level.capitalize(): LEVEL_COLORS[level] for level in ALERT_LEVELS}
#: Weights of blocklists, worst first.
WEIGHTS = ("critical", "major", "minor", "informational")
WEIGHT_COLORS = {"critical": "red", "major": "orange", "minor": "yellow", "informational": "blue"}
#: States of incidents, and what becomes of what is held.
STATE_COLORS = {"detected": "red", "declared": "red", "suspected": "yellow", "dismissed": "text"}
OUTCOME_COLORS = {
    "Delivered": "green",
    "Deferred": "light-yellow",
    "Hard bounce": "red",
    "Soft bounce": "light-orange",
    "Block": "purple",
    "Expired": "dark-red",
    "Suppressed": "text",
    "Rejected": "light-blue",
    "Unsubscribed": "blue",
    "Complaint": "dark-orange",
}
