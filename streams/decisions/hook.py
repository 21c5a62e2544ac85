"""What people decided of a suspension hook, as the table `audit` has it: approvals, and that its breaker was closed.

The breaker is opened by the hook itself; that is a row of `audit` too, so what is newer of the two is in force.
"""

from dataclasses import dataclass

from streams.io.store import Store

BREAKER_OPENED, BREAKER_CLOSED = "breaker opened", "breaker closed"
APPROVED = "suspension approved"
#: So many people approve what is done about a large customer.
APPROVALS = 2

LAST = """
SELECT action, who, why, toUnixTimestamp64Milli(audit.time) FROM audit
WHERE action IN {actions:Array(String)} AND subject = {subject:String}
ORDER BY audit.time DESC, action LIMIT 1
"""
WHO_APPROVED = """
SELECT DISTINCT who FROM audit WHERE action = {action:String} AND subject = {subject:String} ORDER BY who
"""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether it is open, since when (epoch ms), by whom and why."""

    is_open: bool
    since_ms: int = 0
    who: str = ""
    why: str = ""


def breaker_subject(mode: str) -> str:
    """What the rows of `audit` are about; `mode` is `act` or `dry`."""
    return f"suspend-hook ({mode})"


def read_breaker(store: Store, mode: str) -> Breaker:
    """The breaker of a mode as it is now.

    Raises:
        StoreError: the store failed.
    """
    asked = {"actions": [BREAKER_OPENED, BREAKER_CLOSED], "subject": breaker_subject(mode)}
    for action, who, why, since_ms in store.rows(LAST, asked):
        return Breaker(action == BREAKER_OPENED, int(since_ms), str(who), str(why))
    return Breaker(is_open=False)


def approved_by(store: Store, cycle: str) -> list[str]:
    """Who approved what is to be done; a name counts once however it is written.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(WHO_APPROVED, {"action": APPROVED, "subject": cycle})
    return list({same_name(str(who)): str(who) for (who,) in rows}.values())


def same_name(who: str) -> str:
    """A person's name as it is compared."""
    return " ".join(who.split()).casefold()
