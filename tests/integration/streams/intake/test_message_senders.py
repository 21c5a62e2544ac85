"""Reports that hide sender and recipient find their customer by the message that they are about."""

from email.utils import formatdate

import msgspec
import pytest

from api.stack.reading import batch_readers
from api.stack.registered import RegisteredDomains, looks_for_domains
from jobs.operator.customers import set_customer
from jobs.resend.replay import Reader
from schemas.providers import load_providers
from schemas.settings import ClickHouse, FormatMapping, Ingest, Settings
from schemas.times import DAY_MS, utc_now_ms
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.owners import Owners
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import time_bounds
from streams.intake.flush import flush
from streams.intake.message_senders import name_senders
from streams.intake.seen import SeenIds
from streams.intake.unnamed import id_hash
from streams.io.store import Store, StoreError, open_store
from tests.support.mails import fields, report

#: The real time: the store forgets by its own clock.
NOW = utc_now_ms()
PROVIDERS = load_providers()
BOUNDS = time_bounds(Ingest(max_behind_days=100_000))


def context(default: str = "", *, ingesting: bool = True) -> Context:
    options = FormatOptions(customer=("message-id", "header.X-Customer"), default_customer=default)
    return Context(b"a key", PROVIDERS, {"arf": options}, clock=lambda: NOW, find_by_message=ingesting)


def delivery(number: int, customer: str, message_id: str, **changes: object) -> bytes:
    event = {
        "id": f"d{number}", "type": "delivered", "time": NOW - DAY_MS, "customer": customer, "message_id": message_id,
        "recipient": f"r{number}@outlook.com", **changes,
    }  # fmt: skip
    return msgspec.json.encode(event)


def complaint(message_id: str, more: str = "") -> bytes:
    content = fields("Feedback-Type: abuse", "User-Agent: JMRP/1.0", "Version: 1")
    original = f"From: Shop <redacted>\nTo: <redacted>\nMessage-ID: <{message_id}>\n{more}"
    headers = {"message_id": f"<report-{message_id}>", "From": "staff@hotmail.com", "Date": formatdate(NOW / 1000)}
    return report("feedback-report", content, original, **headers)


def taken(name: str, messages: list[bytes], given: Context | None = None) -> Batch:
    batch = Batch(SourcePartition(f"{name}:id:0", name, 0, SeenIds(1_000)), 0, 0)
    form = "arf" if given else "canonical"
    reader = MailReader(
        adapter(form), given or context(), load_bounce_classifier(), BOUNDS, remember_senders=given is None
    )
    reader(batch, messages, range(len(messages)), NOW)
    return batch


def stored(store: Store, *batches: Batch) -> list[tuple[str, str]]:
    """The complaints as they are stored: message and customer."""
    name_senders(store, batches, NOW)
    flush(store, batches, NOW)
    rows = store.rows("SELECT message_id, customer FROM events FINAL WHERE type = 'complained' ORDER BY message_id")
    return [(str(message), str(customer)) for message, customer in rows]


def test_customer_is_who_sent_the_message(store: Store) -> None:
    sent = taken("mail.events", [delivery(1, "acme", "m1@news"), delivery(2, "larkspur", "m2@news")])
    assert stored(store, sent) == []
    reports = taken("mail.reports", [complaint("m1@news"), complaint("m2@news")], context("house"))
    assert (len(reports.unnamed), len(reports.negatives)) == (2, 0)
    assert stored(store, reports) == [("m1@news", "acme"), ("m2@news", "larkspur")]
    assert reports.customers == {"acme", "larkspur"}
    counted = store.rows(
        "SELECT customer, sum(complained), sum(undated_complained) FROM counts"
        " WHERE dimension = 'provider' AND value = 'microsoft' GROUP BY customer ORDER BY customer"
    )
    # Counted in the minute of the delivery: once the customer is known, so is the message.
    assert [tuple(row) for row in counted] == [("acme", 1, 0), ("larkspur", 1, 0)]


def test_message_that_is_stored_together_with_its_report_is_known(store: Store) -> None:
    sent = taken("mail.events", [delivery(1, "acme", "m1@news")])
    assert stored(store, taken("mail.reports", [complaint("m1@news")], context()), sent) == [("m1@news", "acme")]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([], "in the last 45 days nobody sent one with the message id `m1@news`"),
        (
            [delivery(1, "acme", "m1@news"), delivery(2, "mallory", "m1@news")],
            "two customers sent one with the message",
        ),
        ([delivery(1, "acme", "m1@news", recipient="r@gmail.com")], "in the last 45 days nobody sent one"),
    ],
)
def test_message_that_names_nobody_is_the_default_customers_else_a_dead_letter(
    store: Store, sent: list[bytes], reason: str
) -> None:
    assert stored(store, *([taken("mail.events", sent)] if sent else [])) == []
    report_mail = complaint("m1@news")
    nobodys = taken("mail.reports", [report_mail], context())
    assert stored(store, nobodys) == []
    (letter,) = nobodys.dead
    assert (letter.payload, letter.offset, letter.reason.startswith(reason)) == (report_mail, 0, True)
    assert letter.reason.endswith("and no default customer is configured")
    assert stored(store, taken("mail.others", [report_mail], context("house"))) == [("m1@news", "house")]


def test_another_place_that_answers_is_asked_before(store: Store) -> None:
    sent = taken("mail.events", [delivery(1, "acme", "m1@news")])
    reports = taken("mail.reports", [complaint("m1@news", "X-Customer: larkspur\n")], context())
    assert reports.unnamed == []
    assert stored(store, sent, reports) == [("m1@news", "larkspur")]


def test_store_that_fails_leaves_the_reports_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = taken("mail.reports", [complaint("m1@news")], context())

    def fail(*_: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(store, "rows", fail)
        with pytest.raises(StoreError, match="away"):
            name_senders(store, [reports], NOW)
    assert len(reports.unnamed) == 1
    assert stored(store, taken("mail.events", [delivery(1, "acme", "m1@news")]), reports) == [("m1@news", "acme")]


def test_without_a_memory_the_place_answers_nobody() -> None:
    with pytest.raises(AdaptError, match=r"no value at `message-id` or `header\.X-Customer` in the report"):
        adapter("arf")(complaint("m1@news"), context(ingesting=False))
    (event,) = adapter("arf")(complaint("m1@news"), context("house", ingesting=False))
    assert event.customer == "house"


def test_angle_brackets_are_no_part_of_an_id() -> None:
    assert id_hash("<m1@news>") == id_hash("m1@news") != id_hash("m2@news")


def test_dead_letter_is_replayed_as_a_report_whose_sender_ingest_may_know_by_then() -> None:
    for default in ("", "house"):
        reader = Reader(Ingest(formats={"mail.reports": "arf"}), context(default, ingesting=False))
        assert reader.key("mail.reports", complaint("m1@news"), NOW) == default.encode()


def test_domains_of_the_list_of_customers_are_theirs_in_reports_once_it_changes(
    store: Store, store_settings: ClickHouse
) -> None:
    by_domain, by_header = (
        Settings(ingest=Ingest(formats={"mail.reports": "arf"}, mapping={"arf": FormatMapping(customer=place)}))
        for place in ("dkim", "header.X-Customer")
    )
    assert (looks_for_domains(by_domain), looks_for_domains(by_header)) == (True, False)
    owners = Owners({"brightleaf.example": "brightleaf"})
    registered = RegisteredDomains(owners, lambda: open_store(store_settings))
    take = batch_readers(by_domain, owners=owners)["mail.reports"]

    def whose(domain: str) -> set[str]:
        batch = Batch(SourcePartition("mail.reports:id:0", "mail.reports", 0, SeenIds(1_000)), 0, 0)
        signed = f"DKIM-Signature: v=1; a=rsa-sha256; d=news.{domain}; s=k; h=from; bh=x; b=y\n"
        registered.look()
        take(batch, [complaint("m1@news", signed)], [0], NOW)
        return batch.customers

    assert whose("acme.example") == set()
    set_customer(store, "acme", plan=None, domains=["acme.example"], by="me", why="", now_ms=NOW)
    assert whose("acme.example") == {"acme"}
    set_customer(store, "acme", plan=None, domains=["acme.net"], by="me", why="", now_ms=NOW + 1)
    assert (whose("acme.example"), whose("acme.net")) == (set(), {"acme"})
    assert whose("brightleaf.example") == {"brightleaf"}
