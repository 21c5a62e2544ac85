"""Answers of Gmail Postmaster Tools: what is a rate, what is unknown, which requirements are met."""

from datetime import date
from typing import Any

import msgspec
import pytest

from jobs.poll import postmaster_answers as answers
from jobs.poll.postmaster_answers import Compliance, Domains, Stats
from jobs.poll.reading import AnswerError

DAY = date(2026, 11, 27)
AT = {"year": 2026, "month": 11, "day": 27}


def stats(*several: dict[str, Any]) -> Stats:
    return answers.parse(msgspec.json.encode({"domainStats": several}), Stats, "stats")


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        ({"doubleValue": 0.0012}, 0.0012),
        ({"floatValue": 0.5}, 0.5),
        ({"doubleValue": 0}, 0.0),
        ({"intValue": "1"}, 1.0),
    ],
)
def test_spam_rate_is_the_ratio_of_its_day(value: dict[str, Any], rate: float) -> None:
    (found,) = answers.spam_rates("News.Example.com", stats({"metric": "spam_rate", "date": AT, "value": value}))
    assert (found.resource, found.day, found.rate) == ("news.example.com", DAY, rate)


@pytest.mark.parametrize("value", [{"value": {}}, {}])
def test_day_without_a_value_is_unknown_not_0(value: dict[str, Any]) -> None:
    assert answers.spam_rates("example.com", stats({"metric": "spam_rate", "date": AT, **value})) == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"domainStats": []}'])
def test_empty_answer_has_no_reading(body: bytes) -> None:
    assert answers.spam_rates("example.com", answers.parse(body, Stats, "stats")) == []


@pytest.mark.parametrize(
    ("stat", "said"),
    [
        ({"date": AT, "value": {"doubleValue": 1.2}}, "1.2 is not a ratio"),
        ({"date": AT, "value": {"doubleValue": -0.1}}, "-0.1 is not a ratio"),
        ({"date": {**AT, "day": 0}, "value": {"doubleValue": 0.1}}, "no day 2026-11-0"),
        ({"value": {"doubleValue": 0.1}}, "no day 0-0-0"),
        ({"date": {**AT, "year": 1900}, "value": {"doubleValue": 0.1}}, "no day of ours: 1900-11-27"),
        ({"date": AT, "value": {"intValue": "much"}}, "'much' is no number"),
    ],
)
def test_what_is_no_rate_of_a_day_is_an_error(stat: dict[str, Any], said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        answers.spam_rates("example.com", stats({"metric": "spam_rate", **stat}))


@pytest.mark.parametrize("body", [b"<html>", b'{"domainStats": 1}', b"\xff"])
def test_what_is_not_the_documented_answer_is_an_error_that_names_what_was_asked(body: bytes) -> None:
    with pytest.raises(AnswerError, match=r"^stats of example\.com: not the documented answer: "):
        answers.parse(body, Stats, "stats of example.com")


def test_feedback_loops_are_asked_about_by_their_identifiers_and_read_back_by_place() -> None:
    named = stats(
        {"metric": "loop_ids", "date": AT, "value": {"stringList": {"values": ["camp-1", 'a"b', "shop"]}}},
        {"metric": "loop_ids", "date": {**AT, "day": 26}, "value": {"stringList": {"values": ["shop"]}}},
    )
    loops = answers.loop_ids(named)
    assert loops == ["camp-1", "shop"], "what cannot be written into a filter is left out"
    asked = answers.stats_query(DAY, DAY, loops)["metricDefinitions"]
    assert [each["filter"] for each in asked] == ['feedback_loop_id = "camp-1"', 'feedback_loop_id = "shop"']
    said = stats({"metric": asked[1]["name"], "date": AT, "value": {"doubleValue": 0.004}})
    (found,) = answers.loop_rates("example.com", said, loops)
    assert (found.measure, found.about, found.rate) == ("feedback_loop", "shop", 0.004)


@pytest.mark.parametrize("metric", ["loop_7", "spam_rate", "loop_", "loop_²"])
def test_metric_that_was_not_asked_for_is_an_error(metric: str) -> None:
    with pytest.raises(AnswerError, match="was not asked for"):
        answers.loop_rates("example.com", stats({"metric": metric, "date": AT, "value": {"doubleValue": 0}}), ["a"])


def test_requirements_are_those_of_the_subdomain_where_google_has_it() -> None:
    def data(status: str) -> dict[str, Any]:
        return {
            "rowData": [
                {"requirement": "SPF", "status": {"status": status}},
                {"requirement": "ENCRYPTION", "status": {"status": "STATE_UNSPECIFIED"}},
            ],
            "honorUnsubscribeVerdict": {"status": {"status": "NEEDS_WORK"}, "reason": "NOT_HONORING"},
        }

    both = {"complianceData": data("COMPLIANT"), "subdomainComplianceData": data("NEEDS_WORK")}
    for answer, spf in ((both, "NEEDS_WORK"), ({"complianceData": data("COMPLIANT")}, "COMPLIANT")):
        parsed = answers.parse(msgspec.json.encode(answer), Compliance, "compliance")
        found = {each.about: each.said for each in answers.compliance("news.example.com", parsed, DAY)}
        assert found == {"SPF": spf, "HONOR_UNSUBSCRIBE": "NEEDS_WORK: NOT_HONORING"}
    assert answers.compliance("news.example.com", Compliance(), DAY) == []


def test_domains_without_access_are_not_asked_about() -> None:
    listed = [
        {"name": "domains/a.example", "permission": "OWNER", "verificationState": "VERIFIED"},
        {"name": "domains/b.example", "permission": "READER"},
        {"name": "domains/c.example", "permission": "NONE"},
        {"name": "domains/d.example", "permission": "OWNER", "verificationState": "UNVERIFIED"},
    ]
    answer = answers.parse(msgspec.json.encode({"domains": listed}), Domains, "domains")
    assert answer.usable() == ["a.example", "b.example"]
