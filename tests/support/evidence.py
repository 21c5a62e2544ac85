"""Evidence of several subjects alike."""

from collections.abc import Mapping, Sequence

from schemas.alert import Evidence
from schemas.policy import Policy
from streams.alerts import evidence
from streams.alerts.evidence import AskedAlert, EvidenceReader, Subject
from streams.io.store import Store
from streams.subjects.left_out import KnownLeftOut
from streams.subjects.stored_fresh_starts import read_since


def collect(
    store: Store,
    subjects: Sequence[Subject],
    metric: str,
    length_ms: int,
    feedback_loop: Sequence[str],
    now_ms: int,
    thresholds: Mapping[Subject, float] | None = None,
    *,
    expired_is_failure: bool = True,
    mail_to: Sequence[str] = (),
    left_out: KnownLeftOut = None,
) -> dict[Subject, Evidence]:
    """The evidence of verdicts on one metric over one window of `length_ms`, for each subject."""
    policy = Policy(rules=(), expired_is_failure=expired_is_failure)
    reader = EvidenceReader(store, feedback_loop, policy, now_ms, read_since(store, now_ms), left_out)
    above = thresholds or {}
    asked = {each: AskedAlert(each, metric, length_ms, tuple(mail_to), above.get(each)) for each in subjects}
    found = evidence.collect(reader, asked.values())
    return {each: found[one] for each, one in asked.items()}
