"""What a client of the broker says of itself, for a test that waited in vain."""

from collections.abc import Mapping
from typing import Any

import msgspec


class ClientState:
    """Keeps the last statistics of a client (librdkafka, STATISTICS.md), which it gives each `EVERY_MS` where `options`
    are among its own."""

    EVERY_MS = 5_000

    def __init__(self) -> None:
        self._last = ""

    @property
    def options(self) -> Mapping[str, object]:
        """Of the client."""
        return {"statistics.interval.ms": self.EVERY_MS, "stats_cb": self._keep}

    def _keep(self, statistics: str) -> None:
        self._last = statistics

    def __str__(self) -> str:
        """The state of its producer id, of each broker, and of each partition where something waits."""
        if not self._last:
            return "no statistics yet"
        found: dict[str, Any] = msgspec.json.decode(self._last)
        ids = found.get("eos", {})
        parts = [f"producer id {ids.get('idemp_state')} for {ids.get('idemp_stateage')} ms"]
        for name, broker in found.get("brokers", {}).items():
            parts.append(
                f"{name} {broker['state']}, {broker['connects']} connects, {broker['disconnects']} disconnects, "
                f"{broker['outbuf_cnt']} requests to send, {broker['waitresp_cnt']} unanswered"
            )
        for topic, each in found.get("topics", {}).items():
            for number, partition in each["partitions"].items():
                if waiting := partition["msgq_cnt"] + partition["xmit_msgq_cnt"]:
                    parts.append(f"{topic}[{number}] led by {partition['leader']}: {waiting} waiting")
        return "; ".join(parts)
