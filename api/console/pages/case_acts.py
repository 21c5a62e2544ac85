"""What operators decide on a case page: acknowledge, override, suspend, reinstate, each with a reason; and mail.

The forms have addresses of their own, as a customer may have any name, and lead back to the page, which shows what was
decided as the store has it.
"""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.console.case.letters import EditedMail, send
from api.console.forms import in_words
from api.console.pages.case import case_url, show
from api.console.rendering import HEADERS
from api.console.routing import console_router
from api.console.visits import Acting, Visit
from api.http.problems import ApiError
from jobs.hooks.stored import last_alerts
from jobs.operator.decisions import (
    DecidedError,
    DecisionError,
    NoSuchError,
    acknowledge,
    add_override,
    check_known,
    end_override,
    given,
)
from jobs.operator.suspensions import suspend, unsuspend
from schemas.errors import InvalidInputError
from schemas.times import HOUR_MS
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store

router = console_router()
#: Alerts that are acknowledged at once.
MOST_ALERTS = 100
#: The longest override that the form offers, in hours.
MOST_HOURS = 24 * 400


@router.post("/case/acknowledge")
def post_acknowledge(request: Request, visit: Acting) -> Response:
    """Say that somebody looks after some alerts."""

    def act(store: Store, customer: str, why: str) -> str:
        names = list(dict.fromkeys(visit.all("alert")))[:MOST_ALERTS]
        if not names:
            raise DecisionError("choose one alert at least")
        known = last_alerts(store, customer)
        if missing := next((each for each in names if each not in known), None):
            raise NoSuchError(f"{customer!r} has no alert with the id {missing!r}")
        for name in names:
            acknowledge(store, name, by=visit.who, why=why, now_ms=visit.now_ms)
        return "acknowledged"

    return _decided(request, visit, act)


@router.post("/case/override")
def post_override(request: Request, visit: Acting) -> Response:
    """Let a rule give the customer no level worse than one, for some time."""

    def act(store: Store, customer: str, why: str) -> str:
        form = visit.form
        stream = form.get("stream", "")
        check_known(store, customer, stream)
        add_override(
            store,
            visit.service.policy(store),
            customer,
            form.get("rule", ""),
            form.get("level", ""),
            visit.now_ms + hours(form.get("hours", "")) * HOUR_MS,
            stream=stream,
            by=visit.who,
            why=why,
            now_ms=visit.now_ms,
        )
        return "overridden"

    return _decided(request, visit, act)


@router.post("/case/end-override")
def post_end_override(request: Request, visit: Acting) -> Response:
    """End an override before its time."""

    def act(store: Store, customer: str, why: str) -> str:
        name = visit.form.get("override", "")
        if name not in {each.id for each in stored_overrides(store, visit.now_ms, customer)}:
            raise NoSuchError(f"{customer!r} has no override with the id {name!r}")
        end_override(store, name, by=visit.who, why=why, now_ms=visit.now_ms)
        return "ended"

    return _decided(request, visit, act)


@router.post("/case/suspend")
def post_suspend(request: Request, visit: Acting) -> Response:
    """Put on record that the customer is suspended."""

    def act(store: Store, customer: str, why: str) -> str:
        suspend(store, customer, by=visit.who, why=why, now_ms=visit.now_ms)
        return "suspended"

    return _decided(request, visit, act)


@router.post("/case/reinstate")
def post_reinstate(request: Request, visit: Acting) -> Response:
    """Lift a suspension, with a fresh start if that is asked for."""

    def act(store: Store, customer: str, why: str) -> str:
        fresh = visit.form.get("fresh_start", "") == "1"
        unsuspend(store, customer, by=visit.who, why=why, now_ms=visit.now_ms, fresh_start=fresh)
        return "fresh" if fresh else "reinstated"

    return _decided(request, visit, act)


@router.post("/case/mail")
def post_mail(request: Request, visit: Acting) -> Response:
    """Send the customer a mail, as it was edited."""
    form = visit.form
    mail = EditedMail(
        id=form.get("draft", ""),
        customer=form.get("customer", ""),
        alert_id=form.get("alert", ""),
        kind=form.get("kind", ""),
        to=form.get("to", "").strip(),
        subject=form.get("subject", ""),
        text=form.get("text", ""),
    )
    try:
        with visit.service.stores.lend() as store:
            check_known(store, mail.customer)
            send(store, visit.service.settings, mail, by=visit.who, now_ms=visit.now_ms)
    except InvalidInputError as error:
        return refused(request, visit, mail.customer, error, mail)
    return RedirectResponse(case_url(mail.customer, done="sent"), HTTPStatus.SEE_OTHER, HEADERS)


def hours(text: str) -> int:
    """A number of hours in a form.

    Raises:
        DecisionError: it is none, or too large.
    """
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= MOST_HOURS:
        raise DecisionError(f"{text[:20]!r} is not a number of hours from 1 to {MOST_HOURS:,}")
    return int(text)


def _decided(request: Request, visit: Visit, act: Callable[[Store, str, str], str]) -> Response:
    """Do it and lead back to the page; what cannot be done is said there."""
    customer, why = visit.form.get("customer", ""), visit.form.get("why", "").strip()
    try:
        given("--why", why)
        with visit.service.stores.lend() as store:
            done = act(store, customer, why)
    except InvalidInputError as error:
        return refused(request, visit, customer, error)
    return RedirectResponse(case_url(customer, done=done), HTTPStatus.SEE_OTHER, HEADERS)


def refused(
    request: Request, visit: Visit, customer: str, error: InvalidInputError, mail: EditedMail | None = None
) -> Response:
    """The page of the customer, which says what was wrong, with the mail as it was edited; of one that there is not,
    404.

    Raises:
        ApiError: 404; 422, no customer is named.
    """
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, NoSuchError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(error, DecidedError):
        status = HTTPStatus.CONFLICT
    said = in_words(str(error))
    if not customer:
        raise ApiError(status, said) from error
    return show(request, visit, customer, said, status, mail)
