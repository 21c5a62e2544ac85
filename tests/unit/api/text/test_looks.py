"""What blocklists said, as people and programs read it."""

import re

import msgspec
import pytest

from api.cli.scan import exit_code, with_every
from api.text.looks import ChangeLine, LookLine, ScanLine, ZoneLine, look_lines, rows
from jobs.blocklists.answer import Clear, Failed, Listed, Look
from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.trusted_lookups import TrustedLookups
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.blocklist_settings import EveryMinutes
from schemas.blocklists import Zone
from schemas.settings import Settings
from tests.support.root import ROOT

DOCS = ROOT / "docs" / "blocklists.md"
BL = Zone(zone="bl.example", kind="ip", weight="major", any_code=True, delisting="https://bl.example/")
ZEN = Zone(zone="zen.example", kind="ip", weight="critical", any_code=True)
FOUR = Zone(zone="four.example", kind="ip", weight="minor", families=("ipv4",), any_code=True, needs_key=True)
DBL = Zone(zone="dbl.example", kind="domain", weight="major", any_code=True, needs_key=True)
SPAM = Listed("minor", "spam", ("127.0.0.2", "127.0.0.4"))
IP = Resource("ip", "192.0.2.1")


def lines(*looks: Look, distrusted: tuple[ZoneFamily, ...] = ()) -> list[LookLine]:
    found = TrustedLookups(list(looks), (), dict.fromkeys(distrusted, "refuses"))
    return look_lines(found, [IP, Resource("ip", "2001:db8::1")], [BL, ZEN, FOUR, DBL])


def test_listings_come_first_and_what_was_not_asked_is_reported() -> None:
    found = lines(Look("192.0.2.1", ZEN, Clear()), Look("192.0.2.1", BL, SPAM), Look("2001:db8::1", BL, Failed("lost")))
    assert [(each.resource, each.zone, each.outcome) for each in found] == [
        ("192.0.2.1", "bl.example", "listed"),
        ("2001:db8::1", "bl.example", "failed"),
        ("192.0.2.1", "four.example", "not asked"),
        ("192.0.2.1", "zen.example", "clear"),
    ]
    assert (found[0].weight, found[0].meaning, found[0].delisting) == ("minor", "spam", "https://bl.example/")
    assert (found[3].weight, found[3].delisting) == ("critical", "")


def test_failure_of_a_list_that_is_not_trusted_is_marked() -> None:
    failed, _ = lines(
        Look("192.0.2.1", BL, Failed("distrusted: refuses")), distrusted=(ZoneFamily("bl.example", "ipv4"),)
    )
    assert failed.distrusted
    other, _ = lines(Look("192.0.2.1", BL, Failed("lost")), distrusted=(ZoneFamily("bl.example", "ipv6"),))
    assert not other.distrusted


def test_table_is_aligned_and_shows_the_weight_of_the_listing() -> None:
    head, listed, failed, *_ = rows(lines(Look("192.0.2.1", BL, SPAM), Look("192.0.2.1", ZEN, Failed("lost"))))
    assert listed.split() == ["192.0.2.1", "bl.example", "listed", "minor", "127.0.0.2,127.0.0.4", "yes", "spam"]
    assert failed.split() == ["192.0.2.1", "zen.example", "failed", "(critical)", "yes", "lost"]
    assert head.index("MEANING") == listed.index("spam") == failed.index("lost")


def test_exit_code_says_listed_or_not_or_not_known() -> None:
    six = Resource("ip", "2001:db8::1")
    clear, other = Look("192.0.2.1", ZEN, Clear()), Look("2001:db8::1", ZEN, Clear())
    lost = Look("2001:db8::1", BL, Failed("lost"))
    both = [(IP,), (six,)]
    assert exit_code(lines(clear, other), both) == 0
    assert exit_code(lines(clear, other, lost), both) == 0
    assert exit_code(lines(clear, lost), both) == 3
    assert exit_code(lines(clear), both) == 3
    assert exit_code(lines(lost, Look("192.0.2.1", BL, SPAM)), both) == 1


def test_domain_is_known_where_the_domain_registered_is() -> None:
    named = (Resource("domain", "news.acme.com"), Resource("domain", "acme.com"))
    assert exit_code(lines(Look("acme.com", DBL, Clear())), [named]) == 0
    assert exit_code(lines(Look("acme.com", DBL, Failed("lost"))), [named]) == 3


def test_option_sets_one_interval_for_lists_of_every_weight() -> None:
    every = with_every(Settings(), 120.0).blocklists.every_minutes
    assert every == EveryMinutes(critical=2, major=2, minor=2, informational=2)
    assert with_every(Settings(), None) == Settings()


@pytest.mark.parametrize("line", [LookLine, ZoneLine, ChangeLine, ScanLine])
def test_json_line_has_the_fields_that_are_documented_and_all_of_them(line: type[msgspec.Struct]) -> None:
    name = line.__struct_config__.tag
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row)) == list(line.__struct_fields__)
    assert not line.__struct_config__.omit_defaults
