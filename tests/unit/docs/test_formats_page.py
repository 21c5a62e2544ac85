"""What the page on formats and the README say of them is what the adapters do."""

import re
from importlib import import_module

import pytest

from docs.generate import fates
from streams.adapt import EVERY_FORMAT, FORMATS, NO_LATE_MARK
from streams.adapt.webhook import FieldPaths
from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition(fates.BEGIN)[0]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Formats in which options name paths in a record.
PATHS = {
    name: paths
    for name in FORMATS
    if isinstance(paths := getattr(import_module(f"streams.adapt.{name}"), "FIELD_PATHS", None), FieldPaths)
}


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_every_format_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", PATHS)
def test_default_places_of_the_customer_are_those_on_the_page(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    shown = re.findall(r"`([^`]+)`", row)
    paths = PATHS[name]
    assert paths.name == name
    # A form's own names of the same things are not distinguished on the page.
    assert shown == [place for place in paths.customer if place not in ("customer", "domain")]


def test_webhooks_are_among_them() -> None:
    assert {"ses", "mailgun", "unisender"} <= set(PATHS)


def test_formats_that_tell_late_bounces_are_those_that_ingest_finds_none_for() -> None:
    reported = PAGE.partition("**Late bounces**: ")[2].partition(", say that")[0]
    # Of our own format the producer says it; the others know of complaints only, or of no late bounce.
    assert set(re.findall(r"`(\w+)`", reported)) == set(FORMATS) - NO_LATE_MARK - {
        "canonical",
        "arf",
        "exim",
        "postfix",
    }
