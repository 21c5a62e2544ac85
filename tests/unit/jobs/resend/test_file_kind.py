"""What a file is that is not what it was said to be."""

import io
import json
import zipfile

import cramjam
import pytest

from jobs.resend import file_kind
from jobs.resend.file_kind import NAMES, KeepsHead, likely_formats, looks_like, packed
from jobs.resend.ingest_file import read_events
from schemas.blocklists import load_zones
from schemas.providers import load_providers
from streams.adapt import EVERY_FORMAT, Context, Lists
from tests.support.adapt_bodies import bodies

CONTEXT = Context(
    hash_key=b"a key",
    providers=load_providers(),
    lists=Lists({zone.zone: zone for zone in load_zones()}),
    clock=lambda: 1757675281000,
)
#: A log whose lines tell a whole story only together.
POSTFIX = (
    b"2025-03-03T10:11:11Z mx1 postfix/qmgr[7]: AB12C3: from=<n@acme.example>, size=9, nrcpt=1 (queue active)\n"
    b"2025-03-03T10:11:12Z mx1 postfix/smtp[8]: AB12C3: to=<a@b.example>, dsn=2.0.0, status=sent (250 ok)\n"
)


def zipped(text: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("log", text)
    return made.getvalue()


@pytest.mark.parametrize(
    ("raw", "kind", "unpack"),
    [
        (bytes(cramjam.lz4.compress(b"text")), "packed with lz4", "lz4 -dc {}"),
        (zipped(b"text"), "packed with zip", "unzip -p {}"),
        ("text".encode("utf-16"), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 {}"),
    ],
)
def test_packed_files_are_named_with_what_unpacks_them(raw: bytes, kind: str, unpack: str) -> None:
    assert packed(raw) == (kind, unpack)


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_no_good_message_of_any_format_passes_for_a_packed_one(name: str) -> None:
    assert [packed(raw) for raw in bodies(name)] == [None] * len(bodies(name))


@pytest.mark.parametrize("name", sorted(set(EVERY_FORMAT) - {"postfix"}))
def test_format_of_a_file_is_found_by_what_can_be_read_of_it(name: str) -> None:
    other = "kumomta" if name == "canonical" else "canonical"
    found = [likely_formats(raw, other, CONTEXT) for raw in bodies(name) if b"\r\n--" not in raw]
    assert found
    assert all(each == [name] for each in found if each), found
    assert [name] in found


def test_format_is_found_where_the_settings_do_not_say_whose_the_records_are() -> None:
    body = json.dumps([{"event": "delivered", "email": "i@gmail.com", "timestamp": 1740993072, "sg_event_id": "e1"}])
    assert likely_formats(body.encode(), "mailgun", CONTEXT) == ["sendgrid"]


def test_log_of_postfix_is_found() -> None:
    assert likely_formats(POSTFIX, "powermta", CONTEXT) == ["postfix"]


def test_format_is_found_though_a_few_records_are_bad_and_not_where_most_are() -> None:
    assert likely_formats(POSTFIX + b"oops\n", "powermta", CONTEXT) == ["postfix"]
    assert likely_formats(POSTFIX + b"oops\n" * 5, "powermta", CONTEXT) == []


@pytest.mark.parametrize("raw", [b"", b"oops\n" * 100, b"\x00\xff" * 1000, b"[[[[", b"{}", b"a,b,c\n1,2,3\n"])
def test_rubbish_looks_like_nothing(raw: bytes) -> None:
    assert likely_formats(raw, "canonical", CONTEXT) == []
    assert looks_like([]) == ""


def test_only_the_beginning_is_kept_and_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_kind, "HEAD_BYTES", len(POSTFIX) + 50)
    source = KeepsHead(io.BytesIO(POSTFIX * 100))
    assert sum(1 for _ in read_events(source, "canonical", CONTEXT)) == 200
    assert source.head == (POSTFIX * 2)[: len(POSTFIX) + 50]
    assert likely_formats(source.head, "canonical", CONTEXT) == ["postfix"], "its last line is cut"


def test_every_format_has_a_name_for_people() -> None:
    assert set(NAMES) == set(EVERY_FORMAT)
    assert looks_like(["sendgrid"]) == "looks like SendGrid: --format sendgrid"
    assert looks_like(["ses", "mailgun"]) == "looks like Amazon SES or Mailgun: --format ses or --format mailgun"
