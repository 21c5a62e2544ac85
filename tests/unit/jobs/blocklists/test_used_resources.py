"""What blocklists are asked about: what was sent from, the domains registered above it, and what the settings add."""

import pytest

from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.registered_domain import registered_domain
from jobs.blocklists.used_resources import ResourceUsers, resources_of, used
from schemas.domains import domain_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Acme.Example", "acme.example"),
        ("acme.example.", "acme.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        ("my_shop.example", "my_shop.example"),
        ("_spf.acme.example", "_spf.acme.example"),
        ("ab--cd.acme.example", "ab--cd.acme.example"),
        ("r3---sn-x_y.acme.example", "r3---sn-x_y.acme.example"),
        ("shop-.acme.example", "shop-.acme.example"),
        ("news_1.bücher.example", "news_1.xn--bcher-kva.example"),
        ("xn--a.example", "xn--a.example"),
        ("acme。example", "acme.example"),
        ("localhost", ""),
        ("", ""),
        (".", ""),
        ("no domain", ""),
        ("a..example", ""),
        ("192.0.2.1", ""),
        ("2001:db8::1", ""),
        (f"{'a' * 64}.example", ""),
        (".".join(["a" * 60] * 4), ""),
        ("acme.example\n[0m", ""),
    ],
)
def test_domain_is_asked_in_ascii_and_small_letters_or_not_at_all(text: str, name: str) -> None:
    assert domain_name(text) == name


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("acme.example", "acme.example"),
        ("a.b.acme.com", "acme.com"),
        ("news.acme.co.uk", "acme.co.uk"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("shop.acme.github.io", "acme.github.io"),
        ("co.uk", ""),
    ],
)
def test_registered_domain_is_one_label_below_a_public_suffix(name: str, registered: str) -> None:
    assert registered_domain(name) == registered


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", [("ip", "192.0.2.1")]),
        ("2001:db8::1", [("ip", "2001:db8::1")]),
        ("News.Acme.co.uk", [("domain", "news.acme.co.uk"), ("domain", "acme.co.uk")]),
        ("acme.co.uk", [("domain", "acme.co.uk")]),
        ("co.uk", [("domain", "co.uk")]),
        ("mail_1.a--b.co.uk", [("domain", "mail_1.a--b.co.uk"), ("domain", "a--b.co.uk")]),
        ("fe80::1%eth0", []),
        ("nobody", []),
    ],
)
def test_name_stands_for_itself_and_for_the_domain_registered(text: str, found: list[tuple[str, str]]) -> None:
    assert list(resources_of(text)) == found


@pytest.mark.parametrize(("text", "kind"), [("192.0.2.1", "domain"), ("acme.example", "ip")])
def test_address_is_no_domain_and_domain_no_address(text: str, kind: str) -> None:
    assert resources_of(text, kind) == ()


ROWS = [
    ("from", "192.0.2.1", [("ida", 1)], 1, 1),
    ("from", "acme.example", [("ida", 5)], 1, 5),
    ("from", "news.acme.example", [("ida", 100), ("bob", 7)], 2, 107),
    ("ip", "192.0.2.1", [("bob", 3)], 1, 3),
    ("ip", "mx1.example", [("bob", 2)], 1, 2),
]


def test_use_of_a_domain_counts_for_the_domain_registered_too() -> None:
    found = used(ROWS)
    assert found.by_resource == {
        Resource("domain", "acme.example"): ResourceUsers(("ida", "bob"), 2, 112),
        Resource("domain", "news.acme.example"): ResourceUsers(("ida", "bob"), 2, 107),
        Resource("ip", "192.0.2.1"): ResourceUsers(("bob",), 1, 3),
    }


def test_what_is_in_the_store_and_cannot_be_asked_is_named() -> None:
    assert used(ROWS).invalid == ("192.0.2.1", "mx1.example")


def test_settings_add_addresses_and_domains_that_nobody_used() -> None:
    found = used(ROWS, ["192.0.2.1", "2001:db8::7", "warm.acme.com"]).by_resource
    assert found[Resource("ip", "192.0.2.1")].messages == 3
    assert found[Resource("ip", "2001:db8::7")] == ResourceUsers()
    assert {Resource("domain", "warm.acme.com"), Resource("domain", "acme.com")} <= found.keys()


def test_of_many_customers_the_largest_are_named_and_all_counted() -> None:
    (use,) = used([("ip", "192.0.2.1", [("c9", 9), ("c8", 8)], 50, 99)]).by_resource.values()
    assert use == ResourceUsers(("c9", "c8"), 50, 99)
    largest = [(f"c{number}", number) for number in range(9, 0, -1)]
    (use,) = used([("from", "acme.com", largest, 9, 45)]).by_resource.values()
    assert use == ResourceUsers(("c9", "c8", "c7", "c6", "c5"), 9, 45)
