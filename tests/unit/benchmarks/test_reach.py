"""How late an alert is: the delay and its parts, as the benchmark tells them apart."""

from benchmarks.reach import Delay, Reach, Seen, delay, figures


def test_a_delay_is_told_apart() -> None:
    seen = Seen(stored={"a": 12.0}, judged={"a": 12.5})
    assert delay("a", {"a": 10.0}, {"a": 13.25}, seen) == Delay(total=3.25, stored=2.0, waited=0.5, judged=0.75)


def test_what_is_stored_after_the_judgement_began_had_no_part_in_the_alert() -> None:
    seen = Seen(stored={"a": 13.0}, judged={"a": 12.0})
    assert delay("a", {"a": 10.0}, {"a": 12.5}, seen) == Delay(total=2.5, stored=2.0, waited=0.0, judged=0.5)


def test_an_alert_may_come_of_the_first_bounces_before_the_last_is_acknowledged() -> None:
    seen = Seen(stored={"a": 9.0}, judged={"a": 9.5})
    assert delay("a", {"a": 10.0}, {"a": 9.75}, seen) == Delay(total=-0.25, stored=0.0, waited=0.0, judged=0.25)


def test_figures_say_how_many_alerts_came_and_where_the_time_went() -> None:
    delays = [
        Delay(total=2.0, stored=1.0, waited=0.5, judged=0.5),
        Delay(total=4.0, stored=3.0, waited=0.5, judged=0.5),
    ]
    found = {each.name: each for each in figures(Reach(1_000, 2.0, 10**9, {0.9: delays}, {0.9: 1}), senders=3)}
    assert found["taken in"].value == 500
    p99 = found["event to alert at 90% of that, p99"]
    assert (p99.value, found["event to alert at 90% of that, p50"].value) == (4.0, 2.0)
    assert "until its cause is stored 1.00 to 3.00" in p99.note
    assert found["event to alert at 90% of that, p50"].note.startswith("2 of 3 senders, 450 events/s meanwhile")
