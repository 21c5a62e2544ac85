"""Batches of events in several messages."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.collect.body import TooLargeError
from api.collect.pieces import BATCHED, pieces
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from tests.support.adapt_bodies import DOCUMENTS

#: The longest of these texts: 30 characters at 12 bytes (a surrogate pair, escaped), quotes and the array around them.
LONGEST = 30 * 12 + 2 + 2


@given(st.lists(st.text(max_size=30), min_size=1, max_size=40), st.integers(LONGEST, 2 * LONGEST))
def test_pieces_are_small_enough_and_say_together_what_the_body_says(texts: list[str], most: int) -> None:
    body = json.dumps(texts).encode()
    found = pieces("sendgrid", body, most)
    assert [each for piece in found for each in json.loads(piece)] == texts
    assert all(len(piece) <= most for piece in found)


def test_body_that_fits_stays_as_it_came() -> None:
    for body in (b"", b"no JSON", b" [ 1 , 2 ] \n", b"[1]" + b" " * 97):
        assert pieces("sendgrid", body, 100) == [body]


@pytest.mark.parametrize("form", sorted(BATCHED))
def test_events_of_pieces_are_those_of_the_body(form: str) -> None:
    context = Context(b"a key", load_providers(), {form: FormatOptions(default_customer="house")})
    documents = [each for one in DOCUMENTS[form] for each in (one if isinstance(one, list) else [one])]
    body = json.dumps(documents * 10).encode()
    found = pieces(form, body, 3_000)
    assert len(found) > 1
    assert [event for piece in found for event in adapter(form)(piece, context)] == adapter(form)(body, context)


@pytest.mark.parametrize("above", ["", "Delivery-Date: Mon, 03 Mar 2025 09:11:12 +0000\r\n\r\n"])
@pytest.mark.parametrize("joint", [",", "\n"])
def test_reports_in_json_are_divided_between_reports(above: str, joint: str) -> None:
    told = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "smtp_from": "b@acme.example"}
    dated = {**told, "timestamp": "2025-03-03T09:11:12Z"}
    texts = joint.join(
        json.dumps({**dated, "report_id": f"r{number}"}, indent=number % 2 or None) for number in range(50)
    )
    body = (above + (f"[{texts}]" if joint == "," else texts)).encode()
    context = Context(b"a key", load_providers())
    found = pieces("arf", body, 1_000)
    assert max(map(len, found)) <= 1_000 < len(body)
    assert [event for piece in found for event in adapter("arf")(piece, context)] == adapter("arf")(body, context)
    assert all(piece.startswith(above.encode()) for piece in found)


def test_form_of_mandrill_is_taken_apart_too() -> None:
    events = [{"event": "spam", "ts": number, "msg": {"email": f"r{number}@gmail.com"}} for number in range(100)]
    found = pieces("mandrill", urlencode({"mandrill_events": json.dumps(events)}).encode(), 1_000)
    assert [each for piece in found for each in json.loads(piece)] == events


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("sendgrid", b'["' + b"x" * 100 + b'"]'),
        ("sendgrid", b'[1, "' + b"x" * 97 + b'"]'),
        ("sendgrid", b'{"a": "' + b"x" * 100 + b'"}'),
        ("sendgrid", b"[" * 100_000),
        ("sendgrid", b"[1, 2" + b" " * 100),
        ("mandrill", b"events=" + b"x" * 100),
        ("mandrill", b"mandrill_events=" + b"x" * 100),
        ("mandrill", b"a=1&" * 2_000),
        ("mandrill", b"mandrill_events=%FF" + b"x" * 100),
    ],
)
def test_what_cannot_be_taken_apart_is_too_large(form: str, body: bytes) -> None:
    with pytest.raises(TooLargeError):
        pieces(form, body, 100)
