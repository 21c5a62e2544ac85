"""Refusals of the embedded broker, byte by byte as the Kafka protocol guide lays them out."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jobs.embedded.refusals import KINDS, WHY, MalformedRequestError, in_place_of, refusal

SAID = f"{len(WHY) + 1:02x}{WHY.encode().hex()}"

#: Kind, version and body of a request (after the client's name), and the body of the answer (after its number).
LAYOUTS = {
    "DeleteTopics by name and id": (
        (20, 6),
        "00 02 0261" + "11" * 16 + "00 00000001 00",
        "00 00000000 02 0261" + "11" * 16 + f"0049{SAID}00 00",
    ),
    "DeleteTopics": ((20, 1), "00000002 000161 000162 00000001", "00000000 00000002 000161 0049 000162 0049"),
    "DeleteRecords": (
        (21, 2),
        "00 02 0261 02 00000003 0000000000000009 00 00 00000001 00",
        "00 00000000 02 0261 02 00000003 ffffffffffffffff 002c 00 00 00",
    ),
    "DescribeAcls": ((29, 2), "00 02 00 03 00 00 02 03 00", f"00 00000000 0036 {SAID} 01 00"),
    "CreateAcls": (
        (30, 3),
        "00 02 02 0261 03 0262 0263 03 03 00 00",
        f"00 00000000 02 0036 {SAID} 00 00",
    ),
    "DeleteAcls": ((31, 3), "00 02 02 00 03 00 00 03 03 00 00", f"00 00000000 02 0036 {SAID} 01 00 00"),
    "AlterConfigs": (
        (33, 2),
        "00 02 02 0261 02 0262 00 00 00 00 00",
        f"00 00000000 02 002c {SAID} 02 0261 00 00",
    ),
    "CreatePartitions": (
        (37, 3),
        "00 02 0261 00000009 02 02 00000001 00 00 00000001 00 00",
        f"00 00000000 02 0261 002c {SAID} 00 00",
    ),
    "DeleteGroups": ((42, 2), "00 02 0261 00", "00 00000000 02 0261 002c 00 00"),
    "ElectLeaders of all": ((43, 2), "00 00 00 00000001 00", "00 00000000 0000 01 00"),
    "IncrementalAlterConfigs": (
        (44, 1),
        "00 02 02 0261 02 0262 00 0263 00 00 00 00",
        f"00 00000000 02 002c {SAID} 02 0261 00 00",
    ),
    "AlterPartitionReassignments": ((45, 0), "00 00000001 01 00", f"00 00000000 002c {SAID} 01 00"),
    "OffsetDelete": ((47, 0), "000161 00000000", "002c 00000000 00000000"),
    "AlterClientQuotas": (
        (49, 1),
        "00 02 02 0261 00 00 02 0262 7ff8000000000000 00 00 00 00 00",
        f"00 00000000 02 002c {SAID} 02 0261 00 00 00 00",
    ),
    "AlterUserScramCredentials": (
        (51, 0),
        "00 02 0261 01 00 02 0261 01 00001000 0262 0263 00 00",
        f"00 00000000 02 0261 0036 {SAID} 00 00",
    ),
}


def request(key: int, version: int, body: bytes) -> bytes:
    whole = key.to_bytes(2, "big") + version.to_bytes(2, "big") + b"\0\0\0\7" + b"\0\2me" + body
    return len(whole).to_bytes(4, "big") + whole


@pytest.mark.parametrize("name", LAYOUTS)
def test_refusal_is_laid_out_as_the_guide_says(name: str) -> None:
    (key, version), asked, answered = LAYOUTS[name]
    body = bytes.fromhex("00000007" + answered)
    assert refusal(request(key, version, bytes.fromhex(asked))) == len(body).to_bytes(4, "big") + body


def test_leaders_need_no_election_where_there_is_one_broker() -> None:
    asked = bytes.fromhex("00 00000001 000161 00000001 00000003 00000001")
    answer = refusal(request(43, 1, asked))
    assert answer[4:].startswith(bytes.fromhex("00000007 00000000 0000 00000001 000161 00000001 00000003 0054"))


@given(some.sampled_from(sorted(KINDS)), some.integers(0, 8), some.binary(max_size=200))
def test_any_bytes_are_refused_or_no_request(key: int, version: int, body: bytes) -> None:
    whole = request(key, version, body)
    try:
        answer = refusal(whole)
    except MalformedRequestError:
        return
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4
    assert answer[4:8] == whole[8:12]


def test_request_in_its_place_has_its_number() -> None:
    assert in_place_of(request(20, 6, b"")) == bytes.fromhex("0000000a 0012 0000 00000007 ffff")
