"""How figures are written for people."""

import pytest

from schemas.alert import Held, HoldReason
from schemas.wording import held_because, said_of, together


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("65 of 249: 26.10 % (15.95 % to 38.43 %)", "65 of 249: 26.10_% (15.95_% to 38.43_%)"),
        ("for 40 s, 12 min, 3.5 h or 2.0 d", "for 40_s, 12_min, 3.5_h or 2.0_d"),
        ("58.3 MB in 20 ms", "58.3_MB in 20_ms"),
        ("10 services, 3 mind, 4 hosts, 5 days, 2 Boxes", "10 services, 3 mind, 4 hosts, 5 days, 2 Boxes"),
        ("a % of it, shop 9", "a % of it, shop 9"),
        ("<td title='10.00 %'>10.00 %</td>", "<td title='10.00_%'>10.00_%</td>"),
    ],
)
def test_no_line_ends_between_a_number_and_its_unit(said: str, kept: str) -> None:
    assert together(said) == kept.replace("_", "\u00a0")


@pytest.mark.parametrize(
    ("name", "said", "whole"),
    [
        ("The reason", "is empty", "The reason is empty"),
        ("--why", "is longer than 256 characters", "--why is longer than 256 characters"),
        ("from", "must not lie after `to`", "from must not lie after `to`"),
        ("rule", "'x' is none of the policy", "rule: 'x' is none of the policy"),
        ("Where", "island@zen.example has no network", "Where: island@zen.example has no network"),
        ("from", "2026-03-12T10:00:00Z is over", "from: 2026-03-12T10:00:00Z is over"),
    ],
)
def test_what_is_said_of_something_is_a_sentence_where_it_goes_on_from_its_name(
    name: str, said: str, whole: str
) -> None:
    assert said_of(name, said) == whole


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("brake", "1,023 customers rose at once"),
        ("incident", "it may be owed to an incident, not to the customer (repmon incidents show 3f9c)"),
    ],
)
def test_why_an_alert_is_held_and_where_more_is_told(reason: HoldReason, why: str) -> None:
    """An incident may be of a provider, a pool, all mail, a blocklist or a batch of complaints: none is guessed."""
    assert held_because(Held(id="3f9c", reason=reason, since_ms=0, customers=1_023)) == why
