"""What accounts had at a provider, elsewhere and before, from sums that are kept: the same as added up each time."""

from collections.abc import Collection, Iterable
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from schemas.incident import EVERYWHERE
from schemas.times import DAY_S, HOUR_S
from streams.incidents.accounts import Accounts, ByProvider, CellCounts
from streams.incidents.detect import BAD_HISTORY, LEAST_STRUCK, Account, Outcome, Seen, find

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
PROVIDERS, CUSTOMERS, HOURS = ("a", "b", "c"), ("x", "y"), (0, HOUR_S, DAY_S)
CELLS = st.builds(CellCounts, *[st.integers(-5, 100)] * 6)
BY_PROVIDER = st.dictionaries(st.sampled_from(PROVIDERS), CELLS)
BY_CUSTOMER = st.fixed_dictionaries(dict.fromkeys(CUSTOMERS, BY_PROVIDER))
READ = st.fixed_dictionaries(dict.fromkeys(HOURS, BY_CUSTOMER))
BEFORE = st.fixed_dictionaries({day: st.dictionaries(st.sampled_from(CUSTOMERS), BY_PROVIDER) for day in (0, DAY_S)})
WITHOUT = st.sets(st.tuples(st.sampled_from(PROVIDERS), st.sampled_from(HOURS)))


def asked_of(read: dict[int, ByProvider]) -> dict[tuple[str, int], list[str]]:
    return {
        (place, hour): [each for each in CUSTOMERS if place == EVERYWHERE or place in read[hour][each]]
        for place in (*PROVIDERS, EVERYWHERE)
        for hour in HOURS
    }


def together(cells: Iterable[CellCounts]) -> CellCounts:
    return CellCounts(*map(sum, zip(CellCounts(), *cells, strict=True)))


@given(READ, BEFORE, WITHOUT)
def test_sums_that_are_kept_are_those_added_up_each_time(
    read: dict[int, ByProvider], before: dict[int, ByProvider], without: Collection[tuple[str, int]]
) -> None:
    asked = asked_of(read)
    accounts = Accounts(read, asked, {("x", "from"): "x.example"}, before)
    for (place, hour), who in asked.items():
        for outcome in OUTCOMES:
            found = accounts.of(place, hour, outcome, without)
            assert [each.customer for each in found] == who
            for each in found:
                cells = read[hour][each.customer]
                history = before[hour // DAY_S * DAY_S].get(each.customer, {})
                others = {value for value in cells if value != place and (value, hour) not in without}
                rest = together(cells[value] for value in others)
                everywhere = place == EVERYWHERE
                assert each.here == (rest if everywhere else cells[place]).seen(outcome)
                assert each.elsewhere == (CellCounts() if everywhere else rest).seen(outcome)
                assert each.history == together(history.values()).failures(outcome)
                usual = together(history.values()) if everywhere else history.get(place, CellCounts())
                assert each.usual == usual.seen(outcome)
                assert each.owner == ("x.example" if each.customer == "x" else each.customer)


@given(READ, BEFORE, st.sampled_from(OUTCOMES))
def test_no_more_can_have_been_struck_than_had_failures(
    read: dict[int, ByProvider], before: dict[int, ByProvider], outcome: Outcome
) -> None:
    accounts = Accounts(read, asked_of(read), {}, before)
    for place, hour in accounts.asked:
        some = accounts.of(place, hour, outcome, ())
        assert sum(each.here.failed > 0 for each in some) <= accounts.failing(place, hour, outcome) <= len(some)


def test_who_has_given_up_nothing_since_an_hour_is_not_told_of_it() -> None:
    here = CellCounts(finished=50, delivered=50)
    read: dict[int, ByProvider] = {hour: {"x": {"a": here}, "y": {"a": here}} for hour in HOURS}
    accounts = Accounts(read, asked_of(read), {}, {}, {"x": HOUR_S})
    told = {hour: [each.told for each in accounts.of("a", hour, "expired", ())] for hour in HOURS}
    assert told == {0: [True, False], HOUR_S: [True, False], DAY_S: [False, False]}
    assert all(each.told for each in accounts.of("a", HOUR_S, "hard", ()))


ACCOUNTS = st.lists(
    st.builds(
        Account,
        customer=st.sampled_from("abcdefgh"),
        owner=st.sampled_from("abcdefgh"),
        pool=st.just(""),
        here=st.builds(Seen, st.integers(0, 500), st.integers(0, 500)),
        usual=st.just(Seen(1_000, 1)),
        elsewhere=st.just(Seen(0, 0)),
        history=st.just(Seen(10_000, 10)),
        bad=st.just(BAD_HISTORY),
    ),
    max_size=8,
)


@given(ACCOUNTS, st.sampled_from(OUTCOMES))
def test_where_too_few_had_failures_nothing_is_found(accounts: list[Account], outcome: Outcome) -> None:
    found = find(outcome, accounts, Seen(100_000, 100))
    assert found is None or sum(each.here.failed > 0 for each in accounts) >= LEAST_STRUCK
