"""What is remembered of a log is kept in a file from which nothing but our own plain classes is made: all that a format
remembers must come back from it."""

from pathlib import Path

import pytest

from jobs.follow.state import FollowStore
from schemas.providers import load_providers
from streams.adapt import Context, ordered_adapter

NOW_MS = 1_796_040_000_000
HEAD = "Nov 30 09:00:01 mx1 postfix"
TRIED = "relay=mx.example.org[192.0.2.4]:25, delay=1, delays=0/0/0/1"
#: Lines that fill the memory of a format, one that is about them, and the code and text of its event.
LOGS = {
    "postfix": (
        [
            f"{HEAD}/smtpd[1]: 4ABCDEF123: client=app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme",
            f"{HEAD}/cleanup[1]: 4ABCDEF123: message-id=<1@acme.example>",
            f"{HEAD}/qmgr[1]: 4ABCDEF123: from=<news@acme.example>, size=100, nrcpt=2 (queue active)",
            f"{HEAD}/smtp[1]: 4ABCDEF123: to=<a@example.org>, {TRIED}, dsn=2.0.0, status=sent (250 ok)",
            f"{HEAD}/smtp[1]: 4ABCDEF123: to=<b@example.org>, {TRIED}, dsn=4.2.2, status=deferred (452 4.2.2 full)",
        ],
        f"{HEAD}/qmgr[1]: 4ABCDEF123: from=<news@acme.example>, status=expired, returned to sender",
        (452, "452 4.2.2 full"),
    ),
    "kumomta": (
        [
            '{"type":"TransientFailure","id":"m1","sender":"news@acme.example","recipient":"b@example.org",'
            '"queue":"acme@example.org","timestamp":1796039000,"response":{"code":452,"content":"4.2.2 full"},'
            '"peer_address":{"name":"mx.example.org"}}'
        ],
        '{"type":"Expiration","id":"m1","sender":"news@acme.example","recipient":"b@example.org",'
        '"queue":"acme@example.org","timestamp":1796039900,"response":{"code":551,"content":"too long in the queue"}}',
        (452, "4.2.2 full"),
    ),
}


@pytest.mark.parametrize("format_name", LOGS)
def test_memory_of_a_log_is_read_back_whole(tmp_path: Path, format_name: str) -> None:
    lines, last, expected = LOGS[format_name]
    context = Context(b"a key", load_providers(), clock=lambda: NOW_MS)
    before, after = ordered_adapter(format_name), ordered_adapter(format_name)
    assert before is not None
    assert after is not None
    for line in lines:
        before.adapt(line.encode(), context)
    store = FollowStore(tmp_path, tmp_path / "log", format_name)
    store.keep_memory((), before.memory)

    kept = store.memory()

    store.close()
    assert kept is not None
    after.memory = kept[1]
    (event,) = after.adapt(last.encode(), context)
    assert (event.type, event.customer, event.smtp_code, event.diagnostic) == ("expired", "acme", *expected)
