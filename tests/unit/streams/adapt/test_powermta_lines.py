"""PowerMTA's accounting files line by line."""

import pickle

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, ordered_adapter
from streams.adapt.powermta_lines import MOST_LINES, AccountingLines

CONTEXT = Context(b"a key", load_providers())
HEADER = "type,timeLogged,rcpt,dsnStatus,dsnDiag,vmta"
WHOLE = "b,1740993072,iris@gmail.com,5.1.1,smtp;550 no,acme"
LONG = 'b,1740993073,juno@gmail.com,5.1.1,"smtp;550-5.1.1 gone\n550-5.1.1 since ""then""\n550 5.1.1 gsmtp",acme'
TORN = 'b,1740993074,kim@gmail.com,5.1.1,"smtp;550-5.1.1 go'


def read(text: str, lines: AccountingLines | None = None) -> list[str]:
    """Domains and diagnostics of the events, and the errors in their place."""
    lines = lines or AccountingLines()
    found: list[str] = []
    for line in text.split("\n"):
        try:
            found += [event.diagnostic for event in lines.adapt(line.encode(), CONTEXT)]
        except AdaptError as error:
            found.append(f"error: {error}")
    return found


def test_record_of_several_lines_is_one() -> None:
    assert read(f"{HEADER}\n{WHOLE}\n{LONG}\n{WHOLE}") == [
        "550 no", '550-5.1.1 gone\n550-5.1.1 since "then"\n550 5.1.1 gsmtp', "550 no",
    ]  # fmt: skip


@pytest.mark.parametrize("cut", range(1, 6))
def test_memory_holds_the_lines_of_a_record_that_has_not_ended(cut: int) -> None:
    lines = f"{HEADER}\n{WHOLE}\n{LONG}\n{WHOLE}".split("\n")
    first, second = AccountingLines(), AccountingLines()
    found = read("\n".join(lines[:cut]), first)
    second.memory = pickle.loads(pickle.dumps(first.memory))  # noqa: S301 -- its own
    assert found + read("\n".join(lines[cut:]), second) == read("\n".join(lines))


@pytest.mark.parametrize("after", [[], [HEADER], [WHOLE, HEADER, WHOLE]])
def test_record_that_was_cut_off_costs_itself_alone(after: list[str]) -> None:
    found = read("\n".join([HEADER, WHOLE, TORN, *after, WHOLE, WHOLE, LONG]))
    assert found[1].startswith("error: the record before was cut off within quotes: b'b,1740993074,kim")
    assert [each for each in found if each.startswith("error")] == found[1:2]
    assert len(found) == 5 + after.count(WHOLE)


def test_bad_record_behind_one_that_was_cut_off_is_an_error_too() -> None:
    found = read("\n".join([HEADER, TORN, "b,never,x,,,acme", WHOLE, "d,1", WHOLE, HEADER]))
    assert [each[:40] for each in found] == [
        "error: the record before was cut off wit",
        "error: field `timeLogged`: 'never' is ne",
        "550 no",
        "error: the record has 2 fields, the head",
        "550 no",
    ]


def test_quote_that_nothing_closes_is_given_up() -> None:
    found = read("\n".join([HEADER, TORN, *["more"] * MOST_LINES, WHOLE]))
    assert found[0].startswith(f"error: a quote is open for {MOST_LINES + 1} lines: b'b,1740993074")
    assert found[-1] == "550 no"


def test_json_may_have_any_number_of_quotes() -> None:
    line = '{"type": "b", "timeLogged": 1740993072, "rcpt": "i@x.y", "dsnDiag": "smtp;550 5\\" disk", "vmta": "acme"}'
    assert read(f"{line}\n{line}") == ['550 5" disk'] * 2


def test_logs_that_are_followed_are_read_so() -> None:
    found = ordered_adapter("powermta")
    assert isinstance(found, AccountingLines)
    text = f"{HEADER}\n{LONG}"
    events: list[MailEvent] = [event for line in text.split("\n") for event in found.adapt(line.encode(), CONTEXT)]
    assert [event.recipient_domain for event in events] == ["gmail.com"]
