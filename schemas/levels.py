"""How bad a standing or an alert is."""

from typing import Literal

#: Best first. `insufficient_volume` is not a level but the absence of one.
Level = Literal["good", "watch", "warning", "excessive", "critical"]
LEVELS: tuple[Level, ...] = ("good", "watch", "warning", "excessive", "critical")
