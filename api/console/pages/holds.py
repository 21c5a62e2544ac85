"""One hold: whose alerts are held, and deciding of all or of some of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Request, Response

from api.console.forms import deciding, reason, text, whole
from api.console.happened import Happened, after_act, happened
from api.console.held import HeldFigures, held_figures
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import SharedPages
from api.console.visits import Acting, Reading
from api.http.problems import ApiError
from jobs.operator.decisions import NoSuchError
from jobs.operator.holds import HeldCustomer, HoldShown, decide_hold, shown_holds
from streams.io.store import Store

router = console_router()
PATH = "/console/holds"
#: Customers of one page.
SHOWN = 100

Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold with the customers of a page, of `matching` whose name has the text that was looked for; and by which
    figures each of them rose, where that is known."""

    shown: HoldShown
    customers: tuple[HeldCustomer, ...]
    matching: int
    skip: int
    name: str
    done: Happened | None = None
    figures: Mapping[str, HeldFigures] = field(default_factory=dict)

    @property
    def before(self) -> str:
        """The page before; empty on the first."""
        return self._url(max(0, self.skip - SHOWN)) if self.skip else ""

    @property
    def after(self) -> str:
        """The page after; empty on the last."""
        last = self.skip + len(self.customers)
        return self._url(last) if last < self.matching else ""

    def _url(self, skip: int) -> str:
        return f"{PATH}/{self.shown.hold.id}?{urlencode({'name': self.name, 'skip': skip})}"


def hold_view(shown: HoldShown, name: str, skip: int, done: Happened | None = None) -> HoldView:
    """A page of a hold: who is critical first. Pure."""
    found = [each for each in shown.held if name.casefold() in each.customer.casefold()]
    found.sort(key=lambda each: (each.level != "critical", each.customer))
    return HoldView(shown, tuple(found[skip : skip + SHOWN]), len(found), skip, name, done)


def find_hold(store: Store, name: str) -> HoldShown:
    """The hold of an id, or of a unique prefix of one.

    Raises:
        NoSuchError: there is none, or several.
        StoreError: the store failed.
    """
    found = [each for each in shown_holds(store) if each.hold.id.startswith(name)]
    if len(found) != 1:
        raise NoSuchError(f"there is no hold with the id {name!r}")
    return found[0]


@router.get("/holds/{name}")
def get_hold(request: Request, name: Id, visit: Reading, shared: SharedPages) -> Response:
    """The hold."""
    visit.on_record("")
    query = request.query_params

    def read() -> HoldView:
        with deciding(), visit.service.stores.lend() as store:
            shown = find_hold(store, name)
            view = hold_view(shown, text(query, "name"), whole(query, "skip", 0), happened(store, query))
            return replace(view, figures=held_figures(store, shown.hold.id, [each.customer for each in view.customers]))

    return page(request, "hold.html", shared.of_moment.get((PATH, name, request.url.query), visit.now_ms, read))


@router.post("/holds/{name}")
def post_decision(name: Id, visit: Acting, shared: SharedPages) -> Response:
    """Confirm or release what is held: of all, or of those who were chosen."""
    what, chosen = visit.form.get("decision", ""), visit.all("customer")
    if visit.form.get("of") == "chosen" and not chosen:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "nobody is chosen: tick customers, or decide of all")
    if what not in ("release", "confirm"):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "decide to release or to confirm")
    with deciding(), visit.service.stores.lend() as store:
        hold, _ = decide_hold(
            store,
            name,
            confirm=what == "confirm",
            customers=chosen if visit.form.get("of") == "chosen" else (),
            by=visit.who,
            why=reason(visit.form),
            now_ms=visit.now_ms,
        )
    shared.of_moment.forget()
    return after_act(f"{PATH}/{hold.id}", visit.now_ms, hold.id)
