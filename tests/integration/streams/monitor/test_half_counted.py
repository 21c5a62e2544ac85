"""Bounces are counted, and the deliveries of the same mail not yet: nobody is accused by that."""

import random

import pytest

from streams.monitor.half_counted import LateTopic
from tests.support.api_client import DAY, MINUTE, Row
from tests.support.fleet import HOUR_11, accused, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

#: So few that no incident, and no brake, can tell.
FLEET = ["good0", "good1"]
NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000


def put(ground: Ground) -> list[Row]:
    """A good week, and the bounces of a large mailing; returns its deliveries."""
    chance, deliveries = random.Random(1), list[Row]()
    for each in FLEET:
        ground.put(*(row for day in range(1, 8) for row in mail(each, HOUR_11 - day * DAY, 600, 0.005, chance)))
        mailing = list(mail(each, HOUR_11 + 20 * MINUTE, 20_000, 0.005, chance))
        ground.put(*(row._replace(delivered=0) for row in mailing))
        deliveries += [row._replace(hard=0) for row in mailing]
    return deliveries


def test_who_is_judged_while_deliveries_are_behind_waits_for_them(ground: Ground) -> None:
    behind, deliveries = [True], put(ground)
    judge = ground.judge(is_behind=lambda _: behind[0])
    for waited_ms in (0, 5_000, 600_000):
        found = judge.judge_customers(FLEET, NOW_MS + waited_ms)
        assert found.again == [(each, NOW_MS + waited_ms + 5_000) for each in FLEET]
    ground.put(*deliveries)
    behind[0] = False
    judge.judge_customers(FLEET, NOW_MS + 605_000)
    assert accused(ground) == set()


def test_without_it_both_would_be_accused(ground: Ground) -> None:
    put(ground)
    ground.judge().judge_customers(FLEET, NOW_MS)
    assert accused(ground) == set(FLEET)


def test_who_is_bad_is_accused_once_all_is_counted_or_after_an_hour(ground: Ground) -> None:
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)))
    behind = [True]
    judge = ground.judge(is_behind=lambda _: behind[0])
    judge.judge_customers(["bought"], NOW_MS)
    assert accused(ground) == set()
    behind[0] = False
    judge.judge_customers(["bought"], NOW_MS + 5_000)
    assert accused(ground) == {"bought"}


def test_intake_that_stays_behind_hides_nobody_for_ever(ground: Ground) -> None:
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)))
    judge = ground.judge(is_behind=lambda _: True, behind_wait_s=600)
    for waited_ms in (0, 599_000):
        assert judge.judge_customers(["bought"], NOW_MS + waited_ms).again
        assert accused(ground) == set()
    judge.judge_customers(["bought"], NOW_MS + 600_000)
    assert accused(ground) == {"bought"}


STOPPED_MS = 300_000


def put_bought(ground: Ground, source: str = "mail.events:an-id:0", *, judged_before: bool = True) -> None:
    """Somebody with a bought list, whose mail comes over a topic."""
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)), source=source)
    if judged_before:
        ground.scored("bought", days_ago=3)


def test_topic_that_stands_still_is_waited_for_some_minutes(ground: Ground) -> None:
    put_bought(ground)
    still_ms = [0]
    judge = ground.judge(late_topics=lambda _: [LateTopic("mail.events", still_ms[0])])
    for still_ms[0] in (0, STOPPED_MS - 1):
        assert judge.judge_customers(["bought"], NOW_MS + still_ms[0]).again
        assert accused(ground) == set()
    still_ms[0] = STOPPED_MS
    judge.judge_customers(["bought"], NOW_MS + STOPPED_MS)
    assert accused(ground) == {"bought"}


def test_alert_names_the_topic_that_is_not_counted(ground: Ground) -> None:
    put_bought(ground)
    ground.judge(late_topics=lambda _: [LateTopic("mail.events", STOPPED_MS)]).judge_customers(["bought"], NOW_MS)
    assert {each.data.evidence.uncounted for each in ground.sent} == {("mail.events",)}
    assert "What came over mail.events is not all counted" in ground.sent[0].data.explanation


def test_topic_that_goes_on_is_waited_for_anew(ground: Ground) -> None:
    """Somebody else read of it: what it holds may belong to mail of which bounces are counted already."""
    put_bought(ground)
    late = [[LateTopic("mail.events"), LateTopic("mail.postfix", STOPPED_MS)]]
    judge = ground.judge(late_topics=lambda _: late[0])
    assert judge.judge_customers(["bought"], NOW_MS).again
    late[0] = [LateTopic("mail.events", STOPPED_MS + 1), LateTopic("mail.postfix")]
    judge.judge_customers(["bought"], NOW_MS + STOPPED_MS)
    assert accused(ground) == {"bought"}, "mail.postfix brings nothing of theirs"


def test_topic_that_brings_nothing_of_a_customer_is_not_waited_for(ground: Ground) -> None:
    put_bought(ground)
    ground.judge(late_topics=lambda _: [LateTopic("mail.postfix")]).judge_customers(["bought"], NOW_MS)
    assert accused(ground) == {"bought"}
    assert {each.data.evidence.uncounted for each in ground.sent} == {()}


@pytest.mark.parametrize(
    ("source", "judged_before"),
    [("mail.events:an-id:0", False), ("counted again from files", True)],
    ids=["new customer", "mail that came over no topic"],
)
def test_any_late_topic_is_waited_for_where_nobody_can_tell(ground: Ground, source: str, judged_before: bool) -> None:
    put_bought(ground, source, judged_before=judged_before)
    judge = ground.judge(late_topics=lambda _: [LateTopic("mail.postfix")])
    assert judge.judge_customers(["bought"], NOW_MS).again
    assert accused(ground) == set()


def test_monitor_says_how_many_wait(ground: Ground) -> None:
    put_bought(ground)
    late = [LateTopic("mail.events")]
    judge = ground.judge(late_topics=lambda _: late)
    judge.judge_customers(["bought"], NOW_MS)
    judge.refresh_incidents(NOW_MS + 1_000)
    assert judge.metrics.waiting_customers == 1
    late.clear()
    judge.judge_customers(["bought"], NOW_MS + 5_000)
    judge.refresh_incidents(NOW_MS + 6_000)
    assert judge.metrics.waiting_customers == 0
