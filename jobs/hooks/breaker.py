"""When the breaker opens: more customers acted on than a person expects are most likely a fault, so nobody is acted on
any more until a person has looked. Pure."""

from schemas.hook import Hook
from schemas.times import HOUR_MS
from schemas.wording import percent


def why_open(hook: Hook, lately: int, since_closed: int, active: int) -> str:
    """Why the breaker is to open before one more customer is acted on, or empty.

    `lately` and `since_closed` count customers with that one: begun in the last hour, and in force since the breaker
    was last closed, of so many active ones.
    """
    if lately > hook.max_per_hour:
        return f"{lately:,} customers within an hour (hook.max_per_hour is {hook.max_per_hour:,})"
    if since_closed > max(hook.share_from, int(hook.max_share * active)):
        return (
            f"{since_closed:,} of {active:,} active customers would be acted on (hook.max_share is "
            f"{percent(hook.max_share)}, hook.share_from {hook.share_from:,})"
        )
    return ""


def counted_from(closed_ms: int, now_ms: int) -> int:
    """Since when customers count for the limit of an hour (epoch ms): who closes the breaker allows as many again."""
    return max(closed_ms, now_ms - HOUR_MS)
