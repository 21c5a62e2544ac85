"""How many recipients each reporter may report in an hour. In memory: of one worker, and since its start."""

HOUR_MS = 3_600_000
#: Reporters that are remembered within an hour; who could be anybody is one of them.
MOST_REPORTERS = 10_000


class ReportBudget:
    """What was reported in the hour that runs, by reporter."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._hour = -1
        self._taken: dict[str, int] = {}

    def take(self, reporter: str, recipients: int, most: int, now_ms: int) -> bool:
        """Count recipients that are reported now (epoch ms, UTC), unless that makes more than `most` in this hour."""
        hour = now_ms // HOUR_MS
        if hour != self._hour:
            self._hour, self._taken = hour, {}
        taken = self._taken.get(reporter, 0) + recipients
        if taken > most or (reporter not in self._taken and len(self._taken) >= MOST_REPORTERS):
            return False
        self._taken[reporter] = taken
        return True
