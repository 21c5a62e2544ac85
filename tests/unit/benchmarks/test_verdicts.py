"""The measuring of verdicts: windows hold what they should, judging is the product's, seeds repeat a run."""

import numpy as np
import pytest

from benchmarks.results import Figure
from benchmarks.verdicts import __main__ as run
from benchmarks.verdicts import bad, product, rivals, steady
from benchmarks.verdicts.figures import highest_rate
from benchmarks.verdicts.looks import looked
from benchmarks.verdicts.mail import (
    DELIVERED,
    EXPIRED,
    HARD,
    KINDS,
    LATE_HARD,
    Late,
    Mail,
    Rates,
    outcomes,
    steadily,
)

STEP_MIN = 5
PER_DAY = 1440 // STEP_MIN
WINDOWS = {"5m": 300_000, "24h": 86_400_000, "7d": 7 * 86_400_000}


def mail_of(prompt: dict[int, list[tuple[int, int]]], late: list[tuple[int, int, int, int]], *, dated: bool) -> Mail:
    counts = np.zeros((KINDS, 10 * PER_DAY), np.int64)
    for kind, some in prompt.items():
        for step, n in some:
            counts[kind, step] += n
    columns = np.array(late, np.int64).reshape(-1, 4).T
    return Mail(STEP_MIN, counts, Late(*columns), dated)


def test_windows_hold_what_the_product_reads() -> None:
    """Against a plain sum over all outcomes; long windows begin at a full hour."""
    rng = np.random.default_rng(7)
    rates = Rates(hard=0.1, expired=0.05, block=0.05, complained=0.05, looped=0.5)
    mail = outcomes(rng, steadily(rng, 300, 10, STEP_MIN), rates, STEP_MIN, dated=True)
    for on_arrival in (False, True):
        looks = looked(mail, WINDOWS, on_arrival=on_arrival)
        for step in (0, 3, PER_DAY, PER_DAY + 7, 8 * PER_DAY + 5):
            now_min = (step + 1) * STEP_MIN
            for window, length in WINDOWS.items():
                begin = now_min - length // 60_000
                begin = begin // 60 * 60 if window == "7d" else begin
                assert [int(looks.of(kind, window)[step]) for kind in range(KINDS)] == summed(
                    mail, begin, step, on_arrival=on_arrival
                )


def summed(mail: Mail, begin_min: int, step: int, *, on_arrival: bool) -> list[int]:
    found = mail.prompt[:, max(0, begin_min // STEP_MIN) : step + 1].sum(axis=1).tolist()
    for kind, sent, seen, n in zip(mail.late.kind, mail.late.sent, mail.late.seen, mail.late.n, strict=True):
        counted = seen if on_arrival else sent
        if seen <= step and counted * STEP_MIN >= begin_min:
            found[kind] += int(n)
    return [int(each) for each in found]


@pytest.mark.parametrize(("hard", "level"), [(1, None), (4, None), (15, "excessive"), (40, "critical")])
def test_judging_is_the_product_s(hard: int, level: str | None) -> None:
    ours = product.default()
    mail = mail_of({DELIVERED: [(10, 100 - hard)], HARD: [(10, hard)]}, [], dated=True)
    flag = ours.first(ours.looked(mail), "excessive")
    assert (flag and (flag.step, flag.level, flag.rule)) == (level and (10, level, "failure"))


def test_a_mailing_that_slid_out_accuses_nobody_but_formerly() -> None:
    """247 of 40,000 given up after 72 h, when the day holds nothing else: dated or not, no level."""
    ours = product.default()
    for dated in (True, False):
        expired = [(EXPIRED, 10, 10 + 3 * PER_DAY, 247)]
        mail = mail_of({DELIVERED: [(10, 39_753)]}, expired, dated=dated)
        assert ours.first(ours.looked(mail), "watch") is None
        assert rivals.FORMERLY.flagged(mail, 1)[10 + 3 * PER_DAY]


def test_dated_late_bounces_count_with_their_mail() -> None:
    ours = product.default()
    mail = mail_of({DELIVERED: [(10, 1_000)]}, [(LATE_HARD, 10, 400, 200)], dated=True)
    flag = ours.first(ours.looked(mail), "excessive")
    assert flag and (flag.step, flag.numerator, flag.denominator) == (400, 200, 1_000)


@pytest.mark.parametrize("times", [0.5, 1.5, 3.0])
def test_our_rules_among_the_rivals_say_what_the_product_says(times: float) -> None:
    """So that its ablations differ by one step alone."""
    rng = np.random.default_rng(11)
    rates = Rates(hard=0.04 * times, expired=0.01 * times, block=0.05, complained=0.003 * times, looped=0.5)
    mail = outcomes(rng, steadily(rng, 2_000, 20, STEP_MIN), rates, STEP_MIN, dated=True)
    ours = product.default()
    flag = ours.first(ours.looked(mail), "excessive")
    steps = np.flatnonzero(rivals.STEPS[-1].flagged(mail, 1))
    assert (flag.step if flag else None) == (int(steps[0]) if len(steps) else None)
    assert (flag is None) == (times < 1)


def test_how_sure_a_count_of_none_is() -> None:
    assert highest_rate(0, 10_000) == pytest.approx(3 / 10_000, rel=0.01)
    assert highest_rate(3, 1_000) == pytest.approx(7.75 / 1_000, rel=0.01)


def test_a_tiny_run_works_and_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "VOLUMES", (300,))
    few = bad.kinds()[:3]
    monkeypatch.setattr(bad, "kinds", lambda: few)
    first, second = (list(run.measured(20, 1, 1, 3, 0.3, parts=("senders", "steady"))) for _ in range(2))
    assert first == second
    part = [each for each in first if run.part_of(each) == "steady"]
    other = list(run.measured(20, 1, 1, 4, 0.3, parts=("steady",)))
    assert [each.name for each in other] == [each.name for each in part]
    assert other != part, "by another seed"
    names = {each.name.partition(": ")[0] for each in first}
    assert {"good senders", "bad senders", "steady senders below a threshold"} <= names


def test_a_part_that_is_measured_by_itself_replaces_its_own_figures_alone() -> None:
    names = ("good senders: all, suspended", "steady senders below a threshold: x", "incidents: y", f"{run.RUN}seed")
    assert run.part_of(Figure(name="random fleets, bad ones: bought list", value=1, unit="")) == "random"
    kept = [Figure(name=name, value=1, unit="") for name in names]
    found = [Figure(name="steady senders above a threshold: z", value=2, unit="")]
    assert [each.name for each in run.together(kept, found, ["steady"])] == [names[0], found[0].name, names[2]]
