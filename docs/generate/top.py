"""docs/top.md: the table of the worst customers, as the renderer draws it."""

import io
from collections.abc import Sequence

from rich.console import Console

from api.explain.worst import WorstLine, WorstRate
from api.text.top import COLUMNS, plain, table

HEAD = """# The live table

`repmon top` shows the worst customers on a terminal and reads them again every second; `repmon demo` shows the same
table. `repmon top --once` prints it once, in a pipe as plain lines with names in full, and `--json` one object a line.

| key | what it does |
|---|---|
| Enter, or a click on a line | Why the customer stands so, as `repmon explain` says it. Esc leads back. |
| `/` | Only customers with a text in their name; an empty text shows all. |
| `l` | Fewer standings: all, not well, excessive or critical, critical. |
| `s`, `S` | The next order, the one before. A click on a heading sorts by it. |
| Space | Pause: what is shown stays, with its age. |
| `j` `k` `g` `G`, arrows, Page Up, Page Down, the wheel | Move. The line stays on its customer when others pass it. |
| `?` | These keys. |
| `q`, Ctrl-C | End. |

The store sorts and filters, so the first line is the first of all customers; 200 lines can be scrolled, or as many as
`--limit` says, and then the first line has *of the first 200*. Where the store fails, the last lines stay and the first
line says why and how old they are.

| column | what it says |
|---|---|
"""
RATES = (
    "The rate of mail sent in the last 24 hours, as it is judged. `+` marks that more came in that time about mail of "
    "an unknown time, most likely sent before (in a pipe with how many). One that rests on less mail than the minimum "
    "volume of every rule that judges it over 24 hours is no rate to go by: it is shown as how many of how many."
)
MEANINGS = {
    "customer": "Whose mail; in brackets the stream, where one stands badly by itself. `pool NAME` and the like are "
    "the small customers who share it.",
    "standing": "The worst level of any rule. `suspended` and `reinstated` are what [people decided](score.md), "
    "`too few` that there is too little mail to judge by any rule. `*` marks for whom an override holds, of the policy "
    "or `repmon override`. `inactive` is who is judged well and sent nothing for the policy's `inactive_after`, "
    "and for longer than [its own rhythm](score.md) explains.",
    "for": "For how long it has stood so.",
    "rule": "The rule of the policy that decides.",
    "mail": "Recipients whose fate became known in the last 24 hours.",
    "complaints": RATES + " `not seen`: hardly any of the mail went to providers with a feedback loop, so nobody knows "
    "who minds it ([policy.md](policy.md#what-cannot-be-seen)); in a pipe with how much, over the longest window.",
    "failures": "Likewise.",
    "blocks": "Likewise.",
    "exposure": "Likewise.",
    "score": "From 0 to 100, the best ([score.md](score.md)).",
}
AFTER = """
`repmon explain CUSTOMER` says everything about one of them.

A line never wraps. Columns are as wide as the terminal allows, whatever is in them, so they stay where they are; on a
narrow terminal the least important are left out. Long names keep their beginning and their end. On 80 cells:
"""
BETWEEN = """
On 120 cells:
"""
PIPE = """
In a pipe (the first of them):
"""
TAIL = """
What comes in with events cannot steer the terminal: see [Names](formats.md). In names that are stored already, control
characters are shown escaped (`\\x1b`).
"""
NOW_MS = 1_764_547_200_000
MINUTE_MS = 60_000
NOTHING = WorstRate(0.0)


def _line(
    customer: str, standing: str, minutes: int, rule: str, failed: int, volume: int, complained: tuple[int, int],
    *, scope: str = "customer", overridden: bool = False, blocked: int = 0, score: int | None = None, least: int = 200,
    unseen: tuple[int, int] | None = None,
) -> WorstLine:  # fmt: skip
    of_loop = complained[1]
    return WorstLine(
        customer=customer,
        scope=scope,
        standing=standing,
        since_ms=NOW_MS - minutes * MINUTE_MS,
        rule=rule,
        overridden=overridden,
        volume=volume,
        complaint=WorstRate(complained[0] / of_loop if of_loop else 0.0, complained, of_loop >= 1_000, unseen),
        failure=WorstRate(failed / volume, (failed, volume), volume >= least),
        block=WorstRate(blocked / volume, (blocked, volume), volume >= least),
        exposure=NOTHING,
        score=score,
    )


LINES = (
    _line("larkspur-deals", "critical", 42, "failure", 6_212, 41_080, (21, 18_400), blocked=311, score=3),
    _line(
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "excessive", 190, "complaint", 1_377, 96_410, (188, 44_050), score=31
    ),
    _line(
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "excessive", 190, "complaint", 402, 30_114, (97, 15_002),
        scope="stream:newsletter-weekly-europe", score=24,
    ),
    _line("株式会社メール配信サービス東京本社", "suspended", 2_980, "failure", 960, 11_402, (4, 5_120), score=12),
    _line(
        "the-very-long-name-of-a-customer-who-likes-to-say-everything-in-it", "warning", 610, "failure", 1_208, 33_870,
        (9, 15_800), overridden=True, score=58,
    ),
    _line("acme-retail", "good", 20_160, "", 12, 1_204, (7, 545), score=97),
    _line("b2b-mailings", "good", 20_160, "", 210, 60_000, (0, 0), score=71, unseen=(0, 60_000)),
    _line("a", "insufficient_volume", 55, "", 3, 61, (0, 22)),
)  # fmt: skip


def page() -> str:
    """The page, Markdown."""
    first = "\n".join(plain(each, NOW_MS) for each in LINES[:1])
    meanings = "".join(f"| {each.column.heading} | {MEANINGS[each.column.heading]} |\n" for each in COLUMNS)
    pictures = (AFTER, _block(picture(80)), BETWEEN, _block(picture(120)), PIPE, _block(first))
    return "".join([HEAD, meanings, *pictures, TAIL])


def picture(width: int, lines: Sequence[WorstLine] = LINES) -> str:
    """What a terminal of a width shows, without colors."""
    out = io.StringIO()
    Console(file=out, width=width).print(table(lines, "worst customers at http://127.0.0.1:8123", NOW_MS, width))
    return out.getvalue().removesuffix("\n")


def _block(text: str) -> str:
    return f"\n```text\n{text}\n```\n"
