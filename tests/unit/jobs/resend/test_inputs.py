"""Files, folders, patterns and Maildirs: which are read, in which order, with what memory."""

import gzip
import io
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.resend.inputs import find_inputs, first_ms
from jobs.resend.read_inputs import InputsReader, ReadInput
from schemas.event import MailEvent
from schemas.providers import load_providers
from schemas.settings import SettingsError
from streams.adapt import Context
from tests.support.mails import report

NOW_MS = round(datetime(2026, 9, 2, 12, tzinfo=UTC).timestamp() * 1000)
CONTEXT = Context(hash_key=b"a key", providers=load_providers(), clock=lambda: NOW_MS)
LOGIN = "{} mx1 postfix/smtpd[7]: {}: client=app[192.0.2.9], sasl_method=PLAIN, sasl_username={}"
FROM = "{} mx1 postfix/qmgr[9]: {}: from=<b@acme.example>, size=9, nrcpt=1 (queue active)"
SENT = "{} mx1 postfix/smtp[8]: {}: to=<a@b.example>, relay=mx[192.0.2.1]:25, dsn=2.0.0, status=sent (250 ok)"


def log(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def complaint(number: int) -> bytes:
    return report("feedback-report", f"Feedback-Type: abuse\nOriginal-Rcpt-To: a{number}@gmail.com\n")


def read(words: list[str], format_name: str) -> tuple[list[MailEvent], list[ReadInput]]:
    done: list[ReadInput] = []
    reader = InputsReader(find_inputs(words, format_name, CONTEXT), format_name, CONTEXT, lambda *_: None, done.append)
    return [each for each in reader.events() if isinstance(each, MailEvent)], done


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """Three days of a log, of which the one in the middle is packed, under names that say nothing of their order."""
    (tmp_path / "maillog").write_bytes(log(SENT.format("Sep  2 00:05:00", "BB22CC33D1")))
    middle = log(LOGIN.format("Sep  1 23:59:00", "BB22CC33D1", "acme"), FROM.format("Sep  1 23:59:00", "BB22CC33D1"),
                 SENT.format("Sep  1 00:10:00", "AA22CC33D1"))  # fmt: skip
    (tmp_path / "maillog.1").write_bytes(gzip.compress(middle))
    first = log(LOGIN.format("Aug 31 23:00:00", "AA22CC33D1", "larkspur"), FROM.format("Aug 31 23:00:00", "AA22CC33D1"))
    (tmp_path / "a-maillog-20260901").write_bytes(first)
    return tmp_path


@pytest.mark.parametrize("words", [["{}"], ["{}/*maillog*"], ["{}/maillog", "{}/maillog.1", "{}/a-maillog-20260901"]])
def test_logs_are_read_in_order_of_time_with_one_memory(rotated: Path, words: list[str]) -> None:
    events, done = read([each.format(rotated) for each in words], "postfix")
    assert [Path(each.name).name for each in done] == ["a-maillog-20260901", "maillog.1", "maillog"]
    assert [each.customer for each in events] == ["larkspur", "acme"]


def test_file_that_is_named_twice_is_read_once(rotated: Path) -> None:
    _, done = read([str(rotated), f"{rotated}/maillog*"], "postfix")
    assert len(done) == 3


def test_file_without_a_time_is_as_old_as_its_last_change(rotated: Path) -> None:
    (rotated / "empty").touch()
    os.utime(rotated / "empty", (0, 0))
    _, done = read([str(rotated)], "postfix")
    assert Path(done[0].name).name == "empty"


@pytest.mark.parametrize(
    ("format_name", "head", "found"),
    [
        ("postfix", b"no log\nSep  1 00:00:01 mx1 postfix/qmgr[9]: A: removed\n", "2026-09-01T00:00:01"),
        ("exim", b"2026-09-01 00:00:01 1wMPOq-000000000ZX-0ckI Completed\n", "2026-09-01T00:00:01"),
        ("exim", b"2026-09-01 02:00:01.123 +0200 [77] Start queue run\n", "2026-09-01T00:00:01.123"),
        ("exim", b"mx-0 exim 2026-09-01 00:00:01 1wMPOq-000000000ZX-0ckI Completed\n", "2026-09-01T00:00:01"),
        ("exim", b"exim-1  | 2026-09-01 00:00:01 1wMPOq-000000000ZX-0ckI Completed\n", "2026-09-01T00:00:01"),
        (
            "sendgrid",
            b'[{"event": "delivered", "timestamp": 1756684801, "email": "a@b.example", "sg_event_id": "e"}]',
            "2025-09-01T00:00:01",
        ),
        ("canonical", b"oops\n", None),
    ],
)
def test_first_time_of_a_log(format_name: str, head: bytes, found: str | None) -> None:
    expected = found and round(datetime.fromisoformat(found).replace(tzinfo=UTC).timestamp() * 1000)
    assert first_ms(head, format_name, CONTEXT) == expected


def maildir(folder: Path) -> Path:
    for number, part in enumerate(["new", "cur", "tmp"]):
        (folder / "Maildir" / part).mkdir(parents=True)
        (folder / "Maildir" / part / f"17566848{number}.M1P2.mx1").write_bytes(complaint(number))
    return folder / "Maildir"


def test_maildir_has_the_mails_of_new_and_cur(tmp_path: Path) -> None:
    events, done = read([str(maildir(tmp_path))], "arf")
    assert (len(events), len(done), done[0].events) == (2, 1, 2)


def test_bad_mail_of_a_maildir_has_its_name_for_a_place(tmp_path: Path) -> None:
    folder = maildir(tmp_path)
    (folder / "new" / "17566849.M1P2.mx1").write_bytes(report("feedback-report", "Feedback-Type: abuse\n", original=""))
    events, done = read([str(folder)], "arf")
    assert len(events) == 2
    assert [each.split(":")[0] for each in done[0].bad.lines()] == ["mail new/17566849.M1P2.mx1"]


def test_mail_of_a_maildir_is_one_mail_whatever_it_begins_with(tmp_path: Path) -> None:
    folder = maildir(tmp_path)
    first = b"From a@b.example Mon Mar  3 09:11:12 2025\n"
    inner = b"\n".join([b"From: x@y.example", b"", b"text", b"", first + complaint(7)])
    (folder / "new" / "17566849.M1P2.mx1").write_bytes(first + inner)
    for words in ([str(folder)], [f"{folder}/new/*", f"{folder}/cur/*"], [str(folder.parent)]):
        assert len(read(words, "arf")[0]) == 2


def test_maildirs_below_a_folder_have_mails_alone(tmp_path: Path) -> None:
    (maildir(tmp_path / "ida") / "dovecot-uidlist").write_bytes(b"3 V1 N9\n")
    events, done = read([str(tmp_path)], "arf")
    assert (len(events), done[0].bad.count) == (2, 0)


def test_mail_without_a_date_is_of_when_it_was_put_there(tmp_path: Path) -> None:
    """A Maildir tells it in the name of a mail, else when the file was written; a mailbox file in its first line."""
    first = b"From a@b.example Mon Mar  3 09:11:12 2025\n"
    undated = [complaint(number).replace(b"Date: Mon, 3 Mar 2025", b"X-Was: Mon, 3 Mar 2025") for number in range(3)]
    for part in ("new", "cur", "tmp"):
        (tmp_path / part).mkdir()
    (tmp_path / "new" / "1740993072.M1P2.mx1").write_bytes(undated[0])
    other = tmp_path / "cur" / "mail-7:2,S"
    other.write_bytes(undated[1])
    os.utime(other, (1_740_993_000, 1_740_993_000))
    (tmp_path / "mbox").write_bytes(first + undated[2])
    events = read([str(tmp_path), str(tmp_path / "mbox")], "arf")[0]
    assert sorted(each.time_ms for each in events) == [1_740_993_000_000, 1_740_993_072_000, 1_740_993_072_000]
    (tmp_path / "one.eml").write_bytes(undated[0])
    (bad,) = read([str(tmp_path / "one.eml")], "arf")[1][0].bad.lines()
    assert "no date that can be read" in bad, "when a file was written says nothing of one that was copied"


@pytest.mark.parametrize("form", ["[{0},{1},{2}]", "{0}\n{1}\n{2}\n", "{0}{1}{2}", "\n {0}\r\n{1}\r\n{2}\r\n\r\n"])
def test_file_of_xarf_reports_is_read_one_by_one(tmp_path: Path, form: str) -> None:
    """A bad one costs itself alone."""
    known = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "protocol": "smtp"}
    told = {**known, "timestamp": "2026-09-01T10:00:00Z", "smtp_from": "b@acme.example", "smtp_to": "iris@yahoo.com"}
    reports = [{**told, "report_id": "1"}, {**told, "timestamp": "soon"}, {**told, "report_id": "3"}]
    (tmp_path / "xarf.json").write_text(form.format(*map(json.dumps, reports)))
    events, done = read([str(tmp_path / "xarf.json")], "arf")
    assert ([each.type for each in events], done[0].bad.count) == (["complained"] * 2, 1)


def test_folder_that_may_not_be_read_is_named_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one that was named and has it in it."""
    closed = tmp_path / "2025" / "closed"
    closed.mkdir(parents=True)
    iterdir = Path.iterdir

    def refusing(path: Path) -> Iterator[Path]:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    with pytest.raises(SettingsError, match=f"^{re.escape(str(closed))}: cannot be read: Permission denied"):
        read([str(tmp_path)], "postfix")


def test_empty_maildir_is_no_error(tmp_path: Path) -> None:
    for part in ("new", "cur", "tmp"):
        (tmp_path / part).mkdir()
    events, done = read([str(tmp_path)], "dsn")
    assert (events, done[0].events, done[0].bad.count) == ([], 0, 0)


def test_folder_of_mails_may_hold_mails_and_mailbox_files(tmp_path: Path) -> None:
    first = b"From a@b.example Mon Mar  3 09:11:12 2025\n"
    (tmp_path / "one.eml").write_bytes(complaint(1))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two.mbox.gz").write_bytes(
        gzip.compress(
            first + complaint(2) + b"\n" + first + b"Content-Type: multipart/report;\n\n" + first + complaint(3)
        )
    )
    (tmp_path / ".hidden").write_bytes(complaint(4))
    events, done = read([str(tmp_path)], "arf")
    assert len(events) == 3
    assert [each.split(":")[0] for each in done[0].bad.lines()] == ["mail 2 of sub/two.mbox.gz"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "log"], "- is standard input, which is read alone"),
        (["{}/*.log"], "{}/*.log: no file has such a name"),
        (["{}"], "{}: has no files"),
        (["{}/a", "{}/b"], "{}/a: cannot be read: No such file or directory"),
        (["{}/round"], "{}/round: cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(SettingsError) as error:
        read([each.format(tmp_path) for each in words], "postfix")
    assert str(error.value) == said.format(tmp_path)


def test_pipe_is_read_once(rotated: Path) -> None:
    """As `<(zcat maillog.1)` of a shell is."""
    reading, writing = os.pipe()
    with io.FileIO(writing, "w") as file:
        file.write((rotated / "maillog.1").read_bytes())
    events, _ = read([f"/dev/fd/{reading}", str(rotated / "maillog")], "postfix")
    os.close(reading)
    assert "acme" in {each.customer for each in events}
