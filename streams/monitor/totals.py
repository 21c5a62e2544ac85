"""The numbers of a monitor, for `/metrics` and `/healthz`."""

from dataclasses import dataclass

from streams.io.instrument import counter, gauge


@dataclass
class JudgingTotals:
    """Running totals of one monitor."""

    judged: int = counter("Judgements of a customer or another subject.")
    batches: int = counter("Batches of changed customers judged.")
    alerts: int = counter("Transitions of alerts sent.")
    last_batch_seconds: float = gauge("How long the last batch took.")
    last_batch_ms: int = gauge("When a batch was last judged to its end (epoch ms, UTC).")
    judging_since_ms: int = gauge("Since when the batch under way is judged (epoch ms, UTC); 0 while none is.")
    waiting_customers: int = gauge(
        "Customers who would newly be excessive or worse, and wait until mail of theirs that came before is counted."
    )
    #: What keeps it from being judged; empty when nothing does.
    trouble: str = ""
