"""Lines that Docker and Kubernetes cut in pieces."""

import json
from copy import deepcopy

import pytest

from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, file_adapter, ordered_adapter
from streams.adapt.long_lines import LongLines
from streams.adapt.syslog import container_text

PIECE = 16 * 1024
#: Of 40 KB, with a letter of two bytes on the first cut.
LONG = f"2025-03-03 10:11:12 {'x' * (PIECE - 21)}é{'y' * 24_000} end"
CONTEXT = Context(b"a key", load_providers(), {"postfix": FormatOptions(), "exim": FormatOptions()}, clock=lambda: 0)


def test_lines_that_kubernetes_wrote_in_pieces_are_joined_by_stream() -> None:
    lines = LongLines()
    at = "2025-03-03T10:11:12.1Z"
    written = [f"{at} stdout P one ", f"{at} stderr F other", f"{at} stdout P two ", f"{at} stdout F three", "four"]
    assert [lines.whole(each) for each in written] == [
        None,
        f"{at} stderr F other",
        None,
        f"{at} stdout F one two three",
        "four",
    ]


def pieces(text: str, *, end: str = "\n", **more: str) -> list[str]:
    """As Docker writes them: cut at bytes, whatever letter is there."""
    raw, made = text.encode(), []
    for begin in range(0, len(raw), PIECE):
        last = begin + PIECE >= len(raw)
        log = raw[begin : begin + PIECE].decode("utf-8", "replace") + (end if last else "")
        made.append(json.dumps({"log": log, "stream": "stdout", "time": "2025-03-03T10:11:12.1Z", **more}))
    return made


def joined(records: list[str]) -> list[str]:
    lines = LongLines()
    return [container_text(found) for each in records if (found := lines.whole(each)) is not None]


def test_record_of_docker_is_joined_with_the_next_ones_of_its_stream() -> None:
    first, second, third = pieces(LONG)
    other = json.dumps({"log": "another\n", "stream": "stderr", "time": "2025-03-03T10:11:12.1Z"})
    found = joined([first, other, second, third, "no JSON", other])
    assert [each[-30:] for each in found] == ["another", LONG[-30:], "no JSON", "another"]
    assert len(found[1]) == len(LONG) + 1  # The letter that was cut is two that are none.


def test_record_without_line_end_is_whole_where_it_is_not_as_long_as_a_piece() -> None:
    """What passes records on may take all line ends, and a program may end without one."""
    records = [json.dumps({"log": text, "stream": "stdout", "time": "t"}) for text in ("one", "x" * 15_000, "three")]
    assert [len(each) for each in joined(records)] == [3, 15_000, 5]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"partial_message": "true", "partial_last": "false"}, {"partial_message": "true", "partial_last": "true"}),
        ({"partial_message": True}, {}),
    ],
)
def test_pieces_that_say_so_are_joined(first: dict[str, object], last: dict[str, object]) -> None:
    fluentd = [{"log": "one ", "source": "stdout", **first}, {"log": "two", "source": "stdout", **last}]
    journal = [
        {"MESSAGE": "one ", "CONTAINER_ID_FULL": "c", "CONTAINER_PARTIAL_MESSAGE": "true", "CONTAINER_PARTIAL_ID": "7"},
        {"MESSAGE": "other", "CONTAINER_ID_FULL": "d"},
        {"MESSAGE": "two", "CONTAINER_ID_FULL": "c", "CONTAINER_PARTIAL_LAST": "true", "CONTAINER_PARTIAL_ID": "7"},
    ]
    assert joined([json.dumps(each) for each in fluentd]) == ["one two"]
    assert joined([json.dumps(each) for each in journal]) == ["other", "one two"]


POSTFIX = [
    "Mar  3 10:11:12 mx1 postfix/qmgr[7]: 4XbcdFghjkz1: from=<b@acme.example>, size=9, nrcpt=1 (queue active)",
    "Mar  3 10:11:12 mx1 postfix/smtp[7]: 4XbcdFghjkz1: to=<iris@gmail.com>, relay=a.example[192.0.2.9]:25, delay=1, "
    f"dsn=5.1.1, status=bounced (host a.example[192.0.2.9] said: 550 5.1.1 {'no ' * 8_000}such user)",
]
EXIM = [
    "2025-03-03 10:11:12 1tp4Wl-00000000Ab1-0xYz <= b@acme.example H=a [192.0.2.9] P=esmtpsa A=login:acme S=9",
    "2025-03-03 10:11:12 1tp4Wl-00000000Ab1-0xYz ** iris@gmail.com R=out T=smtp H=a.example [192.0.2.9]: SMTP error "
    f"from remote mail server after RCPT TO:<iris@gmail.com>: 550 5.1.1 {'no ' * 8_000}such user",
]


@pytest.mark.parametrize(("name", "written"), [("postfix", POSTFIX), ("exim", EXIM)])
def test_reply_of_many_kilobytes_is_read_also_across_a_restart(name: str, written: list[str]) -> None:
    records = [each for line in written for each in pieces(line)]
    assert len(records) > len(written)
    adapt = file_adapter(name)
    (event,) = [event for each in records for event in adapt(each.encode(), CONTEXT)]
    assert (event.type, event.enhanced_status, event.provider) == ("bounced", "5.1.1", "gmail")
    first, after = ordered_adapter(name), ordered_adapter(name)
    assert first is not None and after is not None
    assert [found for each in records[:-1] for found in first.adapt(each.encode(), CONTEXT)] == []
    after.memory = deepcopy(first.memory)
    assert after.adapt(records[-1].encode(), CONTEXT) == [event]
