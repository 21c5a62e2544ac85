"""A few requests of every kind to every route, made from the OpenAPI document (`make fuzz-api` sends many more)."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz_api.run import fuzz
from tests.support.databases import Databases

pytestmark = [
    pytest.mark.usefixtures("standing_clock"),
    pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs schemathesis (requirements-dev.txt)"),
]
FEW = ("--phases", "examples,fuzzing", "--max-examples", "2", "--generation-deterministic")


def test_no_request_is_a_fault_of_ours_or_answered_as_is_not_documented(
    databases: Databases, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with databases.opened(lasting=True) as store:
        failed = fuzz(store.settings, store, FEW, tmp_path, operator=True)
    assert not failed, capfd.readouterr().out[-20_000:]
