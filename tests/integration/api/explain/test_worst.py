"""The worst customers with what their lines need: of how many a rate is, which rule decides, and since when."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from api.explain.worst import ORDERS, WorstFilter, WorstLine, WorstOrder, WorstRate, worst
from api.stack.worst_now import WorstNow
from jobs.operator.decisions import add_override, end_override
from jobs.operator.suspensions import suspend
from schemas import policy
from schemas.policy import Policy
from schemas.policy_rule import Levels
from schemas.settings import ClickHouse, PolicySettings, Settings
from streams.io.store import Store
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Ground
from tests.support.rich_history import Mail, store_mail

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
#: Enough for the failure rule, and too few for the complaint rule.
FEW = Row(NOW - 10 * MINUTE, delivered=445, complained=7)
BAD = Row(NOW - 10 * MINUTE, delivered=900, hard=150, block=50, customer="bad")


@pytest.fixture
def ground(store: Store) -> Ground:
    return Ground(store)


def shown(ground: Ground, rules: Policy = POLICY, now_ms: int = NOW_MS) -> dict[str, WorstLine]:
    return {f"{each.customer} {each.scope}": each for each in worst(ground.store, rules, LOOP, 10, now_ms)}


def test_rate_of_too_few_says_so_and_a_rate_of_enough_does_not(ground: Ground) -> None:
    ground.put(FEW, BAD)
    ground.judge().judge_customers(["acme", "bad"], NOW_MS)
    found = shown(ground)
    assert list(found) == ["bad customer", "acme customer"]
    acme = found["acme customer"]
    assert (acme.standing, acme.volume, acme.rule) == ("good", 445, "")
    assert acme.complaint == WorstRate(7 / 445, (7, 445), enough=False)
    assert acme.failure == WorstRate(0.0, (0, 445), enough=True)
    bad = found["bad customer"]
    assert (bad.standing, bad.rule, bad.since_ms) == ("critical", "failure", NOW_MS)
    assert bad.block == WorstRate(50 / 1_100, (50, 1_100), enough=True)
    assert bad.complaint == WorstRate(0.0, (0, 900), enough=True)


def test_complaints_about_other_mail_are_no_rate_and_are_told(ground: Ground) -> None:
    """What top shows is what judging counts: 18 complaints came, most likely about the mailing of yesterday."""
    store_mail(
        ground.store,
        [
            Mail(NOW - 30 * HOUR, "acme", delivered=40_000),
            Mail(NOW - HOUR, "acme", delivered=3_268, complained=18, undated_complained=18),
            Mail(NOW - HOUR, "even", delivered=3_268, complained=2),
        ],
    )
    ground.judge().judge_customers(["acme", "even"], NOW_MS)
    found = shown(ground)
    assert found["acme customer"].complaint == WorstRate(1 / 3_268, (1, 3_268), outside=17)
    assert found["even customer"].complaint == WorstRate(2 / 3_268, (2, 3_268))
    stored = {str(row[0]): float(row[1]) for row in ground.store.rows("SELECT customer, complaint_rate FROM standings")}
    assert stored == {name: found[f"{name} customer"].complaint.ratio for name in ("acme", "even")}


def test_worst_of_one_level_is_furthest_beyond_the_mildest_of_the_policy(ground: Ground) -> None:
    """All critical. 60 % refused is six times what warns; 20 % and 30 % of failures are seven and ten times."""
    at = NOW - 10 * MINUTE
    ground.put(
        Row(at, delivered=800, hard=200, customer="fifth"),
        Row(at, delivered=700, hard=300, customer="third"),
        Row(at, delivered=280, hard=120, block=600, customer="refused"),
    )
    ground.judge().judge_customers(["fifth", "refused", "third"], NOW_MS)

    def order(rules: Policy) -> list[str]:
        return [each.customer for each in worst(ground.store, rules, LOOP, 10, NOW_MS) if each.scope == "customer"]

    assert order(POLICY) == ["third", "fifth", "refused"]
    strict = tuple(
        msgspec.structs.replace(rule, levels=Levels(watch=0.01, excessive=0.25)) if rule.metric == "block" else rule
        for rule in POLICY.rules
    )
    assert order(msgspec.structs.replace(POLICY, rules=strict)) == ["refused", "third", "fifth"]
    without = tuple(rule for rule in POLICY.rules if rule.metric not in ("failure", "block"))
    assert order(msgspec.structs.replace(POLICY, rules=without)) == ["fifth", "refused", "third"], (
        "by volume, then name"
    )


def test_what_is_enough_is_what_the_policy_says(ground: Ground) -> None:
    ground.put(FEW)
    ground.judge().judge_customers(["acme"], NOW_MS)
    rules = tuple(
        msgspec.structs.replace(rule, min_volume=445) if rule.metric == "complaint" else rule for rule in POLICY.rules
    )
    assert shown(ground, msgspec.structs.replace(POLICY, rules=rules))["acme customer"].complaint.enough
    without = msgspec.structs.replace(POLICY, rules=tuple(each for each in rules if each.metric == "failure"))
    assert shown(ground, without)["acme customer"].complaint.enough, "nothing is judged, so nothing is too little"


def test_stream_that_stands_badly_has_its_own_line(ground: Ground) -> None:
    ground.put(BAD, Row(NOW - 10 * MINUTE, delivered=100_000, customer="bad", stream="receipts"))
    ground.judge().judge_customers(["bad"], NOW_MS)
    found = shown(ground)
    assert set(found) == {"bad customer", "bad stream:news"}
    assert found["bad stream:news"].failure == WorstRate(150 / 1_100, (150, 1_100), enough=True)
    assert found["bad customer"].volume == 101_100


def test_standing_goes_on_since_it_began(ground: Ground) -> None:
    ground.put(BAD)
    judge = ground.judge()
    judge.judge_customers(["bad"], NOW_MS)
    judge.judge_customers(["bad"], NOW_MS + 60_000)
    assert shown(ground, now_ms=NOW_MS + 60_000)["bad customer"].since_ms == NOW_MS


def test_customer_without_mail_in_the_last_day_has_no_rates_of_few(ground: Ground) -> None:
    ground.put(BAD._replace(at=NOW - 3 * DAY))
    ground.judge().judge_customers(["bad"], NOW_MS)
    bad = shown(ground)["bad customer"]
    assert (bad.standing, bad.volume) == ("critical", 0)
    assert bad.failure.ratio == 0.0


def test_override_is_marked_while_it_holds_and_suspended_is_shown_with_its_rule(
    ground: Ground, store_settings: ClickHouse
) -> None:
    ground.put(BAD, FEW)
    judge = ground.judge()
    judge.judge_customers(["acme", "bad"], NOW_MS)
    now = [NOW_MS]
    reader = WorstNow(Settings(clickhouse=store_settings), ground.store, lambda: now[0])

    def marked() -> dict[str, bool]:
        return {each.customer: each.overridden for each in reader.read(10)}

    assert marked() == {"bad": False, "acme": False}
    decision = add_override(
        ground.store, POLICY, "bad", "failure", "watch", NOW_MS + HOUR * 1000, stream="", by="Ida", why="agreed",
        now_ms=NOW_MS,
    )  # fmt: skip
    assert marked() == {"bad": True, "acme": False}
    now[0] = NOW_MS + HOUR * 1000
    assert marked() == {"bad": False, "acme": False}, "its time is over"
    now[0] = NOW_MS + 1
    assert marked()["bad"]
    end_override(ground.store, decision.id, by="Ida", why="", now_ms=NOW_MS + 2)
    now[0] = NOW_MS + 3
    assert not marked()["bad"]
    suspend(ground.store, "bad", by="Ida", why="list bought", now_ms=NOW_MS + 4)
    line = reader.read(1)[0]
    assert (line.customer, line.standing, line.rule) == ("bad", "suspended", "failure")


def test_override_of_the_policy_itself_is_marked_too(
    ground: Ground, store_settings: ClickHouse, tmp_path: Path
) -> None:
    ground.put(BAD)
    ground.judge().judge_customers(["bad"], NOW_MS)
    until = datetime.fromtimestamp(NOW + HOUR, UTC).isoformat()
    override = (
        f'[[overrides]]\ncustomer = "bad"\nrule = "failure"\nreason = "agreed"\nmin_volume = 9\nuntil = {until}\n'
    )
    file = tmp_path / "policy.toml"
    file.write_text(f"{policy.default_file().read_text(encoding='utf-8')}\n{override}", encoding="utf-8")
    settings = Settings(clickhouse=store_settings, policy=PolicySettings(file=str(file)))
    assert [each.overridden for each in WorstNow(settings, ground.store, lambda: NOW_MS).read(10)] == [True]


def test_store_sorts_by_what_is_asked(ground: Ground) -> None:
    ground.put(
        Row(NOW - 10 * MINUTE, delivered=900, hard=150, customer="Bad"),
        Row(NOW - 10 * MINUTE, delivered=5_000, complained=60, customer="loud"),
        Row(NOW - 10 * MINUTE, delivered=9_000, customer="well"),
    )
    ground.judge().judge_customers(["Bad"], NOW_MS - 60_000)
    ground.judge().judge_customers(["loud", "well"], NOW_MS)

    def order(by: WorstOrder) -> list[str]:
        wanted = WorstFilter(parts=False, order=by)
        return [each.customer for each in worst(ground.store, POLICY, LOOP, 10, NOW_MS, wanted)]

    assert order("mail") == ["well", "loud", "Bad"]
    assert order("complaint")[0] == "loud"
    assert order("failure")[0] == "Bad"
    assert order("customer") == ["Bad", "loud", "well"], "whatever the case of its letters"
    assert order("longest")[0] == "Bad"
    assert order("newest") == ["loud", "well", "Bad"]
    assert order("score")[-1] == "well"
    assert all(sorted(order(by)) == ["Bad", "loud", "well"] for by in ORDERS)
