"""Work in the background: one at a time, with how far it is, and an end by time, by hand or by an error."""

import threading

import pytest

from api.console.background import Background, Job
from schemas.errors import InvalidInputError
from streams.io.store import StoreError


def run(background: Background[str], work: object, bound_s: float = 60.0) -> Job[str]:
    """What became of some work."""
    background.bound_s = bound_s
    assert background.begin("this", "Ida", lambda: 7, work)  # type: ignore[arg-type]
    job = background.job
    assert job is not None
    assert job.thread is not None
    job.thread.join(30)
    return job


def test_progress_is_told_and_the_result_kept() -> None:
    seen = []

    def work(job: Job[str]) -> str:
        job.tell(1, 4)
        seen.append((job.progress.share, job.progress.state))
        job.tell(4, 4)
        return f"{job.about} is done"

    job = run(Background("b", 0.0), work)
    assert seen == [(0.25, "running")]
    assert (job.result, job.progress.state, job.progress.by) == ("this is done", "done", "Ida")
    assert (job.progress.began_ms, job.progress.ended_ms) == (7, 7)


def test_second_does_not_begin_while_one_is_under_way_and_the_first_can_be_stopped() -> None:
    going, background = threading.Event(), Background[str]("b", 60.0)

    def work(job: Job[str]) -> None:
        while True:
            going.set()
            job.tell(0, 1)

    assert background.begin("first", "Ida", lambda: 0, work)
    assert going.wait(30)
    assert not background.begin("second", "Bob", lambda: 0, work)
    first = background.job
    assert first is not None
    assert first.thread is not None
    assert first.about == "first"
    first.stop()
    first.thread.join(30)
    assert first.progress.state == "stopped"
    assert run(background, lambda _: None).progress.state == "done"


def test_what_takes_longer_than_its_bound_is_ended() -> None:
    assert run(Background("b", 0.0), lambda job: job.tell(1, 2), bound_s=-1.0).progress.state == "late"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidInputError("line 3: no"), "line 3: no"),
        (StoreError("http://10.0.0.1: SELECT secret"), "the store did not answer"),
        (ZeroDivisionError("x"), "something went wrong here; it has been logged"),
    ],
)
def test_error_is_said_without_what_is_for_the_log_alone(error: Exception, said: str) -> None:
    def work(_: Job[str]) -> None:
        raise error

    progress = run(Background("b", 0.0), work).progress
    assert (progress.state, progress.fault) == ("failed", said)
