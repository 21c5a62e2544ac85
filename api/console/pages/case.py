"""The case of a customer: how it stands, why, how sure that is, what happens next, and what can be done."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.console.case.last import LastPages, last_pages
from api.console.case.letters import EditedMail, MailDraft, draft, mail_writer, no_draft
from api.console.case.reading import METRICS, RANGES, CaseAsked, CaseFacts, read_case
from api.console.case.view import CaseView, case_view
from api.console.fleet.rows import FleetRow
from api.console.fleet.table import FleetQuery
from api.console.rendering import HEADERS, page
from api.console.routing import console_router
from api.console.service import Console, ConsoleService
from api.console.templating import customer_url
from api.console.visits import Reading, Visit, Watching
from api.http.models.parameters import Metric
from api.http.problems import ApiError
from api.routes.asking_operators import refusing
from jobs.operator.decisions import check_known
from schemas.settings import SettingsError
from streams.io.store import StoreError

router = console_router()
#: What is said after an act, by its name in the address.
DONE = {
    "acknowledged": "Acknowledged. It is on record.",
    "overridden": "The override is in force. Monitors judge by it within seconds.",
    "ended": "The override has ended. Monitors judge without it within seconds.",
    "suspended": "The customer stands as suspended. It is on record, and your systems are told.",
    "reinstated": "The customer is reinstated. It is on record, and your systems are told.",
    "fresh": "The customer is reinstated, and its windows begin anew. It is on record, and your systems are told.",
    "sent": "The mail was handed to the mail server. What was sent is on record.",
}


async def begin_fleet(console: Console, visit: Watching) -> None:
    """Have the fleet be read, if it is not yet: by whom pools are shared is known of it."""
    await console.fleet.look(FleetQuery(), 0.0)


@router.get("/customers")
def get_named(request: Request, visit: Reading) -> Response:
    """Whose page is asked for by a field: names that browsers take for folders, and what was typed."""
    name = request.query_params.get("name", "")
    if name in (".", ".."):
        return show(request, visit, name)
    return RedirectResponse(customer_url(name) if name else "/console/", HTTPStatus.SEE_OTHER, HEADERS)


@router.get("/customers/{customer:path}", dependencies=[Depends(begin_fleet)])
def get_case(customer: str, request: Request, visit: Reading) -> Response:
    """The page."""
    return show(request, visit, customer)


def show(
    request: Request,
    visit: Visit,
    customer: str,
    fault: str = "",
    status: int = HTTPStatus.OK,
    edited: EditedMail | None = None,
) -> Response:
    """The page of a customer; with `fault` after something that was refused, such as the mail as it was `edited`.

    Raises:
        ApiError: 404, nothing is stored of it; 503, it cannot be put on record that it was looked at.
        StoreError: the store failed, and nothing is known from before.
    """
    visit.on_record(customer)
    query = request.query_params
    asked = CaseAsked(customer, _range(query.get("range", "")), _metric(query.get("metric", "")))
    last = _last(request)
    try:
        facts = read_case(visit.service, asked, visit.now_ms)
        view = case_view(facts, visit.service.settings.hook, _fleet(request))
    except StoreError:
        known = last.find(asked) or next((view for key, view in last.all()[::-1] if key.customer == customer), None)
        if known is None:
            raise
        stale = replace(known, stale_ms=max(1, visit.now_ms - known.now_ms), fault=fault)
        return page(request, "case.html", stale, status)
    if view is None:
        with refusing(), visit.service.stores.lend() as store:
            check_known(store, customer)
        raise ApiError(HTTPStatus.NOT_FOUND, f"nothing is stored of customer {customer!r} yet")
    kind, language = query.get("mail", ""), query.get("language", "")
    view = replace(view, mail=_mail(visit, facts, view, kind, language), mail_chosen=bool(kind or language))
    last.keep(asked, view)
    done = DONE.get(query.get("done", ""), "") if not fault else ""
    if edited and view.mail:
        mail = replace(view.mail, to=edited.to, subject=edited.subject, text=edited.text)
        view = replace(view, mail=mail, edited=True)
    return page(request, "case.html", replace(view, fault=fault, done=done), status)


def _mail(visit: Visit, facts: CaseFacts, view: CaseView, kind: str, language: str) -> MailDraft | None:
    """The mail that would be sent; what keeps it from being written is said in its place."""
    settings = visit.service.settings
    try:
        writer = mail_writer(settings.mail, facts.delisting)
        if facts.explanation is None:
            return None
        return draft(
            writer,
            settings,
            facts.explanation,
            facts.last_alerts,
            view.head.alert,
            facts.account,
            facts.now_ms,
            kind,
            language,
        )
    except SettingsError as error:
        return no_draft(str(error))


def case_url(customer: str, **query: str) -> str:
    """The page of a customer with more in its address."""
    address = customer_url(customer)
    more = urlencode({name: value for name, value in query.items() if value})
    return f"{address}{'&' if '?' in address else '?'}{more}" if more else address


def _fleet(request: Request) -> Sequence[FleetRow]:
    console = request.app.state.console
    assert isinstance(console, ConsoleService)  # noqa: S101
    return console.fleet.state.table.rows


def _last(request: Request) -> LastPages[CaseAsked, CaseView]:
    return last_pages(request.app.state, "last_cases")


def _range(name: str) -> str:
    return name if name in RANGES else CaseAsked("").range


def _metric(name: str) -> Metric | None:
    return next((each for each in METRICS if each == name), None)
