"""Blocklists that bounces name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blocklists import load_zones
from streams.bounces.named_lists import MAX_TEXT, NamedListsError, default_table, lists_named_in, load_named_lists

ZEN = ("Spamhaus ZEN", "zen.spamhaus.org")
DBL = ("Spamhaus DBL", "dbl.spamhaus.org")
MICROSOFT, APPLE, YAHOO = ("Microsoft", ""), ("Apple (Proofpoint)", ""), ("Yahoo", "")


@pytest.mark.parametrize(
    ("diagnostic", "named"),
    [
        # Postfix, Exim, Sendmail
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; listed", [ZEN]),
        ("554 5.7.1 Service unavailable; client [192.0.2.1] blocked using k3y.zen.dq.spamhaus.net", [ZEN]),
        ("550 192.0.2.1 is listed at sbl-xbl.spamhaus.org", [ZEN]),
        ("550-Rejected because 192.0.2.1 is in a black list at ZEN.SPAMHAUS.ORG", [ZEN]),
        ("550 see https://www.spamhaus.org/query/ip/192.0.2.1", [ZEN]),
        ("554 blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.1",
         [("SpamCop", "bl.spamcop.net")]),
        ("550 5.7.1 http://www.barracudacentral.org/reputation?pr=1&ip=192.0.2.1",
         [("Barracuda", "b.barracudacentral.org")]),
        ("550 blocked by dnsbl-2.uceprotect.net", [("UCEPROTECT level 2", "dnsbl-2.uceprotect.net")]),
        ("554 blocked using multi.surbl.org", [("SURBL", "multi.surbl.org")]),
        # a domain list is not the address list of the same house, and two lists are two
        ("550 5.7.1 rejected due to having a domain present in the Spamhaus DBL", [DBL]),
        ("554 Sender address blocked using dbl.spamhaus.org; https://check.spamhaus.org/query/domain/acme.example",
         [DBL]),
        ("554 blocked using dblack.mail.abusix.zone", [("Abusix domains", "dblack.mail.abusix.zone")]),
        ("554 blocked using k3y.combined.mail.abusix.zone", [("Abusix", "combined.mail.abusix.zone")]),
        ("550 listed in zen.spamhaus.org, listed in bl.spamcop.net", [ZEN, ("SpamCop", "bl.spamcop.net")]),
        # lists that only their owner can ask
        ("550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service "
         "provider since part of their network is on our block list (S3140).", [MICROSOFT]),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", [MICROSOFT]),
        ("550 5.7.1 [CS01] Message rejected due to local policy.", [APPLE]),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", [YAHOO]),
        # a list that the table does not know
        ("554 Client host [192.0.2.1] blocked using dnsbl.mine.example; ask us", [("dnsbl.mine.example", "")]),
        ("550 192.0.2.1 found in RBL rbl.mine.example", [("rbl.mine.example", "")]),
        # nothing is named
        ("550 5.1.1 user unknown", []),
        ("", []),
        ("550 5.7.1 blocked by policy", []),
        ("550 message id 20CS01X7 refused", []),
        ("550 5.7.1 Spam message rejected", []),
    ],
)  # fmt: skip
def test_list_is_read_from_what_the_receiver_says(diagnostic: str, named: list[tuple[str, str]]) -> None:
    assert list(lists_named_in(diagnostic)) == named


def test_every_zone_of_the_table_is_one_that_is_asked() -> None:
    zones = {zone.zone for zone in load_zones()}
    assert {each.zone for each in default_table() if each.zone} <= zones


def test_every_list_is_named_by_each_of_its_phrases_and_codes() -> None:
    for each in default_table():
        for phrase in each.any:
            assert each.name in [found.name for found in lists_named_in(f"550 5.7.1 ({phrase})")], phrase
        for code in each.codes:
            assert each.name in [found.name for found in lists_named_in(f"550 [{code.upper()}] no")], code


@given(st.text(max_size=3000))
def test_any_text_is_read(text: str) -> None:
    assert lists_named_in(text) == lists_named_in(text[:MAX_TEXT])


@given(st.sampled_from(["\n", "  ", "\t", "\r\n "]))
def test_folded_lines_are_read_as_one(space: str) -> None:
    folded = f"550 5.7.1 blocked{space}using{space}dnsbl.mine.example"
    assert [each.name for each in lists_named_in(folded)] == ["dnsbl.mine.example"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = ", ["not valid TOML"]),
        ("x = 1", ["[[list]]"]),
        ('[[list]]\nname = "A"', ["list A", "`any`", "`codes`"]),
        ('[[list]]\nany = ["a.example"]', ["list number 1", "name"]),
        ('[[list]]\nname = "A"\nany = ["A.example"]', ["list number 1", "any"]),
    ],
)
def test_mistake_in_the_table_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(NamedListsError) as raised:
        load_named_lists(file)
    for word in ["mine.toml", *words]:
        assert word in str(raised.value)
    with pytest.raises(NamedListsError, match="cannot be read"):
        load_named_lists(tmp_path / "none.toml")
