"""One query for many who ask the same at the same time."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.http.gathered import Gathered

DEADLINE_S = 10.0


class Source:
    """Answers once it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.busy, self.let = threading.Event(), threading.Event()

    def __call__(self, question: str, names: Sequence[str]) -> Mapping[str, str]:
        self.asked.append((question, list(names)))
        self.busy.set()
        assert self.let.wait(DEADLINE_S)
        if question == "broken":
            raise ValueError("no answer")
        return {name: f"{question} {name}" for name in names if name != "nobody"}


def test_who_comes_while_a_question_is_answered_is_asked_about_together_in_the_next() -> None:
    source = Source()
    gathered = Gathered(source)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(gathered.get, "rates", "a")
        assert source.busy.wait(DEADLINE_S)
        rest = [threads.submit(gathered.get, "rates", name) for name in ("c", "b", "b", "nobody")]
        while len(gathered._waiting["rates"]) < 3:
            threading.Event().wait(0.001)
        source.let.set()
        assert first.result(DEADLINE_S) == "rates a"
        assert [each.result(DEADLINE_S) for each in rest] == ["rates c", "rates b", "rates b", None]
    assert source.asked == [("rates", ["a"]), ("rates", ["b", "c", "nobody"])]
    gathered.close()


def test_failure_is_told_to_all_who_wait_and_is_not_remembered() -> None:
    source = Source()
    source.let.set()
    gathered = Gathered(source)
    for _ in range(2):
        with pytest.raises(ValueError, match="no answer"):
            gathered.get("broken", "a")
    assert gathered.get("rates", "a") == "rates a"
    assert len(source.asked) == 3
    gathered.close()


def test_no_query_is_about_more_than_so_many() -> None:
    source = Source()
    gathered = Gathered(source, most=2)
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(gathered.get, "rates", str(name)) for name in range(5)]
        assert source.busy.wait(DEADLINE_S)
        source.let.set()
        assert [each.result(DEADLINE_S) for each in found] == [f"rates {name}" for name in range(5)]
    assert max(len(names) for _, names in source.asked) <= 2
    gathered.close()
