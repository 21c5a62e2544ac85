"""Sessions end by themselves, and a link signs in once. Times are ms."""

from api.console.sessions import LINK_MS, MOST, Sessions
from api.http.keys import KeyOwner

IDLE, LONGEST = 1_000, 5_000
OWNER = KeyOwner(id="k1", customer="", label="Ida")


def _sessions(clock: list[int]) -> Sessions:
    return Sessions(lambda: clock[0], IDLE, LONGEST)


def test_session_is_found_by_its_token_alone() -> None:
    sessions = _sessions([0])
    token = sessions.begin(OWNER, "hash")

    found = sessions.find(token)

    assert found is not None
    assert found.owner == OWNER
    assert sessions.find(token[:-1]) is None
    assert sessions.find("") is None


def test_session_ends_without_use() -> None:
    clock = [0]
    sessions = _sessions(clock)
    token = sessions.begin(OWNER, "")
    clock[0] = IDLE - 1
    assert sessions.find(token)
    clock[0] = 2 * IDLE - 2
    assert sessions.find(token)
    clock[0] = 3 * IDLE - 2
    assert sessions.find(token) is None


def test_what_a_page_asks_for_by_itself_is_no_use() -> None:
    clock = [0]
    sessions = _sessions(clock)
    token = sessions.begin(OWNER, "")
    clock[0] = IDLE - 1
    assert sessions.find(token, used=False)
    clock[0] = IDLE
    assert sessions.find(token) is None


def test_session_ends_however_much_it_is_used() -> None:
    clock = [0]
    sessions = _sessions(clock)
    token = sessions.begin(OWNER, "")
    for clock[0] in range(0, LONGEST, IDLE // 2):
        assert sessions.find(token)
    clock[0] = LONGEST
    assert sessions.find(token) is None


def test_who_signs_out_is_out() -> None:
    sessions = _sessions([0])
    token, other = sessions.begin(OWNER, ""), sessions.begin(OWNER, "")
    sessions.end(token)
    assert sessions.find(token) is None
    assert sessions.find(other)


def test_link_signs_in_once() -> None:
    sessions = _sessions([0])
    link = sessions.link()
    token = sessions.follow(link)
    assert token is not None
    assert sessions.find(token)
    assert sessions.follow(link) is None
    assert sessions.follow("") is None


def test_link_is_good_for_a_day() -> None:
    clock = [0]
    sessions = _sessions(clock)
    link = sessions.link()
    clock[0] = LINK_MS
    assert sessions.follow(link) is None


def test_sessions_are_bounded() -> None:
    sessions = _sessions([0])
    first = sessions.begin(OWNER, "")
    for _ in range(MOST):
        sessions.begin(OWNER, "")
    assert sessions.find(first) is None


def test_all_sessions_of_a_key_end_with_it() -> None:
    sessions = _sessions([0])
    mine = [sessions.begin(OWNER, "revoked") for _ in range(2)]
    other = sessions.begin(OWNER, "good")
    sessions.end_key("revoked")
    assert [sessions.find(token) for token in mine] == [None, None]
    assert sessions.find(other)
