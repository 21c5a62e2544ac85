"""What a policy, and the difference between two, look like to a person."""

import pytest

from api.text.policy import described, differences
from schemas.policy import Policy, parse

TEXT = """
name = "ours"

[[rules]]
name = "complaint"
metric = "complaint"
windows = ["24h", "7d"]
min_volume = 1000
levels = { warning = 0.001, excessive = 0.003 }

[[rules]]
name = "listed"
metric = "critical_listing"
windows = ["1h"]
levels = { critical = 2 }

[[overrides]]
customer = "acme"
rule = "complaint"
levels = { warning = 0.002 }
reason = "agreed"
until = 2026-12-31T00:00:00Z
"""


def changed(old: str, new: str) -> Policy:
    assert old in TEXT
    return parse(TEXT.replace(old, new), "t")


OURS = changed("", "")

CHANGES: dict[str, tuple[str, str, list[str]]] = {
    "brake": (
        'name = "ours"\n',
        'name = "ours"\nbrake = { customers = 1_000, share = 0.1 }\n',
        ["brake: 20 customers or 5 % within 10 minutes -> 1,000 customers or 10 % within 10 minutes"],
    ),
    "nothing": ("", "", []),
    "layout": ("\n\n[[", "\n# a note\n[[", []),
    "name": ('name = "ours"', 'name = "other"', ["name: ours -> other"]),
    "confidence and scopes": (
        'name = "ours"',
        'name = "ours"\nconfidence = 0.99\nscopes = ["customer"]',
        ["confidence: 0.92 -> 0.99", "scopes: customer stream -> customer"],
    ),
    "levels": (
        "{ warning = 0.001, excessive = 0.003 }",
        "{ excessive = 0.0025, critical = 0.01 }",
        [
            "  rule complaint",
            "      levels.warning: 0.1 % -> none",
            "      levels.excessive: 0.3 % -> 0.25 %",
            "      levels.critical: none -> 1 %",
        ],
    ),
    "number of listings": ("critical = 2", "critical = 3", ["  rule listed", "      levels.critical: 2 -> 3"]),
    "volume by window": (
        "min_volume = 1000",
        'min_volume = { "24h" = 10, "7d" = 2000 }',
        ["  rule complaint", "      min_volume: 1,000 -> 24h 10, 7d 2,000"],
    ),
    "what must be observable, and when silence begins": (
        'name = "ours"\n',
        'name = "ours"\nmin_observable = 0.2\ninactive_after = "7d"\n',
        ["min_observable: 0.05 -> 0.2", "inactive_after: 24h -> 7d"],
    ),
    "what holds anyhow": ('name = "ours"\n', 'name = "ours"\nmin_observable = 0.05\ninactive_after = "24h"\n', []),
    "another rule": (
        'name = "listed"',
        'name = "lists"',
        [
            "- rule listed: metric critical_listing, windows 1h, levels critical 2, min_volume 0, resolve_ratio 0.8, "
            "hold_minutes 30",
            "+ rule lists: metric critical_listing, windows 1h, levels critical 2, min_volume 0, resolve_ratio 0.8, "
            "hold_minutes 30",
        ],
    ),
    "override": (
        "levels = { warning = 0.002 }\n",
        "min_volume = 5\n",
        ["  override acme, rule complaint", "      levels: warning 0.2 % -> none", "      min_volume: none -> 5"],
    ),
    "override of a stream": (
        'customer = "acme"\n',
        'customer = "acme"\nstream = "news"\n',
        [
            "- override acme, rule complaint: reason agreed, levels warning 0.2 %, until 2026-12-31T00:00:00Z",
            "+ override acme [news], rule complaint: reason agreed, levels warning 0.2 %, until 2026-12-31T00:00:00Z",
        ],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_difference_is_reported_rule_by_rule(case: str) -> None:
    old, new, said = CHANGES[case]
    assert list(differences(OURS, changed(old, new))) == said


def test_rules_in_another_order_are_reported() -> None:
    first, second = OURS.rules
    other = Policy(name="ours", rules=(second, first), overrides=OURS.overrides)
    assert list(differences(OURS, other)) == ["order of rules: complaint; listed -> listed; complaint"]


@pytest.mark.parametrize("case", [case for case in CHANGES if CHANGES[case][2]])
def test_wherever_versions_differ_a_difference_is_reported(case: str) -> None:
    other = changed(*CHANGES[case][:2])
    assert other.version != OURS.version
    assert list(differences(other, OURS))


def test_policy_is_shown_with_version_and_a_table_of_its_rules() -> None:
    assert list(described(OURS)) == [
        "name     ours",
        f"version  {OURS.version}",
        "",
        "rule       metric            windows  min volume  levels",
        "complaint  complaint         24h 7d   1,000       warning 0.1 %, excessive 0.3 %",
        "listed     critical_listing  1h       0           critical 2",
        "override for acme, rule complaint until 2026-12-31T00:00:00Z: agreed",
    ]
