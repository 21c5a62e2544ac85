"""What a stage says about memory before it begins."""

import os
import subprocess
import sys

import pytest

from api.stack.running import STORE_MEMORY

NAME, OURS = STORE_MEMORY
CODE = f"from api.stack.running import tune_memory; tune_memory(); import os; print(os.environ[{NAME!r}])"


@pytest.mark.parametrize(("given", "told"), [({}, OURS), ({NAME: "dirty_decay_ms:1"}, "dirty_decay_ms:1")])
def test_the_store_keeps_what_it_does_not_use_for_a_moment_unless_told_otherwise(
    given: dict[str, str], told: str
) -> None:
    without = {name: value for name, value in os.environ.items() if name != NAME}
    done = subprocess.run([sys.executable, "-c", CODE], env=without | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told
