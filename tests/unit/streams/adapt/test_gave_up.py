"""Which last words mean that a message was given up after retries, and what the last reply was."""

import pytest

from streams.adapt.gave_up import LastReply, gave_up, last_reply

TIMED_OUT = "554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>"


@pytest.mark.parametrize(
    ("code", "status", "diagnostic", "expected"),
    [
        (554, "4.4.7", TIMED_OUT, True),
        (554, "5.4.7", "554 5.4.7 [internal] exceeded max time without delivery", True),
        (450, "4.2.1", "450 4.2.1 try later", True),
        (421, "", "421 slow down", True),
        (0, "4.0.0", "", True),
        (0, "", "Message expired", True),
        (0, "", "Too old", True),
        (0, "5.0.0", "retry timeout exceeded", True),
        (550, "", "550 message expired", True),
        (550, "5.4.300", "550 5.4.300 Message expired", True),
        (554, "5.0.0", "554 message expired (last error: 451 4.7.1 greylisted)", True),
        # A permanent reply decides, whatever its text says.
        (550, "5.1.1", "550 5.1.1 account expired", False),
        (550, "", "550 that account is expired", False),
        (550, "5.7.1", "550 5.7.1 too old a client", False),
        # The codes of the one status are of different opinions: the enhanced one takes precedence.
        (450, "5.1.1", "450 5.1.1 no such user", False),
        (0, "", "", False),
        (250, "2.0.0", "250 OK", False),
        (0, "", "account expired", False),
    ],
)
def test_last_word(code: int, status: str, diagnostic: str, *, expected: bool) -> None:
    assert gave_up(code, status, diagnostic) is expected


@pytest.mark.parametrize(
    ("diagnostic", "expected"),
    [
        (TIMED_OUT, LastReply(421, "4.4.2", "421 4.4.2 Connection timed out")),
        ("421 slow down", LastReply(421, "", "421 slow down")),
        ("host mx said: 450-4.2.1 The user", LastReply(450, "4.2.1", "450-4.2.1 The user")),
        ("<421 one> then <451 4.7.1 two>", LastReply(451, "4.7.1", "451 4.7.1 two")),
        ("unable to deliver in 420 minutes", LastReply()),
        ("550 5.1.1 none", LastReply()),
        ("", LastReply()),
    ],
)
def test_last_reply(diagnostic: str, expected: LastReply) -> None:
    assert last_reply(diagnostic) == expected


def test_long_text_is_read_in_bounded_time() -> None:
    gave_up(0, "", "message " * 200_000)
    last_reply("<" * 500_000)
