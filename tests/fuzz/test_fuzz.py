"""The fuzzer itself: it begins from good input, repeats itself, and finds what it is there to find."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.listing import BlocklistEvent
from streams.adapt import EVERY_FORMAT, AdaptError, Context
from tests.fuzz import run as fuzz
from tests.fuzz.portions import PORTION, Progress, load, read_portions
from tests.fuzz.run import Found, any_adapter, hold, inputs, run
from tests.fuzz.seeds import SEEDS


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_every_format_has_good_input_to_begin_from(name: str) -> None:
    for raw in SEEDS[name]:
        assert hold(any_adapter(name), raw) == "events"


def test_some_hundred_inputs_of_every_format_break_no_law() -> None:
    found = run(1, 200 * len(EVERY_FORMAT))
    assert [(name, why) for name, _, why in found.broken] == []
    assert {name for name, how in found.counts if how == "events"} == set(EVERY_FORMAT)
    assert {name for name, how in found.counts if how == "refused"} == set(EVERY_FORMAT)


def test_same_seed_gives_the_same_input() -> None:
    def seen(seed: int) -> list[bytes]:
        inputs: list[bytes] = []

        def note(raw: bytes, _: Context) -> list[MailEvent]:
            inputs.append(raw)
            return []

        run(seed, 50, dict.fromkeys(SEEDS, note))
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
    found = run(1, 1, {"arf": adapt})
    assert len(found.broken) == 1
    assert why in found.broken[0][2]


def test_a_run_that_was_ended_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    most = 2 * PORTION + 7
    begun = Progress(5)
    assert list(begun.missing(most)) == [(0, PORTION), (1, PORTION), (2, 7)]
    begun.add(1, Found(Counter({("arf", "events"): 3, ("arf", "none"): PORTION - 3})))
    begun.save(tmp_path)
    resumed = load(tmp_path, 5)
    assert (resumed.inputs, list(resumed.missing(most))) == (PORTION, [(0, PORTION), (2, 7)])
    resumed.add(0, Found(Counter({("arf", "events"): 1})))
    assert resumed.counts["arf"]["events"] == 4
    assert load(tmp_path, 6) == Progress(6)


def some(*numbers: int) -> Iterator[tuple[int, int]]:
    return iter([(number, 40) for number in numbers])


def test_portions_read_by_processes_are_the_same_as_read_here() -> None:
    apart = dict(read_portions(3, some(0, 1), 2, lambda: True))
    assert {number: found.counts for number, found in apart.items()} == {
        number: run(3, 40, portion=number).counts for number in (0, 1)
    }


def test_an_input_that_ends_its_process_is_named() -> None:
    def dies_at_seven(seed: int, most: int, **given: Any) -> Found:
        given["note"](7)
        os._exit(11)

    [(_, found)] = read_portions(3, some(2), 1, lambda: True, dies_at_seven)
    name, raw = next(islice(inputs(3, 2), 7, None))
    assert found.broken == [(name, raw, "the process ended with 11")]
