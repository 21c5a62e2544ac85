"""The fuzzer itself: it begins from good input, repeats itself, and finds what it is there to find."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.listing import BlocklistEvent
from streams.adapt import EVERY_FORMAT, AdaptError, Context
from tests.fuzz import run as fuzz
from tests.fuzz.run import any_adapter, hold, run
from tests.fuzz.seeds import SEEDS


def rounds(number: int) -> Callable[[int], bool]:
    return lambda so_far: so_far < number


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_every_format_has_good_input_to_begin_from(name: str) -> None:
    for raw in SEEDS[name]:
        assert hold(any_adapter(name), raw) == "events"


def test_some_hundred_inputs_of_every_format_break_no_law() -> None:
    found = run(1, rounds(200 * len(EVERY_FORMAT)))
    assert [(name, why) for name, _, why in found.broken] == []
    assert {name for name, how in found.counts if how == "events"} == set(EVERY_FORMAT)
    assert {name for name, how in found.counts if how == "refused"} == set(EVERY_FORMAT)


def test_same_seed_gives_the_same_input() -> None:
    def seen(seed: int) -> list[bytes]:
        inputs: list[bytes] = []

        def note(raw: bytes, _: Context) -> list[MailEvent]:
            inputs.append(raw)
            return []

        run(seed, rounds(50), dict.fromkeys(SEEDS, note))
        return inputs

    assert seen(7) == seen(7) != seen(8)


def unknown_error(_: bytes, __: Context) -> list[MailEvent]:
    raise KeyError("customer")


def endless_error(_: bytes, __: Context) -> list[MailEvent]:
    raise AdaptError("x" * 10_000)


def forgets_to_hash(_: bytes, __: Context) -> list[MailEvent]:
    return [MailEvent(id="e", type="delivered", time=1, customer="c", recipient="a@b.example", provider="other")]


def no_customer(_: bytes, __: Context) -> list[MailEvent]:
    return [MailEvent(id="e", type="delivered", time=1, customer=" ", provider="other")]


def not_canonical(_: bytes, __: Context) -> list[MailEvent]:
    return [MailEvent(id="e", type="delivered", time=2**70, customer="c", provider="other")]


def hangs(_: bytes, __: Context) -> list[MailEvent]:
    while True:
        pass


def listing(**fields: Any) -> list[BlocklistEvent]:
    usual = {"id": "e", "type": "listed", "time": 1, "kind": "ip", "resource": "192.0.2.1", "zone": "bl.example"}
    return [BlocklistEvent(**{**usual, "weight": "minor", "monitor": "probe", **fields})]


def no_monitor(_: bytes, __: Context) -> list[BlocklistEvent]:
    return listing(monitor="")


def takes_a_refusal(_: bytes, __: Context) -> list[BlocklistEvent]:
    return listing(codes=("127.0.0.2", "127.255.255.254"))


def spells_otherwise(_: bytes, __: Context) -> list[BlocklistEvent]:
    return listing(resource="::ffff:192.0.2.1")


def lists_nothing(_: bytes, __: Context) -> list[BlocklistEvent]:
    return listing(resource="a..b", kind="domain")


def endless_list(_: bytes, __: Context) -> list[BlocklistEvent]:
    return listing(zone="x" * 300)


@pytest.mark.parametrize(
    ("adapt", "why"),
    [
        (unknown_error, "KeyError: 'customer'"),
        (endless_error, "an error of 10000 characters"),
        (forgets_to_hash, "the recipient is still open"),
        (no_customer, "the customer is ' '"),
        (not_canonical, "the event is not canonical"),
        (hangs, "no answer within"),
        (no_monitor, "it seems to be of our own scan"),
        (takes_a_refusal, "'127.255.255.254' is taken for a listing"),
        (spells_otherwise, "not as our own scan names it"),
        (lists_nothing, "neither an IP address nor a domain"),
        (endless_list, "the topic of listings does not take the event"),
    ],
)
def test_adapter_that_breaks_a_law_is_found(monkeypatch: pytest.MonkeyPatch, adapt: fuzz.AnyAdapter, why: str) -> None:
    monkeypatch.setattr(fuzz, "PATIENCE_S", 0.05)
    found = run(1, rounds(1), {"arf": adapt})
    assert len(found.broken) == 1
    assert why in found.broken[0][2]
