"""Forms are read as ClickHouse's driver writes them, by urllib3."""

import contextlib
import gc

from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from jobs.embedded.form import form_fields, is_form

NAMES = st.from_regex(r"[A-Za-z_]\w{0,20}", fullmatch=True).filter(str.isascii)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.sampled_from(
    ["", "\r\n", "\r\n\r\n", "--", "\r\n--\r\n", "SELECT 1\r\n\r\n--b\r\n", "\n", "ends with\r\n"]
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_form_has_the_values_that_were_written(fields: dict[str, str]) -> None:
    body, content_type = encode_multipart_formdata(fields)
    assert is_form(content_type)
    assert form_fields(content_type, body) == fields


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.binary(max_size=30), st.integers(0, 400))
def test_form_that_is_cut_off_or_damaged_is_no_failure(fields: dict[str, str], noise: bytes, at: int) -> None:
    body, content_type = encode_multipart_formdata(fields)
    for damaged in (body[:at], body[:at] + noise.replace(b"\xff", b"") + body[at:]):
        with contextlib.suppress(UnicodeDecodeError):
            form_fields(content_type, damaged)


def test_boundary_may_be_quoted_and_headers_be_in_any_order() -> None:
    body = (
        b'a preamble\r\n--a b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name="query"\r\n\r\n'
        b"SELECT 1\r\n--a b\r\nContent-Type: text/plain\r\n\r\nwithout a name\r\n--a b--\r\nan epilogue"
    )
    assert form_fields('multipart/form-data; boundary="a b"', body) == {"query": "SELECT 1"}


def test_what_names_no_boundary_has_no_fields() -> None:
    assert form_fields("multipart/form-data", b"--b\r\n\r\nx\r\n--b--") == {}


def test_reading_a_form_leaves_nothing_to_the_collector() -> None:
    """A store reads thousands before it looks."""
    body, content_type = encode_multipart_formdata({f"param_{name}": "x" for name in "abcdef"})
    form_fields(content_type, body)
    gc.collect()
    gc.disable()
    try:
        form_fields(content_type, body)
        assert gc.collect() == 0
    finally:
        gc.enable()
