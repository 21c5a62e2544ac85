"""Form bodies: multipart and URL-encoded."""

import pytest

from schemas.event import MAX_EVENT_BYTES
from streams.adapt import AdaptError
from streams.adapt.form import MAX_FIELDS, form_fields, is_form


def multipart(*fields: tuple[str, str], end: str = "\r\n") -> bytes:
    parts = [f'--xyz{end}Content-Disposition: form-data; name="{name}"{end}{end}{value}{end}' for name, value in fields]
    return ("".join(parts) + f"--xyz--{end}").encode()


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_multipart_fields_keep_order_and_repeat(end: str) -> None:
    body = multipart(("event", "bounced"), ("tag", "a"), ("tag", "b"), ("text", f"line{end}two"), end=end)
    assert is_form(body)
    assert form_fields(body) == {"event": ["bounced"], "tag": ["a", "b"], "text": ["line\ntwo"]}


def test_url_encoded_fields() -> None:
    body = b"event=bounced&error=550%205.1.1+gone&tag=a&tag=b&empty=&name=J%C3%B6rg"
    assert is_form(body)
    assert form_fields(body) == {
        "event": ["bounced"],
        "error": ["550 5.1.1 gone"],
        "tag": ["a", "b"],
        "empty": [""],
        "name": ["Jörg"],
    }


@pytest.mark.parametrize("body", [b'{"a": "b=c"}', b'[{"a": 1}]', b' "a=b"', b"", b"plain words"])
def test_anything_else_is_no_form(body: bytes) -> None:
    assert not is_form(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (multipart(("a", "1"))[:-6], "do not end with their boundary"),
        (b"--" + b"x" * 100 + b"\nrest", "do not end with their boundary"),
        (b"--xyz\r\n\r\nvalue\r\n--xyz--", "part 1 of the form has no name"),
        (b"--xyz--", "do not end with their boundary"),
        (multipart(("a", "1"), ("b", "?")).replace(b"?", b"\xff"), "part 2 of the form is not UTF-8"),
        (multipart(*[("a", "1")] * (MAX_FIELDS + 1)), "more than 1,000 fields"),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), "more than 1,000 fields"),
        (b"a=%FF", "not UTF-8"),
        (b"a=\xff", "not UTF-8"),
        (b"a=" + b"x" * MAX_EVENT_BYTES, "the limit is 1,000,000"),
    ],
)
def test_bad_form_is_a_clear_error(body: bytes, complaint: str) -> None:
    with pytest.raises(AdaptError, match=complaint):
        form_fields(body)


def test_header_in_a_value_is_no_field() -> None:
    body = multipart(("a", 'Content-Disposition: form-data; name="event"\r\n\r\nforged'))
    assert list(form_fields(body)) == ["a"]
