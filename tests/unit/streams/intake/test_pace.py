"""When the next flush is due."""

import pytest

from streams.intake.ingest import FLUSH_PACE, MOST_PACED, QUIET_S, flush_every_s


@pytest.mark.parametrize(
    ("took_s", "quiet_s", "due_s"),
    [
        pytest.param(0.0, 0.0, 1.0, id="the setting where storing takes no time"),
        pytest.param(0.5, 0.0, 0.5 * FLUSH_PACE, id="storing leaves time for the rest"),
        pytest.param(60.0, 0.0, MOST_PACED, id="but counts are not kept back for long"),
        pytest.param(0.5, QUIET_S / 2, 0.5 * FLUSH_PACE, id="a short gap in what comes"),
        pytest.param(0.5, QUIET_S, 1.0, id="the last of a backlog waits for nothing"),
    ],
)
def test_next_flush_is_due(took_s: float, quiet_s: float, due_s: float) -> None:
    assert flush_every_s(1.0, took_s, quiet_s) == due_s
