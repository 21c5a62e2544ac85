"""What one round of asking brought."""

from dataclasses import dataclass, field

from jobs.poll.reading import ProviderReading


@dataclass
class Round:
    """`readings` are good whatever else happened. `faults` are lines about what was not answered. `asked` are domains
    or days; `later` says that a provider asked for patience and the round ended there."""

    readings: list[ProviderReading] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    asked: int = 0
    later: bool = False
