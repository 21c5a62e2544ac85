"""From an alert to its webhook: what did not come is said, and counts in no delay."""

from benchmarks.notify import delays, figures


def test_delay_is_from_the_acknowledgement_to_the_receiver() -> None:
    assert delays({"a": 10.0, "b": 11.0, "lost": 12.0}, {"a": 10.25, "b": 11.5}) == [0.25, 0.5]


def test_figures_say_how_many_came() -> None:
    p50, p99 = figures("at 10/s", {"a": 10.0, "b": 11.0, "lost": 12.0}, {"a": 10.25, "b": 11.5})
    assert (p50.value, p99.value, p99.unit) == (0.25, 0.5, "s")
    assert p99.note == "2 of 3 came"
