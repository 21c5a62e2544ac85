"""What is said of a tried policy: the grain, both policies, and who is judged otherwise, with level and times."""

from api.text.try_policy import lines
from jobs.operator.try_policy import Side, Trial
from schemas.times import HOUR_MS
from streams.what_if.compare import Difference, LevelSpan

BEGIN = 1_773_316_800_000  # 2026-03-12T12:00Z


def span(first: int, last: int | None, rule: str = "failure") -> LevelSpan:
    to_ms = None if last is None else BEGIN + last * HOUR_MS
    return LevelSpan(rule=rule, level="excessive", from_ms=BEGIN + first * HOUR_MS, to_ms=to_ms)


def trial(*differences: Difference) -> Trial:
    return Trial(
        from_ms=BEGIN,
        to_ms=BEGIN + 48 * HOUR_MS,
        step_s=3_600,
        level="warning",
        customers=10_000,
        subjects=12_345,
        tried=Side(policy_version="other@1", flagged=3, flagged_at_end=2),
        in_force=Side(policy_version="default@2", flagged=1, flagged_at_end=0),
        differences=list(differences),
    )


def test_heading_names_time_grain_level_and_both_policies() -> None:
    assert list(lines(trial())) == [
        "2026-03-12T12:00Z to 2026-03-14T12:00Z, customers: 10,000 (12,345 with their streams)",
        "judged at each full hour: what rose and fell between two is not seen",
        "flagged is who stood at warning or worse",
        "in force  default@2: 1 flagged, 0 of them at the end",
        "tried     other@1: 3 flagged, 2 of them at the end",
        "nobody is judged otherwise",
    ]


def test_each_kind_of_difference_has_its_heading_and_count() -> None:
    flagged = Difference(
        customer="acme", scope="customer", kind="flagged", tried=(span(1, 5), span(9, None)), in_force=()
    )
    freed = Difference(customer="beta", scope="stream:news", kind="freed", tried=(), in_force=(span(0, 2),))
    moved = Difference(customer="zed", scope="customer", kind="moved", tried=(span(2, 5),), in_force=(span(3, 5),))
    assert list(lines(trial(flagged, freed, moved)))[5:] == [
        "",
        "newly flagged: 1",
        "  acme: failure excessive 2026-03-12T13:00Z to 2026-03-12T17:00Z, "
        "failure excessive 2026-03-12T21:00Z and still",
        "",
        "freed: 1",
        "  beta [news]: failure excessive before 2026-03-12T12:00Z to 2026-03-12T14:00Z",
        "",
        "at other times: 1",
        "  zed: in force failure excessive 2026-03-12T15:00Z to 2026-03-12T17:00Z; "
        "tried failure excessive 2026-03-12T14:00Z to 2026-03-12T17:00Z",
    ]


def test_only_the_first_spans_are_shown_and_the_others_counted() -> None:
    many = tuple(span(3 * n, 3 * n + 1) for n in range(5))
    said = list(lines(trial(Difference(customer="acme", scope="customer", kind="flagged", tried=many, in_force=()))))
    assert said[-1].count("failure") == 3
    assert said[-1].endswith(" and 2 more")
