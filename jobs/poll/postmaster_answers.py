"""Answers of the Gmail Postmaster Tools API v2 become readings. Pure.

Source: the API's discovery document, revision 20260512, and https://developers.google.com/workspace/gmail/postmaster/
reference/rest/v2: `domains.list`, `domains.domainStats.query`, `domains.getComplianceStatus`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import msgspec

from jobs.poll.reading import AnswerError, ProviderReading
from schemas.domains import domain_name

#: Most statistics of one page, and most domains ("The maximum value is 200").
PAGE = 200
#: The store knows days from 1970 on; Postmaster Tools began in 2015.
YEARS = range(2015, 2149)
SPAM_RATE, LOOP_IDS = "spam_rate", "loop_ids"
#: Prefix of the name under which the rate of a feedback loop is asked for.
_LOOP = "loop_"
Parsed = TypeVar("Parsed")


class _Date(msgspec.Struct, frozen=True):
    year: int = 0
    month: int = 0
    day: int = 0


class _Strings(msgspec.Struct, frozen=True):
    values: tuple[str, ...] = ()


class _Value(msgspec.Struct, frozen=True, rename="camel"):
    double_value: float | None = None
    float_value: float | None = None
    int_value: str | int | None = None
    string_value: str | None = None
    string_list: _Strings | None = None


class _Stat(msgspec.Struct, frozen=True):
    metric: str = ""
    value: _Value | None = None
    date: _Date | None = None


class Stats(msgspec.Struct, frozen=True, rename="camel"):
    """A page of `domainStats:query`."""

    domain_stats: tuple[_Stat, ...] = ()
    next_page_token: str = ""


class _Domain(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    permission: str = ""
    verification_state: str = ""


class Domains(msgspec.Struct, frozen=True, rename="camel"):
    """A page of `domains.list`."""

    domains: tuple[_Domain, ...] = ()
    next_page_token: str = ""

    def usable(self) -> list[str]:
        """The names of those that may be asked about."""
        return [
            each.name.removeprefix("domains/")
            for each in self.domains
            if each.permission != "NONE" and each.verification_state != "UNVERIFIED"
        ]


class _Status(msgspec.Struct, frozen=True):
    status: str = ""


class _Row(msgspec.Struct, frozen=True):
    requirement: str = ""
    status: _Status = _Status()


class _Verdict(msgspec.Struct, frozen=True):
    status: _Status = _Status()
    reason: str = ""


class _Compliance(msgspec.Struct, frozen=True, rename="camel"):
    row_data: tuple[_Row, ...] = ()
    one_click_unsubscribe_verdict: _Verdict | None = None
    honor_unsubscribe_verdict: _Verdict | None = None


class Compliance(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `getComplianceStatus`: of the registered domain, and where Google has it of the subdomain."""

    compliance_data: _Compliance | None = None
    subdomain_compliance_data: _Compliance | None = None


def parse(body: bytes, kind: type[Parsed], what: str) -> Parsed:
    """An answer, typed; `what` names it in the error.

    Raises:
        AnswerError: it is no JSON, or a field is not of its documented type.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AnswerError(f"{what}: not the documented answer: {error}") from error


def stats_query(first: date, last: date, loops: Sequence[str] | None = None, page_token: str = "") -> Mapping[str, Any]:
    """The body of a `domainStats:query` of these days, both included: spam rate and the identifiers of feedback loops,
    or of these `loops` their spam rates, named by their place."""
    if loops is None:
        asked = [_metric(SPAM_RATE, "SPAM_RATE"), _metric(LOOP_IDS, "FEEDBACK_LOOP_ID")]
    else:
        asked = [
            {**_metric(f"{_LOOP}{place}", "FEEDBACK_LOOP_SPAM_RATE"), "filter": f'feedback_loop_id = "{loop}"'}
            for place, loop in enumerate(loops)
        ]
    query: dict[str, Any] = {
        "metricDefinitions": asked,
        "timeQuery": {"dateRanges": {"dateRanges": [{"start": _written(first), "end": _written(last)}]}},
        "aggregationGranularity": "DAILY",
        "pageSize": PAGE,
    }
    return query | ({"pageToken": page_token} if page_token else {})


def spam_rates(domain: str, stats: Stats) -> list[ProviderReading]:
    """The domain's spam rate of each day that has one.

    Raises:
        AnswerError: a rate is no ratio, or a day is no day.
    """
    return [
        ProviderReading(source="postmaster", resource=_name(domain), day=_day(each), measure="spam_rate", rate=rate)
        for each in stats.domain_stats
        if each.metric == SPAM_RATE and (rate := _rate(each)) is not None
    ]


def loop_ids(stats: Stats) -> list[str]:
    """The identifiers of feedback loops that any day names, each once. One with a quote or a backslash cannot be
    written into a filter and is left out."""
    found: dict[str, None] = {}
    for each in stats.domain_stats:
        if each.metric == LOOP_IDS and each.value is not None:
            listed = each.value.string_list.values if each.value.string_list else ()
            for name in (*listed, *((each.value.string_value,) if each.value.string_value else ())):
                if name and not {'"', "\\"}.intersection(name):
                    found[name] = None
    return list(found)


def loop_rates(domain: str, stats: Stats, loops: Sequence[str]) -> list[ProviderReading]:
    """The spam rates of the `loops` that were asked about.

    Raises:
        AnswerError: a rate is no ratio, a day is no day, or a metric was not asked for.
    """
    found = []
    for each in stats.domain_stats:
        place = each.metric.removeprefix(_LOOP)
        if not place.isascii() or not place.isdigit() or int(place) >= len(loops):
            raise AnswerError(f"domainStats of {domain}: metric {each.metric!r} was not asked for")
        if (rate := _rate(each)) is not None:
            found.append(
                ProviderReading(
                    source="postmaster",
                    resource=_name(domain),
                    day=_day(each),
                    measure="feedback_loop",
                    about=loops[int(place)],
                    rate=rate,
                )
            )
    return found


def compliance(domain: str, answer: Compliance, day: date) -> list[ProviderReading]:
    """Each of Google's requirements, met (`COMPLIANT`) or not (`NEEDS_WORK`, with the reason where there is one), on
    the day of asking. What Google has of the subdomain itself is taken first."""
    data = answer.subdomain_compliance_data or answer.compliance_data
    if data is None:
        return []
    said = {each.requirement: each.status.status for each in data.row_data}
    for requirement, verdict in (
        ("ONE_CLICK_UNSUBSCRIBE", data.one_click_unsubscribe_verdict),
        ("HONOR_UNSUBSCRIBE", data.honor_unsubscribe_verdict),
    ):
        if verdict is not None and verdict.status.status:
            reason = "" if verdict.reason in ("", "REASON_UNSPECIFIED") else f": {verdict.reason}"
            said[requirement] = verdict.status.status + reason
    return [
        ProviderReading(
            source="postmaster", resource=_name(domain), day=day, measure="compliance", about=about, said=status
        )
        for about, status in said.items()
        if about and status and status != "STATE_UNSPECIFIED"
    ]


def _name(domain: str) -> str:
    return domain_name(domain) or domain


def _metric(name: str, standard: str) -> dict[str, Any]:
    return {"name": name, "baseMetric": {"standardMetric": standard}}


def _written(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _day(stat: _Stat) -> date:
    at = stat.date or _Date()
    try:
        found = date(at.year, at.month, at.day)
    except (ValueError, OverflowError) as error:
        raise AnswerError(f"domainStats: {stat.metric}: no day {at.year}-{at.month}-{at.day}") from error
    if found.year not in YEARS:
        raise AnswerError(f"domainStats: {stat.metric}: no day of ours: {found}")
    return found


def _rate(stat: _Stat) -> float | None:
    """A ratio; None where there is no value, which is not 0: a 0 of a oneof is written out (ProtoJSON)."""
    value = stat.value
    if value is None:
        return None
    found = next((each for each in (value.double_value, value.float_value) if each is not None), None)
    if found is None and value.int_value is not None:
        try:
            found = float(value.int_value)
        except ValueError as error:
            raise AnswerError(f"domainStats: {stat.metric}: {value.int_value!r} is no number") from error
    if found is not None and not 0 <= found <= 1:
        raise AnswerError(f"domainStats: {stat.metric}: {found!r} is not a ratio from 0 to 1")
    return found
