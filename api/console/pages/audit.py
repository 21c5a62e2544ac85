"""The audit: who decided what, of whom, when and why; and, if asked for, verdicts and what operators read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from api.console.forms import optional_utc_ms, text
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import SharedPages
from api.console.visits import Reading
from api.routes import cursors
from jobs.operator.audit import Entry, actions, entries
from schemas.times import DAY_MS
from schemas.wording import rfc3339
from streams.io.store import Store

router = console_router()
PATH = "/console/audit"
#: Entries of a page; days that are looked back if nobody says from when; so many in one moment are told apart.
SHOWN, DAYS, MOST_AT_ONCE = 50, 30, 20_000


@dataclass(frozen=True, slots=True)
class AuditAsked:
    """What of the audit, and which page: those at or before a time (epoch ms), without the first `skip` of them."""

    who: str = ""
    action: str = ""
    customer: str = ""
    since_ms: int = 0
    until_ms: int = 0
    verdicts: bool = False
    reads: bool = False
    at_ms: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One entry, with the rest of what is known in words."""

    entry: Entry
    detail: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AuditView:
    """A page of the audit; `actions` are what was done in this time, and how often."""

    asked: AuditAsked
    filters: Mapping[str, str]
    lines: tuple[AuditLine, ...]
    actions: Mapping[str, int]
    after: str
    is_first: bool

    @property
    def begin(self) -> str:
        """The page with the latest."""
        return f"{PATH}?{urlencode(self.filters)}"


def audit_asked(query: Mapping[str, str], now_ms: int) -> tuple[AuditAsked, dict[str, str]]:
    """What an address asks for, and its filters as fields.

    Raises:
        ApiError: 422, a time or a cursor that is none.
    """
    since = optional_utc_ms(query, "from", "From")
    until = optional_utc_ms(query, "until", "Until")
    filters = {name: text(query, name) for name in ("who", "action", "customer", "from", "until")}
    filters |= {name: "1" for name in ("verdicts", "reads") if query.get(name)}
    filters = {name: value for name, value in filters.items() if value}
    end_ms = now_ms if until is None else until
    same = cursors.question("console audit", **filters)
    at_ms, skip = cursors.after(same, query.get("after") or None, tuple[int, int], (end_ms, 0))
    asked = AuditAsked(
        who=filters.get("who", ""),
        action=filters.get("action", ""),
        customer=filters.get("customer", ""),
        since_ms=end_ms - DAYS * DAY_MS if since is None else since,
        until_ms=end_ms,
        verdicts="verdicts" in filters,
        reads="reads" in filters,
        at_ms=min(at_ms, end_ms),
        skip=min(skip, MOST_AT_ONCE),
    )
    return asked, filters


def audit_view(
    asked: AuditAsked, filters: Mapping[str, str], found: list[Entry], known: Mapping[str, int], *, is_first: bool
) -> AuditView:
    """The view of entries that begin at the page's time, one more than are shown where there is another page. Pure."""
    rest = found[asked.skip :]
    shown = rest[:SHOWN]
    after = ""
    if len(rest) > len(shown):
        last = shown[-1].time_ms
        skip = sum(each.time_ms == last for each in found[: asked.skip + len(shown)])
        after = cursors.cursor(cursors.question("console audit", **filters), (last, skip))
    return AuditView(
        asked=asked,
        filters=filters,
        lines=tuple(AuditLine(each, tuple(details(each.detail))) for each in shown),
        actions=known,
        after=f"{PATH}?{urlencode({**filters, 'after': after})}" if after else "",
        is_first=is_first,
    )


def details(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else is known, as names and values for people: times (epoch ms) are RFC 3339. Pure."""
    found = []
    for name, value in detail.items():
        if value in ("", None, [], {}):
            continue
        if name.endswith("_ms") and isinstance(value, int):
            found.append((name.removesuffix("_ms").replace("_", " "), rfc3339(value)))
        else:
            said = ", ".join(map(_word, value)) if isinstance(value, list) else _word(value)
            found.append((name.replace("_", " "), said))
    return found


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def read_audit(store: Store, query: Mapping[str, str], now_ms: int) -> AuditView:
    """The page that an address asks for.

    Raises:
        ApiError: 422, a time or a cursor that is none.
        StoreError: the store failed.
    """
    asked, filters = audit_asked(query, now_ms)
    found = entries(
        store,
        asked.since_ms,
        asked.skip + SHOWN + 1,
        customer=asked.customer,
        verdicts=asked.verdicts or asked.action.startswith("verdict "),
        reads=asked.reads or asked.action == "read",
        until_ms=asked.at_ms,
        who=asked.who,
        action=asked.action,
    )
    return audit_view(asked, filters, found, actions(store, asked.since_ms), is_first=not query.get("after"))


@router.get("/audit")
def get_audit(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """The page."""
    query = request.query_params
    visit.on_record(text(query, "customer"))

    def read() -> AuditView:
        with visit.service.stores.lend() as store:
            return read_audit(store, query, visit.now_ms)

    return page(request, "audit.html", shared.last.get((PATH, request.url.query), visit.now_ms, read))
