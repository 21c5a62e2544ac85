"""Resolvers: an address, and a port where it is not that of the settings."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import SettingsError
from schemas.settings_check import resolver_address


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_resolver_may_have_a_port_of_its_own(text: str, found: tuple[str, int]) -> None:
    assert resolver_address(text, 53) == found


@given(st.text("0123456789abcdef:.[]%x", max_size=20))
def test_any_text_is_a_resolver_or_the_one_error(text: str) -> None:
    try:
        host, port = resolver_address(text, 53)
    except SettingsError:
        return
    assert 0 < port < 65_536
    assert ip_address(host)
