"""A question that is asked again and again: its last answer, and when that came."""

import threading

import pytest

from streams.io.broker import BrokerError
from streams.io.pulse import Pulse
from tests.support.waiting import wait_for


class Asked:
    """Answers how often it was asked, or fails."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.times += 1
        if self.error is not None:
            raise self.error
        return self.times


@pytest.fixture
def clock() -> list[int]:
    return [1_000]


@pytest.mark.parametrize("error", [BrokerError("gone"), ZeroDivisionError("a mistake of ours")])
def test_answer_and_its_time_stay_while_it_fails(clock: list[int], error: Exception) -> None:
    asked = Asked()
    pulse = Pulse("test", asked, 1.0, lambda: clock[0])
    pulse.ask()
    clock[0], asked.error = 9_000, error
    pulse.ask()
    assert (pulse.value, pulse.contact.answered_ms) == (1, 1_000)
    assert str(error) in pulse.contact.trouble
    asked.error = None
    pulse.ask()
    assert (pulse.value, pulse.contact.answered_ms, pulse.contact.trouble) == (3, 9_000, "")


def test_one_that_never_answered_is_as_old_as_its_first_question(clock: list[int]) -> None:
    asked = Asked()
    asked.error = BrokerError("gone")
    pulse = Pulse("test", asked, 1.0, lambda: clock[0])
    pulse.ask()
    assert (pulse.value, pulse.contact.answered_ms) == (None, 1_000)


def test_it_goes_on_after_errors_until_it_is_stopped() -> None:
    asked = Asked()
    asked.error = ZeroDivisionError()
    pulse = Pulse("test", asked, 0.001)
    pulse.start()
    wait_for(lambda: asked.times > 2, "it to be asked again")
    assert pulse.stop()


def test_a_stop_leaves_a_question_behind_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.io.pulse.LEAVE_S", 0.01)
    asked, answer = threading.Event(), threading.Event()

    def question() -> bool:
        asked.set()
        return answer.wait(30)

    pulse = Pulse("test", question, 0.001)
    pulse.start()
    assert asked.wait(30)
    assert not pulse.stop()
    answer.set()
    wait_for(pulse.stop, "the thread to end")
