"""Small customers of an IP pool, From domain or plan, judged together: what is counted, alerted, and shown to whom."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.explain.build import explain_shared
from api.http.standing import STANDINGS
from api.text.alert_line import alert_line
from api.text.explanation import lines
from jobs.operator.decisions import DecisionError, acknowledge
from schemas import policy
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.scope import Scope
from schemas.settings import ClickHouse
from streams.io.store import Store
from streams.judge.verdict import judge, measured
from streams.monitor.batch import BatchJudge
from streams.windows.current import window_counts
from streams.windows.pools import NOBODY, Pools, judge_pool
from tests.support.alert_follower import HookMemory, decide
from tests.support.api_client import DAY, HOUR, MINUTE, NOW
from tests.support.judging import LOOP, NOW_MS, Counting, Ground
from tests.support.pools import Sent, put

pytestmark = pytest.mark.usefixtures("standing_clock")

#: Larger minimum volumes than the default policy has, and no 6 hours: those of these tests are small by them.
LEAST = {
    "complaint": 1000,
    "failure": {"1h": 500, "24h": 200, "7d": 200, "30d": 200},
    "block": {"1h": 500, "24h": 200, "7d": 200},
}
DEFAULT = policy.load_policy()
POLICY = msgspec.structs.replace(
    DEFAULT,
    scopes=("customer", "stream", "pool"),
    rules=tuple(
        msgspec.structs.replace(
            rule,
            windows=tuple(window for window in rule.windows if window != "6h"),
            min_volume=LEAST.get(rule.name, rule.min_volume),
        )
        for rule in DEFAULT.rules
    ),
)
LENGTHS = {name: window_ms(name) for name in POLICY.windows}


def put_plans(store: Store, plans: Mapping[str, str], *, gone: bool = False) -> None:
    """Say which plan each customer has."""
    store.insert(
        "customers",
        {
            "customer": list(plans),
            "plan": list(plans.values()),
            "domains": [[]] * len(plans),
            "gone": [gone] * len(plans),
            "updated": [datetime.fromtimestamp(NOW + gone, UTC)] * len(plans),
        },
    )


def of_scopes(*scopes: Scope) -> Policy:
    return msgspec.structs.replace(POLICY, scopes=scopes)


def judging(ground: Ground, by: Policy = POLICY) -> BatchJudge:
    judge_ = ground.judge()
    judge_.set_policy(by)
    return judge_


def verdicts(ground: Ground, scope: str = "pool:shared-1", by: Policy = POLICY) -> dict[str, tuple[str, str, int, int]]:
    """Level, window, numerator and denominator by rule."""
    kind = scope.partition(":")[0]
    pool = next(each for each in Pools(ground.store, by, LOOP, kind=kind).read(NOW_MS) if each.scope == scope)
    return {
        each.rule: (each.level, each.window, each.numerator, each.denominator)
        for each in judge_pool(pool, by, NOW_MS).verdicts
    }


SNOWSHOE = [Sent(f"shoe-{number}", delivered=90, hard=10) for number in range(30)]


def test_many_small_customers_are_bad_together(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    alone = window_counts(ground.store, [each.customer for each in SNOWSHOE], LENGTHS, LOOP, NOW_MS)
    assert {judge(each, POLICY, NOW_MS).standing for each in alone} == {"insufficient_volume"}
    assert verdicts(ground)["failure"] == ("excessive", "24h", 300, 3_000)


def test_alert_is_on_nobody_and_names_the_small_customers(ground: Ground) -> None:
    large = Sent("large", delivered=9_000, hard=4_000)
    put(ground.store, [*SNOWSHOE, Sent("worst", delivered=120, hard=60), Sent("blameless", delivered=150), large])
    judging(ground).judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert (alert.subject, alert.data.customer, alert.data.scope) == ("pool:shared-1", NOBODY, "pool:shared-1")
    assert (alert.data.rule, alert.data.level, alert.data.numerator) == ("failure", "critical", 360)
    named = [(share.name, share.count, share.volume) for share in alert.data.evidence.customers]
    assert named[0] == ("worst", 60, 180)
    assert len(named) == 10
    assert "blameless" not in {name for name, _, _ in named}
    assert alert.data.explanation.startswith(
        "Small and new customers of pool shared-1, judged together: 360 of 3,330 recipients failed"
    )


def test_small_customers_that_share_a_from_domain_are_bad_together(ground: Ground) -> None:
    shoes = [each._replace(pool=f"pool-{number}", from_domain="offers.example") for number, each in enumerate(SNOWSHOE)]
    put(ground.store, [*shoes, *(Sent(f"fine-{n}", from_domain="fine.example", delivered=90) for n in range(30))])
    judging(ground, of_scopes("customer", "pool", "from")).judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert (alert.subject, alert.data.customer, alert.data.rule) == ("from:offers.example", NOBODY, "failure")
    assert alert.data.explanation.startswith("Small and new customers of From domain offers.example, judged together")
    assert {share.name for share in alert.data.evidence.customers} <= {each.customer for each in shoes}


def test_small_customers_of_a_plan_are_bad_together(ground: Ground) -> None:
    shoes = [each._replace(pool=f"pool-{number}") for number, each in enumerate(SNOWSHOE)]
    others = [Sent(f"fine-{n}", delivered=90) for n in range(30)]
    large = Sent("large", delivered=9_000, hard=4_000)
    put(ground.store, [*shoes, *others, large])
    put_plans(ground.store, {each.customer: "trial" for each in [*shoes, large]})
    put_plans(ground.store, {each.customer: "paid" for each in others})
    put_plans(ground.store, {"shoe-0": "trial"}, gone=True)
    judging(ground, of_scopes("customer", "plan")).judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert (alert.subject, alert.data.rule) == ("plan:trial", "failure")
    assert (alert.data.numerator, alert.data.denominator) == (290, 2_900)
    assert alert.data.explanation.startswith("Small and new customers of plan trial, judged together")
    named = {share.name for share in alert.data.evidence.customers}
    assert len(named) == 10
    assert named <= {each.customer for each in shoes[1:]}


def test_complaints_of_a_plan_are_of_deliveries_to_providers_with_a_feedback_loop(ground: Ground) -> None:
    mail = [Sent(f"shoe-{n}", delivered=60, complained=1) for n in range(30)]
    put(ground.store, [*mail, *(each._replace(provider="gmail", delivered=300, complained=2) for each in mail)])
    put_plans(ground.store, {each.customer: "trial" for each in mail})
    by = of_scopes("customer", "plan")
    assert verdicts(ground, "plan:trial", by)["complaint"] == ("excessive", "24h", 30, 1_800)
    judging(ground, by).judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert "30 complaints among 1,800 deliveries at providers with feedback loops" in alert.data.explanation
    assert "the true rate is higher" not in alert.data.explanation
    assert [(share.count, share.volume) for share in alert.data.evidence.customers] == [(1, 60)] * 10


def test_what_a_policy_does_not_judge_is_not_asked_for(ground: Ground) -> None:
    put(ground.store, [each._replace(from_domain="offers.example") for each in SNOWSHOE])
    judge_ = judging(ground, of_scopes("customer", "from"))
    judge_.judge_pools(NOW_MS)
    assert [alert.subject for alert in ground.sent] == ["from:offers.example"]
    judge_.set_policy(of_scopes("customer", "plan"))
    for hours in (1, 2):
        judge_.judge_pools(NOW_MS + hours * HOUR * 1000)
    assert [(alert.subject, alert.data.kind) for alert in ground.sent[1:]] == [("from:offers.example", "resolved")]


def test_large_customers_are_no_part_of_the_pool(ground: Ground) -> None:
    put(
        ground.store,
        [Sent("large", delivered=9_000, hard=4_000), *(Sent(f"fine-{n}", delivered=150) for n in range(9))],
    )
    assert verdicts(ground)["failure"] == ("good", "24h", 0, 1_350)
    assert verdicts(ground)["complaint"] == ("good", "24h", 0, 1_350)


def test_who_is_small_is_decided_by_all_of_its_mail_not_by_that_in_the_pool(ground: Ground) -> None:
    elsewhere = [each._replace(pool="shared-2", delivered=150, hard=0) for each in SNOWSHOE]
    put(ground.store, [*SNOWSHOE, *elsewhere, Sent("a", delivered=50), Sent("b", delivered=50)])
    put(ground.store, [each._replace(back=5 * DAY, pool="", provider="gmail", delivered=300) for each in elsewhere])
    # 250 of each are enough for the failure rule; for that on complaints, from 1,000 on, they are still small.
    assert verdicts(ground)["failure"] == ("good", "24h", 0, 100)
    assert verdicts(ground)["complaint"] == ("good", "24h", 0, 2_800)


def test_who_is_small_differs_by_window(ground: Ground) -> None:
    put(ground.store, [each._replace(back=3 * DAY) for each in SNOWSHOE])
    put(ground.store, SNOWSHOE)
    # 200 in the week are enough: each is judged by itself there, and in the day all of them together.
    assert verdicts(ground)["failure"] == ("excessive", "24h", 300, 3_000)
    found = {each.scope: each.by_rule for each in Pools(ground.store, POLICY, LOOP).read(NOW_MS)}
    assert set(found["pool:shared-1"]["failure"].windows) == {"24h"}


def test_complaints_are_of_all_deliveries_since_a_pool_is_not_split_by_provider(ground: Ground) -> None:
    mail = [Sent(f"shoe-{n}", delivered=60, complained=1) for n in range(30)]
    put(ground.store, [*mail, *(each._replace(provider="gmail", delivered=300, complained=0) for each in mail)])
    assert verdicts(ground)["complaint"] == ("warning", "24h", 30, 10_800)
    judging(ground).judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert "30 complaints among 10,800 deliveries at all providers" in alert.data.explanation
    assert alert.data.explanation.endswith("Many providers send no complaints, so the true rate is higher.")


def test_small_for_complaints_is_by_mail_to_providers_with_a_feedback_loop(ground: Ground) -> None:
    """Small is who delivered little to those."""
    gmail = [Sent(f"shoe-{n}", provider="gmail", delivered=5_000) for n in range(3)]
    put(ground.store, [*gmail, *(Sent(f"shoe-{n}", delivered=900, complained=30) for n in range(3))])
    assert verdicts(ground)["complaint"] == ("excessive", "24h", 90, 17_700)


def test_one_small_customer_alone_is_not_judged_in_disguise(ground: Ground) -> None:
    put(ground.store, [Sent("only", provider="gmail", delivered=3_000, complained=60)])
    assert Pools(ground.store, POLICY, LOOP).read(NOW_MS) == []


def test_rule_on_the_mail_to_some_providers_alone_judges_no_pool(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    rules = tuple(
        msgspec.structs.replace(each, providers=("yahoo",)) if each.name == "failure" else each for each in POLICY.rules
    )
    judged = set(verdicts(ground, by=msgspec.structs.replace(POLICY, rules=rules)))
    assert judged == {"complaint", "block", "exposure", "critical_listing"}


def test_mail_without_a_pool_is_in_none(ground: Ground) -> None:
    put(ground.store, [each._replace(pool="") for each in SNOWSHOE])
    assert Pools(ground.store, POLICY, LOOP).read(NOW_MS) == []


@pytest.mark.parametrize("seed", range(3))
def test_pools_are_what_the_small_customers_sent(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)
    sent = [
        Sent(
            f"customer{chance.randrange(40)}",
            back=int(31 * DAY * chance.random() ** 4),
            pool=chance.choice(["a", "b", ""]),
            provider=chance.choice(["yahoo", "gmail"]),
            delivered=chance.randrange(60),
            hard=chance.randrange(9),
            block=chance.randrange(5),
            expired=chance.randrange(2),
            late_hard=chance.randrange(3),
            complained=chance.randrange(2),
        )
        for _ in range(900)
    ]
    put(ground.store, sent)
    customers = {each.customer for each in sent}
    own = {
        each.customer: each.windows
        for each in window_counts(ground.store, sorted(customers), LENGTHS, LOOP, NOW_MS)
        if each.scope == "customer"
    }
    found = {pool.scope: pool.by_rule for pool in Pools(ground.store, POLICY, LOOP).read(NOW_MS)}
    totals: dict[str, Callable[[Sent], tuple[int, int]]] = {
        "complaint": lambda each: (each.complained, each.delivered),
        "failure": lambda each: (each.hard + each.expired, finished(each)),
        "block": lambda each: (each.block, finished(each)),
    }
    seen = 0
    for rule in POLICY.rules:
        for window, least in rule.checks if rule.name in totals else ():
            since = (NOW - LENGTHS[window] // 1000) // (HOUR if LENGTHS[window] > DAY * 1000 else MINUTE)
            since *= HOUR if LENGTHS[window] > DAY * 1000 else MINUTE
            small = {who for who, windows in own.items() if measured(rule.metric, windows[window], True)[1] < least}
            for pool in ("a", "b"):
                its = [e for e in sent if e.pool == pool and e.customer in small and NOW - e.back >= since]
                # One whose mail is all of bounces that came late has none of its own.
                mail = {who: sum(finished(e) for e in its if e.customer == who) for who in {e.customer for e in its}}
                expected = tuple(map(sum, zip(*(totals[rule.name](each) for each in its), strict=True))) or (0, 0)
                counts = found.get(f"pool:{pool}", {}).get(rule.name)
                got = (
                    measured(rule.metric, counts.windows[window], True) if counts and window in counts.windows else None
                )
                if sum(volume > 0 for volume in mail.values()) > 2:
                    assert got == expected
                    seen += 1
    assert seen > 5


def finished(each: Sent) -> int:
    return each.delivered + each.hard + each.block + each.expired - each.late_hard


def test_alert_on_a_pool_resolves_when_it_is_good_and_when_it_sends_no_more(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    for days in (0, 0.01, 32, 32.1):
        judge_.judge_pools(NOW_MS + int(days * DAY * 1000))
    assert [alert.data.kind for alert in ground.sent] == ["opened", "resolved"]
    assert len({alert.data.alert_id for alert in ground.sent}) == 1


def test_policy_without_pools_ends_what_is_open_and_reads_nothing(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    judge_.judge_pools(NOW_MS)
    judge_.set_policy(of_scopes("customer"))
    for hours in (1, 2):
        judge_.judge_pools(NOW_MS + hours * HOUR * 1000)
    assert [alert.data.kind for alert in ground.sent] == ["opened", "resolved"]


def test_rule_that_is_gone_ends_the_alert_on_a_pool(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    judge_.judge_pools(NOW_MS)
    rules = tuple(rule for rule in POLICY.rules if rule.name != "failure")
    judge_.set_policy(msgspec.structs.replace(POLICY, rules=rules))
    judge_.judge_pools(NOW_MS + 1_000)
    assert [alert.data.kind for alert in ground.sent] == ["opened", "resolved"]
    assert ground.sent[1].subject == "pool:shared-1"


def test_customers_judged_meanwhile_leave_the_alert_on_the_pool_alone(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    judge_.judge_pools(NOW_MS)
    judge_.judge_customers([*(each.customer for each in SNOWSHOE), *judge_.not_good()], NOW_MS)
    assert [alert.subject for alert in ground.sent] == ["pool:shared-1"]


@pytest.mark.parametrize("scope", ["pool", "from", "plan"])
def test_nobody_is_suspended_and_no_customer_is_notified(ground: Ground, scope: Scope) -> None:
    put(ground.store, [each._replace(from_domain="offers.example") for each in SNOWSHOE])
    put_plans(ground.store, {each.customer: "trial" for each in SNOWSHOE})
    judge_ = judging(ground, of_scopes("customer", scope))
    judge_.judge_pools(NOW_MS)
    judge_.judge_customers([each.customer for each in SNOWSHOE], NOW_MS)
    seen = HookMemory()
    decision = decide(ground.sent[0], seen)
    assert decision is not None
    assert decision.action == "shared only"
    assert len(seen.suspended) == len(seen.episodes) == 0
    for each in SNOWSHOE:
        rows = ground.store.records(STANDINGS, {"customer": each.customer})
        assert [(row["scope"], row["standing"]) for row in rows] == [("customer", "insufficient_volume")]
    assert ground.store.rows("SELECT count() FROM alerts WHERE customer != ''")[0][0] == 0


def test_pool_is_explained_with_its_alert_and_who_is_behind_it(ground: Ground) -> None:
    put(ground.store, [*SNOWSHOE, Sent("worst", delivered=150, hard=30)])
    judging(ground).judge_pools(NOW_MS)
    found = explain_shared(ground.store, "pool:shared-1", POLICY, LOOP, NOW_MS)
    assert found is not None
    said = "\n".join(lines(found))
    assert said.startswith("pool:shared-1 at 2026-03-12T12:34:56.000Z, judged by policy default@")
    assert "small and new customers of pool shared-1, judged together: excessive" in said
    assert "330 of 3,180: 10.38 %" in said
    assert "most of it: worst (30 of 180), shoe-0 (10 of 100)" in said
    assert "opened, good to excessive: 330 of 3,180 in 24h" in said
    assert explain_shared(ground.store, "pool:nowhere", POLICY, LOOP, NOW_MS) is None
    unjudged = explain_shared(ground.store, "pool:shared-1", of_scopes("customer"), LOOP, NOW_MS)
    assert unjudged is not None and unjudged.scopes[0].remarks == ("this policy does not judge a pool",)


def test_acknowledged_alert_on_a_pool_stays_so(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    judge_.judge_pools(NOW_MS)
    acknowledge(ground.store, ground.sent[0].data.alert_id, by="Ida", why="pool is drained", now_ms=NOW_MS + 1_000)
    for second in (2, 3):
        judge_.judge_pools(NOW_MS + second * 1_000)
    assert [alert.data.kind for alert in ground.sent] == ["opened", "acknowledged"]


def test_what_pools_have_over_more_than_a_day_is_read_now_and_then(ground: Ground) -> None:
    week = [each._replace(back=3 * DAY) for each in SNOWSHOE]
    put(ground.store, week)
    counting = Counting(ground.store)
    pools = Pools(counting, POLICY, LOOP, 600_000)
    # Besides, fresh starts and what is listed of pools are read each time. Small and new customers come together.
    for minutes, expected in ((0, 4), (9, 7), (10, 11)):
        (found,) = pools.read(NOW_MS + minutes * MINUTE * 1000)
        assert found.by_rule["failure"].windows["7d"].hard == 300
        assert len(counting.asked) == expected
    pools.forget()
    pools.read(NOW_MS + 10 * MINUTE * 1000)
    assert len(counting.asked) == 15


def test_alert_on_a_pool_is_shown_to_operators_by_the_name_of_the_pool(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judging(ground).judge_pools(NOW_MS)
    assert " opened: pool:shared-1 failure excessive. Small and new customers of pool shared-1" in alert_line(
        ground.sent[0]
    )


def test_alert_on_a_pool_has_no_text_for_a_customer(ground: Ground, store_settings: ClickHouse, tmp_path: Path) -> None:
    put(ground.store, SNOWSHOE)
    judging(ground).judge_pools(NOW_MS)
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    command = ["--config", str(config), "alerts", "text", ground.sent[0].data.alert_id]
    with pytest.raises(DecisionError, match="is on pool:shared-1 and of no single customer"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_resolved_alert_on_a_pool_lifts_no_suspension(ground: Ground) -> None:
    put(ground.store, SNOWSHOE)
    judge_ = judging(ground)
    for days in (0, 32, 32.1):
        judge_.judge_pools(NOW_MS + int(days * DAY * 1000))
    assert [decide(alert, HookMemory()) is None for alert in ground.sent] == [False, True]
