"""Dead letters in the store: listed, summed up, found by id, sent again once each, recorded once acknowledged."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.dead_letters import os_user
from api.cli.main import app
from jobs.resend import dead_letters
from jobs.resend.dead_letters import (
    Chosen,
    DeadLetterError,
    Letter,
    Replay,
    letter_named,
    newest,
    oldest_first,
    payloads,
    summary,
)
from jobs.resend.replay import CHUNK_LETTERS, Reader, Replayer
from schemas import providers, topics
from schemas.settings import ClickHouse, Ingest, Kafka, Settings, SettingsError
from streams.adapt import Context
from streams.io.broker import BrokerError
from streams.io.store import Store, StoreError

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW = 1_795_000_000_000
SOURCE = "mail.events:Xk1oQm5pTzeyP0a2bA3kdw:0"
MISSING = "field `customer` is missing"
_ticks = itertools.count()


def put(store: Store, position: int, payload: bytes = b"{}", **changes: object) -> str:
    """Store one dead letter; its id."""
    row = {
        "topic": topics.MAIL_EVENTS, "source": SOURCE, "position": position, "time": NOW + position, "reason": MISSING,
        "payload": payload, **changes,
    }  # fmt: skip
    row["time"] = datetime.fromtimestamp(int(str(row["time"])) / 1000, UTC)
    store.insert("dead_letters", {name: [value] for name, value in row.items()})
    return f"{row['source']}@{position}"


def readable(name: str) -> bytes:
    return msgspec.json.encode({"id": name, "type": "delivered", "time": NOW, "customer": name})


class Recorder:
    """A broker that keeps what it takes; it refuses the values in `bad`, and answers nothing when `silent`."""

    def __init__(self, *bad: bytes, silent: bool = False) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.bad = set(bad)
        self.silent = silent
        self.waiting: list[Callable[[], None]] = []

    def partitions(self, topic: str) -> int:
        if topic != topics.MAIL_EVENTS:
            raise BrokerError(f"there is no topic {topic}")
        return 1

    def publish(self, topic: str, key: bytes, value: bytes, *, done: Callable[[str], None]) -> None:
        self.sent.append((topic, key, value))
        self.waiting.append(lambda: done("too large" if value in self.bad else ""))

    def flush(self) -> None:
        if self.silent:
            raise BrokerError("no answer")
        for answer in self.waiting:
            answer()
        self.waiting.clear()


def replayer(
    store: Store, broker: Recorder, *, again: bool = False, force: bool = False, mended: bytes | None = None
) -> Replayer:
    reader = Reader(Ingest(), Context(b"key", providers.load_providers()))
    return Replayer(
        store, broker, reader, "jane", lambda: NOW + next(_ticks), again=again or force, force=force, mended=mended
    )


def results(found: Replayer, *letters: Letter) -> list[tuple[str, str]]:
    return [(each.what, each.why) for each in found.run(letters)]


def test_letters_come_newest_first_and_a_repeated_one_once(store: Store) -> None:
    for position in (1, 3, 2, 3):
        put(store, position)
    assert [each.position for each in newest(store, Chosen(), 10)] == [3, 2, 1]
    assert [each.position for each in newest(store, Chosen(), 2)] == [3, 2]


def test_letters_are_chosen_by_topic_reason_and_time(store: Store) -> None:
    put(store, 1)
    put(store, 2, topic="hooks", source="hooks:y:0")
    put(store, 3, reason="field `time`: lies 1,234.5 hours in the future; 24.0 hours are allowed")
    assert [each.position for each in newest(store, Chosen(topic="hooks"), 10)] == [2]
    assert [each.position for each in newest(store, Chosen(reason="`customer`"), 10)] == [2, 1]
    assert [each.position for each in newest(store, Chosen(reason="lies 1,234.5 hours"), 10)] == [3]
    assert [each.position for each in newest(store, Chosen(reason="lies N hours"), 10)] == [3]
    assert [each.position for each in newest(store, Chosen(since_ms=NOW + 2), 10)] == [3, 2]


def test_summary_counts_reasons_that_differ_only_in_numbers_together(store: Store) -> None:
    for position in range(5):
        put(store, position, reason=f"the message has 1,{position:03},000 bytes; the limit is 1,000,000")
    letters = [put(store, position) for position in (10, 11)]
    list(replayer(store, Recorder(), force=True).run([letter_named(store, letters[0])]))
    first, second = summary(store, Chosen(), 10)
    assert (first.reason, first.letters, first.replayed) == ("the message has N bytes; the limit is N", 5, 0)
    assert (second.reason, second.letters, second.replayed, second.last_ms) == (MISSING, 2, 1, NOW + 11)
    assert second.example == letter_named(store, letters[1]).short


@pytest.mark.parametrize(
    ("reason", "masked"),
    [
        ("the message is not UTF-8 text (byte 12)", "the message is not UTF-8 text (byte N)"),
        ("12 of -3.5, 1,000 and 4", "N of N, N and N"),
        ("`a`: the control character U+202E, then U+FEFF 3", "`a`: the control character U+N, then U+N N"),
        ("field `tag2`: x_1 at 2026-01-02, 2026-01-02T10:00:00.5Z", "field `tag2`: x_1 at N, NZ"),
    ],
)
def test_numbers_are_masked_and_names_are_not(store: Store, reason: str, masked: str) -> None:
    put(store, 1, reason=reason)
    assert summary(store, Chosen(), 1)[0].reason == masked


def test_letter_is_named_by_id_short_id_or_an_unmistakable_start(store: Store) -> None:
    wanted = put(store, 41)
    put(store, 410)
    put(store, 5, source="mail.events:Abcdef:0")
    letter = letter_named(store, wanted)
    assert letter.id == wanted, "the full id, though another id begins with it"
    assert letter_named(store, letter.short) == letter_named(store, letter.short[:6].upper()) == letter
    assert letter_named(store, "mail.events:Abc").position == 5


def test_name_that_means_none_or_several_letters_is_refused(store: Store) -> None:
    ids = [put(store, position) for position in (41, 42)]
    with pytest.raises(DeadLetterError, match="there is no dead letter beefbeefbeef"):
        letter_named(store, "beefbeefbeef")
    with pytest.raises(DeadLetterError, match="at least 4 characters"):
        letter_named(store, "")
    with pytest.raises(DeadLetterError, match="more than one") as caught:
        letter_named(store, "mail.events:Xk")
    assert all(letter_named(store, each).short in str(caught.value) for each in ids)


@pytest.mark.parametrize("payload", [b"", b"\xff\x00\xfe", bytes(range(256)) * 3, "é".encode(), b"a\r\n\tb\\'\x00"])
def test_payload_comes_back_byte_by_byte(store: Store, payload: bytes) -> None:
    name = put(store, 1, payload)
    put(store, 2, b"another")
    assert payloads(store, [letter_named(store, name)]) == {name: payload}


def test_payloads_are_those_of_the_letters_asked_for(store: Store) -> None:
    other = "mail.events:z:1"
    wanted = {put(store, 1, b"a"): b"a", put(store, 2, b"b", source=other): b"b"}
    put(store, 2, b"c")
    put(store, 1, b"d", source=other)
    assert payloads(store, [letter_named(store, each) for each in wanted]) == wanted


def test_all_letters_come_in_their_order_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "PAGE", 2)
    for position in range(5):
        put(store, position, time=NOW + position // 2)
        put(store, position, source="mail.events:z:1", time=NOW + position // 2)
    put(store, 99, time=NOW + 1000)
    found = [
        (each.time_ms, each.source, each.position) for each in oldest_first(store, Chosen(), NOW + 10, again=False)
    ]
    assert len(found) == 10
    assert found == sorted(found)


def test_replayed_letter_is_no_longer_among_all_unless_asked_for_again(store: Store) -> None:
    letter = letter_named(store, put(store, 1, readable("a")))
    put(store, 2)
    assert results(replayer(store, Recorder()), letter) == [("sent", "")]
    assert [each.position for each in oldest_first(store, Chosen(), NOW + 10, again=False)] == [2]
    assert [each.position for each in oldest_first(store, Chosen(), NOW + 10, again=True)] == [1, 2]


def test_letter_is_sent_with_its_bytes_and_its_customer_as_key_and_recorded(store: Store) -> None:
    letter = letter_named(store, put(store, 1, readable("acme")))
    broker = Recorder()
    assert results(replayer(store, broker), letter) == [("sent", "")]
    assert broker.sent == [(topics.MAIL_EVENTS, b"acme", readable("acme"))]
    recorded = letter_named(store, letter.id)
    assert recorded.replayed_ms >= NOW
    assert recorded.replayed_by == "jane"
    assert dead_letters.replays(store, letter) == [
        Replay(time_ms=recorded.replayed_ms, by="jane", mended=False, forced=False)
    ]


def test_letter_that_cannot_be_read_is_refused_with_the_reason_unless_forced(store: Store) -> None:
    letter = letter_named(store, put(store, 1, b"\xff"))
    broker = Recorder()
    assert results(replayer(store, broker), letter) == [("refused", "the message is not UTF-8 text (byte 0)")]
    assert (broker.sent, letter_named(store, letter.id).replayed_ms) == ([], 0)
    assert results(replayer(store, broker, force=True), letter) == [("sent", "")]
    assert broker.sent == [(topics.MAIL_EVENTS, letter.id.encode(), b"\xff")]
    assert dead_letters.replays(store, letter)[0].forced


def test_mended_bytes_are_sent_in_place_of_the_letters_own(store: Store) -> None:
    letter = letter_named(store, put(store, 1, b"\xff"))
    broker = Recorder()
    assert results(replayer(store, broker, mended=b"{}"), letter)[0][0] == "refused"
    assert results(replayer(store, broker, mended=readable("acme")), letter) == [("sent", "")]
    assert broker.sent == [(topics.MAIL_EVENTS, b"acme", readable("acme"))]
    assert dead_letters.replays(store, letter)[0].mended


def test_replayed_letter_is_passed_over_unless_forced(store: Store) -> None:
    name = put(store, 1, readable("acme"))
    broker = Recorder()
    for force, wanted in ((False, "sent"), (False, "passed over"), (True, "sent")):
        assert results(replayer(store, broker, force=force), letter_named(store, name))[0][0] == wanted
    assert len(broker.sent) == len(dead_letters.replays(store, letter_named(store, name))) == 2


def test_replayed_letter_that_cannot_be_read_is_not_sent_once_more(store: Store) -> None:
    letter = letter_named(store, put(store, 1, b"\xff"))
    broker = Recorder()
    assert results(replayer(store, broker, mended=readable("acme")), letter) == [("sent", "")]
    sent = letter_named(store, letter.id)
    why = "the message is not UTF-8 text (byte 0)"
    assert results(replayer(store, broker, again=True), sent) == [("refused", why)]
    assert len(broker.sent) == 1


def test_letter_that_the_broker_refuses_is_not_recorded_and_the_others_are(store: Store) -> None:
    letters = [letter_named(store, put(store, number, readable(f"c{number}"))) for number in range(3)]
    found = results(replayer(store, Recorder(readable("c1"))), *letters)
    assert found == [("sent", ""), ("refused", "too large"), ("sent", "")]
    assert [letter_named(store, each.id).replayed_ms > 0 for each in letters] == [True, False, True]


def test_letter_that_is_not_acknowledged_is_not_recorded(store: Store) -> None:
    letter = letter_named(store, put(store, 1, readable("acme")))
    outcomes = replayer(store, Recorder(silent=True)).run([letter])
    first = next(outcomes)
    assert (first.what, first.why) == ("refused", "it was not acknowledged in time")
    with pytest.raises(BrokerError):
        next(outcomes)
    assert letter_named(store, letter.id).replayed_ms == 0


def test_store_that_fails_after_the_broker_took_letters_says_so(store: Store) -> None:
    letter = letter_named(store, put(store, 1, readable("acme")))
    store.run("DROP TABLE dead_letter_replays SYNC")
    with pytest.raises(StoreError, match="1 dead letters were sent, but not recorded as replayed"):
        list(replayer(store, Recorder()).run([letter]))


def test_letter_of_a_topic_that_is_gone_is_refused(store: Store) -> None:
    letter = letter_named(store, put(store, 1, topic="old", source="old:x:0"))
    assert results(replayer(store, Recorder(), force=True), letter) == [("refused", "there is no topic old")]


def test_letter_that_has_expired_meanwhile_is_refused(store: Store) -> None:
    letter = letter_named(store, put(store, 1, readable("acme")))
    store.run("TRUNCATE TABLE dead_letters")
    assert results(replayer(store, Recorder()), letter) == [("refused", "it is no longer stored")]


def test_many_letters_are_sent_once_each_in_order(store: Store) -> None:
    count = 2 * CHUNK_LETTERS + 1
    rows = range(count)
    store.insert(
        "dead_letters",
        {
            "topic": [topics.MAIL_EVENTS] * count,
            "source": [SOURCE] * count,
            "position": list(rows),
            "time": [datetime.fromtimestamp(NOW / 1000 + number, UTC) for number in rows],
            "reason": [MISSING] * count,
            "payload": [readable(f"c{number}") for number in rows],
        },
    )
    broker = Recorder()
    letters = list(oldest_first(store, Chosen(), NOW + count * 1000, again=False))
    assert {what for what, _ in results(replayer(store, broker), *letters)} == {"sent"}
    assert [key for _, key, _ in broker.sent] == [b"c%d" % number for number in rows]
    assert not list(oldest_first(store, Chosen(), NOW + count * 1000, again=False))


Cli = Callable[..., tuple[int, bytes]]


def cli_of(settings: Settings) -> Cli:
    """Runs `repmon dead-letters ...`; exit code and standard output."""

    def run(*words: str) -> tuple[int, bytes]:
        result = CliRunner().invoke(app, ["dead-letters", *words], obj=lambda: settings)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout_bytes

    return run


@pytest.fixture
def cli(store_settings: ClickHouse) -> Cli:
    return cli_of(Settings(clickhouse=store_settings))


def test_list_shows_lines_objects_and_the_summary(store: Store, cli: Cli) -> None:
    wanted = put(store, 41)
    put(store, 42, reason="the message is empty")
    _, text = cli("list", "--reason", "customer")
    short = letter_named(store, wanted).short
    assert text.decode().split() == [short, "2026-11-18T11:06:40Z", "mail.events", *MISSING.split()]
    _, lines = cli("list", "--json")
    assert [msgspec.json.decode(line)["offset"] for line in lines.splitlines()] == [42, 41]
    _, lines = cli("list", "--summary", "--json", "--since", "9999d")
    assert [msgspec.json.decode(line)["letters"] for line in lines.splitlines()] == [1, 1]
    assert cli("list", "--topic", "none") == (0, b"")


def test_show_writes_the_original_bytes_and_nothing_else(store: Store, cli: Cli) -> None:
    payload = bytes(range(256))
    name = put(store, 41, payload)
    assert cli("show", name, "--payload") == (0, payload)
    assert b"not UTF-8" in cli("show", letter_named(store, name).short)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either ids of dead letters or --all"),
        (("abcd", "--all"), "either ids of dead letters or --all"),
        (("abcd", "--topic", "t"), "choose letters of --all"),
        (("--all", "--with", "file"), "--with takes the id of one"),
        (("abcd", "abce", "--with", "file"), "--with takes the id of one"),
        (("abcd", "--with", "/nowhere/file"), "/nowhere/file: cannot be read: No such file"),
        (("--all", "--since", "soon"), "--since: 'soon' is not a duration"),
    ],
)
def test_unclear_request_to_replay_is_refused_before_anything_is_reached(words: tuple[str, ...], said: str) -> None:
    nowhere = Settings(clickhouse=ClickHouse(url="http://127.0.0.1:1"), kafka=Kafka(bootstrap="127.0.0.1:1"))
    with pytest.raises(SettingsError, match=said):
        cli_of(nowhere)("replay", *words)


def test_who_replays_is_the_user_of_the_system() -> None:
    assert os_user()
