"""What is erased: every table is thought of."""

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.data.erasure_plan import CUSTOMER, NAMES_NOBODY, RECIPIENT, address_pattern

TABLE = re.compile(r"CREATE TABLE reputation\.(\w+)\n(.*?);\n", re.DOTALL)
TEXT = resources.files("schemas").joinpath("clickhouse", "CURRENT.sql").read_text(encoding="utf-8")
TABLES = {match[1]: match[2] for match in TABLE.finditer(TEXT)}


def test_every_table_is_erased_from_or_names_nobody() -> None:
    erased = {each.table for each in CUSTOMER}
    assert erased | NAMES_NOBODY.keys() == TABLES.keys()
    assert not erased & NAMES_NOBODY.keys()


def test_every_table_with_a_customer_or_a_recipient_is_erased_from() -> None:
    named = {name for name, made in TABLES.items() if "`customer`" in made or "`customers`" in made}
    assert named <= {each.table for each in CUSTOMER}
    hashed = {name for name, made in TABLES.items() if "`recipient_hash`" in made}
    assert hashed <= {each.table for each in RECIPIENT}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"recipient":"ann@example.com"}', True),
        ("to=<Ann@Example.COM>, relay=", True),
        ("ann@example.com", True),
        ("joann@example.com", False),
        ("jo.ann@example.com", False),
        ("ann@example.com.au", False),
        ("It was ann@example.com.", True),
        ("ann@example.community", False),
        ("ann@examplezcom", False),
    ],
)
def test_address_is_found_by_itself(text: str, found: bool) -> None:
    assert bool(re.search(address_pattern("ann@example.com"), text)) == found


@given(st.emails())
def test_every_address_is_found_in_a_text(address: str) -> None:
    assert re.search(address_pattern(address), f'"recipient":"{address}"')
