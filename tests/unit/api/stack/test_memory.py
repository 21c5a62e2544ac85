"""What a stage says about memory before it begins, and how it gives back what is not used."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from itertools import count

import pytest

from api.stack.running import COLLECT_PART, COLLECT_S, STORE_MEMORY, Tidying

NAME, OURS = STORE_MEMORY
CODE = f"from api.stack.running import tune_memory; tune_memory(); import os; print(os.environ[{NAME!r}])"


@pytest.mark.parametrize(("given", "told"), [({}, OURS), ({NAME: "dirty_decay_ms:1"}, "dirty_decay_ms:1")])
def test_the_store_keeps_what_it_does_not_use_for_a_moment_unless_told_otherwise(
    given: dict[str, str], told: str
) -> None:
    without = {name: value for name, value in os.environ.items() if name != NAME}
    done = subprocess.run([sys.executable, "-c", CODE], env=without | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told


class Cycle:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _collector_off() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_collector_off")
def test_cycles_are_collected_once_a_minute() -> None:
    trims = count()
    tidying, left = Tidying(lambda _: next(trims)), weakref.ref(Cycle())
    tidying.look(COLLECT_S - 1)
    assert left() is not None
    tidying.look(COLLECT_S)
    assert left() is None
    assert next(trims) == 2


@pytest.mark.usefixtures("_collector_off")
def test_collector_that_takes_long_looks_less_often() -> None:
    seconds = count(0, 2.0)
    tidying = Tidying(None)
    tidying.look(COLLECT_S, lambda: next(seconds))
    left = weakref.ref(Cycle())
    tidying.look(COLLECT_S + 2 * COLLECT_PART - 1, lambda: next(seconds))
    assert left() is not None
    tidying.look(COLLECT_S + 2 * COLLECT_PART, lambda: next(seconds))
    assert left() is None
