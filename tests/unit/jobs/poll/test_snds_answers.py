"""The CSV of Microsoft SNDS: what a line says, what is unknown, and what costs itself alone."""

from datetime import date

import pytest

from jobs.poll.reading import AnswerError, ProviderReading
from jobs.poll.snds_answers import blocked_addresses, day_file

DAY = date(2026, 11, 27)
GOOD = (
    "192.0.2.1,11/27/2026 1:00 AM,11/27/2026 11:00 PM,1895,1894,1890,GREEN,< 0.1%,,,0,"
    'mta1.example.com,"news, daily@example.com",'
)


def read(*lines: str) -> dict[tuple[str, str], ProviderReading]:
    found = day_file("\r\n".join(lines).encode(), DAY)
    assert not found.faults
    return {(each.resource, each.measure): each for each in found.readings}


def test_line_has_a_reading_of_each_measure() -> None:
    found = read(GOOD)
    assert {measure for _, measure in found} == {"filter_result", "recipients", "trap_hits", "complaint_rate"}
    assert found["192.0.2.1", "filter_result"].said == "GREEN"
    assert found["192.0.2.1", "recipients"].number == 1890
    assert found["192.0.2.1", "trap_hits"].number == 0
    assert {each.day for each in found.values()} == {DAY}


@pytest.mark.parametrize(
    ("written", "rate", "below"), [("< 0.1%", 0.001, True), ("0.3%", 0.003, False), ("12 %", 0.12, False)]
)
def test_complaint_rate_below_a_bound_is_not_that_bound(written: str, rate: float, below: bool) -> None:
    found = read(GOOD.replace("< 0.1%", written))["192.0.2.1", "complaint_rate"]
    assert found.rate == pytest.approx(rate)
    assert found.below is below


def test_empty_complaint_rate_is_unknown_not_0() -> None:
    assert ("192.0.2.1", "complaint_rate") not in read(GOOD.replace("< 0.1%", ""))


def test_several_activities_of_a_day_are_added_and_the_worst_is_taken() -> None:
    found = read(GOOD, GOOD.replace("GREEN", "RED").replace("< 0.1%", "0.1%").replace(",0,mta1", ",3,mta1"))
    assert found["192.0.2.1", "recipients"].number == 3780
    assert found["192.0.2.1", "trap_hits"].number == 3
    assert found["192.0.2.1", "filter_result"].said == "RED"
    assert not found["192.0.2.1", "complaint_rate"].below


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\xef\xbb\xbf"])
def test_day_without_lines_has_no_reading(body: bytes) -> None:
    assert day_file(body, DAY) == ([], [])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD.replace("192.0.2.1", "192.0.2"), "line 2: '192.0.2' does not appear to be an IPv4 or IPv6 address"),
        (GOOD.replace("GREEN", "BLUE"), "line 2: filter result 'BLUE': not one of GREEN, YELLOW, RED"),
        (GOOD.replace("< 0.1%", "low"), "line 2: complaint rate 'low': not a percentage"),
        (GOOD.replace("< 0.1%", "101%"), "line 2: complaint rate '101%': not a percentage"),
        (GOOD.replace("1890", "-1"), "line 2: recipients '-1': not a number"),
        ("192.0.2.1,GREEN", "line 2: 2 columns in place of 11 or more"),
    ],
)
def test_line_that_cannot_be_read_costs_itself_alone(line: str, said: str) -> None:
    found = day_file(f"{GOOD.replace('192.0.2.1', '192.0.2.9')}\r\n{line}\r\n".encode(), DAY)
    assert {each.resource for each in found.readings} == {"192.0.2.9"}
    assert found.faults == [f"SNDS data of 2026-11-27: {said}"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html>Sign in", "a web page in place of the data: is the key right?"),
        (b"\xff\xfe", "not UTF-8"),
        (b"nothing of the kind", "line 1: 1 columns in place of 11 or more"),
    ],
)
def test_what_is_no_such_file_is_an_error_that_says_so(body: bytes, said: str) -> None:
    with pytest.raises(AnswerError, match=f"SNDS data of 2026-11-27: {said}"):
        day_file(body, DAY)


NAMED = (
    "Ip Address,Activity period,RCPT commands,DATA commands,Message recipients,Filter result,Complaint rate,Trap hits"
)


@pytest.mark.parametrize(
    "body",
    [
        f"{NAMED}\n192.0.2.1,11/27/2026 1:00 AM,1895,1894,1890,GREEN,< 0.1%,0\n",
        '[{"ipAddress": "192.0.2.1", "messageRecipients": 1890, "filterResult": "Green", "complaintRate": "< 0.1%",'
        ' "trapHits": 0, "sampleHelo": null}]',
        '{"value": [{"IP Address": "192.0.2.1", "Message recipients": "1890", "Filter result": "GREEN",'
        ' "Complaint rate": "< 0.1%", "Spam trap hits": null}]}',
    ],
)
def test_the_same_day_with_names_says_the_same(body: str) -> None:
    assert read(body) == read(GOOD)


@pytest.mark.parametrize(
    "body",
    [
        "192.0.2.8,192.0.2.9,Yes,Blocked due to user complaints\r\n198.51.100.0,198.51.100.255,No,Junked\r\n",
        "First IP,Last IP,Blocked,Details\n192.0.2.8,192.0.2.9,True,Blocked due to user complaints\n",
        '[{"beginningIpAddress": "192.0.2.8", "endingIpAddress": "192.0.2.9", "blocked": true,'
        ' "reason": "Blocked due to user complaints"}]',
    ],
)
def test_each_address_of_a_blocked_range_has_a_reading(body: str) -> None:
    found = blocked_addresses(body.encode(), DAY)
    assert [(each.resource, each.measure, each.said, each.day) for each in found.readings] == [
        (address, "blocked", "Blocked due to user complaints", DAY) for address in ("192.0.2.8", "192.0.2.9")
    ]
    assert found.faults == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("192.0.2.9,192.0.2.8,Yes,x", "not a range of 1 to 1,024 addresses"),
        ("10.0.0.0,10.255.255.255,Yes,x", "not a range"),
        ("192.0.2.8,2001:db8::1,Yes,x", "not a range"),
        ("mx1,mx2,Yes,x", "First IP"),
    ],
)
def test_range_that_is_none_costs_itself_alone(line: str, said: str) -> None:
    found = blocked_addresses(f"First IP,Last IP,Blocked,Details\n192.0.2.1,,Yes,\n{line}\n".encode(), DAY)
    assert [(each.resource, each.said) for each in found.readings] == [("192.0.2.1", "blocked")]
    assert len(found.faults) == 1 and (said in found.faults[0] or "address" in found.faults[0])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"value": []}'])
def test_nothing_blocked_is_nothing(body: bytes) -> None:
    assert blocked_addresses(body, DAY) == ([], [])
