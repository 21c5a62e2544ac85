"""What the collector says of itself, for Prometheus. Labels are formats and outcomes, never what a sender chose."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

#: What became of a request.
RequestOutcome = Literal[
    "taken",  # acknowledged by the broker
    "answered",  # a test of the address or a matter of the subscription: nothing to keep
    "refused",  # not proved to be the provider's
    "too_large",
    "cut_off",  # the sender went away, or was too slow
    "not_found",
    "encoded",  # compressed, which no signature is over
    "unavailable",  # to be sent again: broker or SNS did not answer, or no room
    "failed",  # a mistake of ours
]
UNKNOWN = "unknown"


class CollectorMetrics:
    """Counters and times, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "repmon_collect_requests", "Webhook requests, by what became of them.", ["format", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.bytes = Counter(
            "repmon_collect_bytes", "Bytes of the bodies taken.", ["format"], registry=self.registry
        )  # fmt: skip
        self.acknowledge_seconds = Histogram(
            "repmon_collect_acknowledge_seconds", "From the whole body to the broker's acknowledgement.",
            registry=self.registry,
        )  # fmt: skip
