"""Of whom nobody can tell whether complaints are a batch of a provider: two were struck, and nobody was spared."""

import pytest

from streams.incidents.complained_together import may_be_a_batch
from streams.incidents.detect import Account, Seen


def account(name: str, here: tuple[int, int], elsewhere: tuple[int, int] = (0, 0), owner: str = "") -> Account:
    """Deliveries and complaints at the provider, and at all others that report."""
    return Account(name, owner or name, "", Seen(*here), Seen(0, 0), Seen(*elsewhere), Seen(0, 0))


CASES = {
    "two at one per cent": ([account("a", (8_400, 82)), account("b", (760, 12))], True),
    "and a third one of whose few mails none was": (
        [account("a", (8_400, 82)), account("b", (760, 12)), account("c", (90, 0))],
        True,
    ),
    "a third one is spared": (
        [account("a", (8_400, 82)), account("b", (760, 12)), account("c", (900, 0))],
        False,
    ),
    "a fourth one is spared, of a week that is longer than the batch": (
        [account("a", (800, 10)), account("b", (700, 7)), account("c", (8_000, 36)), account("d", (350, 0))],
        True,
    ),
    "a third and a fourth one are spared": (
        [*(account(name, (800, 10)) for name in "ab"), *(account(name, (900, 0)) for name in "cd")],
        False,
    ),
    "one alone": ([account("a", (8_400, 82))], False),
    "a second one by chance": ([account("a", (8_400, 82)), account("b", (100, 1))], False),
    "two accounts of one owner": (
        [account("a", (8_400, 82), owner="x.example"), account("b", (760, 12), owner="x.example")],
        False,
    ),
    "complained of elsewhere as well": ([account("a", (8_400, 82), (5_000, 40)), account("b", (760, 12))], False),
    "mail elsewhere is as usual": ([account("a", (8_400, 82), (5_000, 2)), account("b", (760, 12))], True),
    "the other one is complained of": (
        [account("a", (8_400, 2)), account("b", (760, 12)), account("c", (90, 9))],
        False,
    ),
    "it did not send there": ([account("b", (760, 12)), account("c", (90, 9))], False),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    accounts, expected = CASES[name]
    assert may_be_a_batch(accounts, "a") == expected
