"""`repmon judge`: counts as JSON lines in, what a policy says of each as JSON lines out, in the same order.

The operator's way to try a policy, and another system's way to have its own counts judged.
"""

import sys
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import click
import msgspec
from msgspec import Meta

from api.cli.lazy import command
from api.text.json_lines import answer_lines
from schemas import policy as policies
from schemas.policy import Policy
from schemas.policy_metric import BURNS, SPIKE, Metric, Window
from schemas.standing import Standing
from schemas.times import utc_now_ms
from streams.adapt.common import plain
from streams.judge.one_window import opened
from streams.judge.verdict import RANK

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Said = tuple[float, float, float, Standing]


class GivenCounts(msgspec.Struct):
    """One line: what was counted of a customer in a window, and for a burn the denominator of the rule's period.

    Fields that are not named here are ignored.
    """

    customer: Annotated[str, Meta(min_length=1)]
    metric: Metric
    window: Window
    numerator: Count
    denominator: Count
    period_denominator: Count | None = None


class Judged(msgspec.Struct):
    """What the policy says of it. Rate and bounds are ratios (0.003 is 0.3 %), numbers of listings, or burns."""

    customer: str
    metric: str
    window: str
    rate: float
    lower: float
    upper: float
    level: Standing


_DECODER = msgspec.json.Decoder(GivenCounts)


@command("repmon judge --policy stricter.toml < counts.jsonl", name="judge")
@click.option("--policy", "file", required=True, type=click.Path(path_type=Path), help="The policy to judge by.")
def judge_counts(file: Path) -> None:
    """Judge counts on standard input by a policy.

    JSON lines in, and out in the same order: rate, interval and level. A line has customer, metric, window, numerator
    and denominator, for a burn period_denominator too; it is judged by its window alone. Overrides of the policy that
    are in force now hold. Rules on the mail to some mailbox providers alone are left out, since a line is about all
    mail.
    """
    policy = policies.load_policy(file)
    if not judge_lines(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, policy, utc_now_ms()):
        raise click.exceptions.Exit(1)


def judge_lines(lines: IO[bytes], out: IO[bytes], problems: IO[str], policy: Policy, now_ms: int) -> bool:
    """Answer every line of `lines` in `out`; True if all could be judged (see `answer_lines`)."""
    return answer_lines(lines, out, problems, partial(judged, policy=policy, now_ms=now_ms))


def judged(line: bytes, policy: Policy, now_ms: int) -> Judged:
    """The verdict on one line. `now_ms` (epoch ms) says which overrides are in force.

    Of several rules on the metric the one with the worst level speaks; a rule with enough mail takes precedence over
    one without.

    Raises:
        ValueError: not JSON, a field that is wrong, or no rule judges this metric over this window.
    """
    try:
        given = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(plain(error)) from error
    if given.metric in BURNS and given.period_denominator is None:
        raise ValueError(f"period_denominator: missing, and {given.metric} is judged by that of the rule's period")
    if given.metric == SPIKE:
        raise ValueError(f"{SPIKE} is judged by the customer's own last weeks, which a line does not have")
    period = given.period_denominator or 0
    found: list[Said] = [
        opened(rule, given.window, given.numerator, given.denominator, policy.confidence, period)
        for rule in policy.rules_for(given.customer, "customer", now_ms)
        if rule.metric == given.metric and given.window in rule.windows and not rule.mail_to
    ]
    if not found:
        raise ValueError(f"no rule of the policy judges {given.metric} over {given.window} of all mail")
    rate, lower, upper, level = max(found, key=_badness)
    return Judged(given.customer, given.metric, given.window, rate, lower, upper, level)


def _badness(said: Said) -> int:
    return -1 if said[3] == "insufficient_volume" else RANK[said[3]]
