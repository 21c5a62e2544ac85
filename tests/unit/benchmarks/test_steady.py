"""A steady flow: what the product says of itself is read, and a lag that grows shows."""

import pytest

from benchmarks.broker import BenchmarkError
from benchmarks.steady import Sample, Steady, figures, parsed, settled

TEXT = """# HELP repmon_ingest_lag Messages
repmon_ingest_lag 1200
repmon_ingest_lag_known_ms 5
repmon_ingest_stored_total{stage="ingest"} 3e4
repmon_monitor_judged_total 250
"""


def test_numbers_are_read_from_what_it_says() -> None:
    assert parsed(TEXT, 1.5) == Sample(1.5, 1200.0, 30_000.0, 250.0)
    assert parsed("", 1.5) == Sample(1.5, 0.0, 0.0, 0.0)


def test_a_lag_that_grows_shows_in_the_halves_of_the_run() -> None:
    samples = [Sample(float(at), 100.0 * at, 0.0, 50.0 * at) for at in range(31)]
    found = {each.name: each for each in figures(Steady(samples, 600, 30.0, 2.0, 45.0, 10**9), 10, 20)}
    assert found["lag, mean"].note == "first half 1,450, second 2,500"
    assert (found["judged"].value, found["sent"].value, found["processor"].value) == (50.0, 20.0, 1.5)
    assert found["lag, p99"].value == 3_000


def test_a_run_must_outlast_its_begin() -> None:
    with pytest.raises(BenchmarkError, match="too short: 2 samples"):
        settled([Sample(float(at), 0.0, 0.0, 0.0) for at in range(12)])
