"""Dead letters as lines and objects: nothing in them steers a terminal or gets lost."""

import msgspec
import pytest

from api.text.dead_letters import as_line, as_object, described, outcome_line
from api.text.harmless import harmless
from jobs.resend.dead_letters import Letter, LetterReason, Replay
from jobs.resend.replay import ReplayOutcome

AT = 1_795_000_000_000
LETTER = Letter(
    topic="mail.events", source="mail.events:Xk1oQm:2", position=41, time_ms=AT, reason="field `customer` is missing",
    size=9, id="mail.events:Xk1oQm:2@41", short="0fa39c7108a7", replayed_ms=0, replayed_by="", masked="",
)  # fmt: skip
REPLAYED = msgspec.structs.replace(LETTER, replayed_ms=AT + 61_000, replayed_by="jane")


def test_line_of_a_letter_says_whether_it_was_replayed() -> None:
    assert as_line(LETTER) == "0fa39c7108a7  2026-11-18T11:06:40Z  mail.events  field `customer` is missing"
    assert as_line(REPLAYED) == as_line(LETTER) + "  (replayed 2026-11-18T11:07:41Z by jane)"


def test_line_of_a_reason_counts() -> None:
    reason = LetterReason(topic="t", reason="byte N", letters=12_034, replayed=3, last_ms=AT, example="0fa39c7108a7")
    assert as_line(reason) == "   12,034 x byte N  (t, last 2026-11-18T11:06:40Z 0fa39c7108a7, 3 replayed)"


def test_object_of_a_letter_holds_its_full_id_and_null_where_it_was_not_replayed() -> None:
    found = as_object(LETTER)
    assert (found["id"], found["offset"], found["replayed"], found["replayed_by"]) == (LETTER.id, 41, None, None)
    assert as_object(REPLAYED)["replayed"] == "2026-11-18T11:07:41Z"


def test_text_from_outside_cannot_steer_a_terminal() -> None:
    nasty = "\x1b[2Jred\r\n\x00\u202e"
    assert harmless(nasty) == r"\x1b[2Jred\r\n\x00\u202e"
    letter = msgspec.structs.replace(LETTER, reason=nasty, topic=nasty, replayed_ms=1, replayed_by=nasty)
    shown = [
        as_line(letter),
        outcome_line(ReplayOutcome(letter, "refused", nasty)),
        outcome_line(ReplayOutcome(letter, "sent")),
    ]
    shown += described(letter, [Replay(time_ms=AT, by=nasty, mended=True, forced=True)], nasty.encode())
    assert all(line.isprintable() for line in shown)


def test_description_shows_text_as_text_and_every_replay() -> None:
    history = [
        Replay(time_ms=AT, by="jane", mended=True, forced=False),
        Replay(time_ms=AT, by="joe", mended=False, forced=True),
    ]
    lines = described(LETTER, history, b'{"a":\n\t"\xc3\xa9"}')
    assert "topic      mail.events (id Xk1oQm), partition 2, offset 41" in lines
    assert "replayed   2026-11-18T11:06:40Z by jane, mended" in lines
    assert "replayed   2026-11-18T11:06:40Z by joe, forced" in lines
    assert lines[-3:] == ["payload    12 bytes:", '{"a":', '\t"é"}']


def test_description_shows_other_bytes_in_base64() -> None:
    assert described(LETTER, [], b"\xff\x00")[-3:] == [
        "replayed   never",
        "payload    2 bytes, not UTF-8, here in base64:",
        "/wA=",
    ]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (ReplayOutcome(LETTER, "sent"), "0fa39c7108a7  sent to mail.events"),
        (ReplayOutcome(LETTER, "refused", "why"), "0fa39c7108a7  not sent: why"),
        (
            ReplayOutcome(REPLAYED, "passed over"),
            "0fa39c7108a7  replayed before, 2026-11-18T11:07:41Z by jane; --force sends it again",
        ),
    ],
)
def test_every_outcome_has_its_line(outcome: ReplayOutcome, line: str) -> None:
    assert outcome_line(outcome) == line
