"""What pages and helps say of policies is one thing, and what monitors do."""

import inspect

from api.cli.policy import apply_file
from streams.monitor.timers import POLICY_S
from tests.support.root import ROOT


def test_how_soon_a_policy_is_taken_up_is_said_the_same_everywhere() -> None:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/policy.md", "CHANGELOG.md")]
    for text in (*pages, inspect.getdoc(apply_file) or ""):
        assert f"every {POLICY_S:g} s" in text
        assert "within 10 s" not in text
        assert "within 2 s" not in text
