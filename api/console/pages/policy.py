"""The policy: what is in force, and a workbench for another one, from its mistakes to putting it in force."""

from dataclasses import dataclass, replace
from http import HTTPStatus

import msgspec
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.console.background import Job
from api.console.drafts import Draft, TrialAsked, draft_of, kept_view, over, trial_view
from api.console.forms import deciding, one_of, reason
from api.console.happened import Happened, after_act, happened
from api.console.kept import Known
from api.console.rendering import HEADERS, page
from api.console.routing import console_router
from api.console.shared import SharedPages
from api.console.visits import Governing, Reading, Visit
from api.http.access import Service
from api.http.problems import ApiError
from api.routes.models.policies import MOST_CHARACTERS
from api.routes.policies import TRYING
from api.text.policy import described
from jobs.operator.decisions import given
from jobs.operator.policy_drafts import PolicyDraft, last_draft, last_trial, save
from jobs.operator.policy_store import PolicyChangedError, apply
from jobs.operator.try_policy import Trial, try_policy
from schemas import policy_check
from schemas.applied_policy import AppliedPolicy
from schemas.levels import LEVELS, Level
from schemas.policy import Policy, default_file
from schemas.times import DAY_MS
from streams.decisions.applied_policies import history, named, newest, policy_of
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans
from streams.io.broker import BrokerError
from streams.io.store import Store, StoreError

router = console_router()
PATH = "/console/policy"
SOURCE = "the console"
#: Policies of the history; days over which one is tried.
SHOWN = 20
DAYS = ("30", "7", "1", "90")
NOTES = {
    "unchanged": "This very text was in force already: nothing is changed.",
    "unpublished": "It is in force, but was not sent to reputation.policy: apply it again to send it.",
}


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """What is judged by: where it is from, its text, and when it was applied (epoch ms; 0: it was not)."""

    policy: Policy
    source: str
    text: str
    applied: AppliedPolicy | None

    @property
    def applied_ms(self) -> int:
        """What `jobs.operator.policy_store.apply` is told that it replaces."""
        return self.applied.applied_ms if self.applied else 0


@dataclass(frozen=True, slots=True)
class PolicyView:
    """What is in force and was before; a draft once there is one."""

    in_force: PolicyNow
    described: tuple[str, ...]
    history: tuple[AppliedPolicy, ...]
    file: str
    draft: Draft | None = None
    instead_of: int = 0
    done: Happened | None = None
    fault: str = ""
    note: str = ""
    #: When the draft was kept that is shown because of that alone (epoch ms).
    kept_ms: int = 0

    day_choices = DAYS
    levels = LEVELS[1:]


def in_force(store: Store, service: Service) -> PolicyNow:
    """What is in force, as the store has it at this moment.

    Raises:
        StoreError: the store failed.
    """
    file, applied = service.settings.policy.file, newest(store)
    if file or applied is None:
        current = service.policy(store)
        text = default_file().read_text(encoding="utf-8") if not file else ""
        return PolicyNow(current, f"the file {file}, which the settings name" if file else "built in", text, applied)
    return PolicyNow(policy_of(applied), "applied", applied.text, applied)


def read_policy(store: Store, service: Service, text: str | None = None) -> PolicyView:
    """The view, with a draft if there is one.

    Raises:
        StoreError: the store failed.
    """
    current = in_force(store, service)
    return PolicyView(
        in_force=current,
        described=tuple(described(current.policy)),
        history=tuple(history(store, SHOWN)),
        file=service.settings.policy.file,
        draft=None if text is None else draft_of(text, current.policy),
        instead_of=current.applied_ms,
    )


@router.get("/policy")
def get_policy(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """What is in force, and the workbench with its text."""
    visit.on_record("")
    query = request.query_params

    def read() -> PolicyView:
        with deciding(), visit.service.stores.lend() as store:
            view = read_policy(store, visit.service)
            if version := query.get("version", ""):
                view = replace(view, draft=draft_of(named(store, version[:300]).text, view.in_force.policy))
            elif visit.may("policy") and (kept := last_draft(store, visit.who)) and kept.text != view.in_force.text:
                view = replace(view, draft=draft_of(kept.text, view.in_force.policy), kept_ms=kept.saved_ms)
            return replace(view, done=happened(store, query), note=NOTES.get(query.get("note", ""), ""))

    return page(request, "policy.html", shared.last.get((PATH, visit.who, request.url.query), visit.now_ms, read))


@router.post("/policy")
def post_draft(request: Request, visit: Governing, shared: SharedPages) -> Response:
    """Check a draft, or begin to try it; it is kept either way. Nothing of what is in force is changed."""
    text, do = draft_text(visit), visit.form.get("do")
    kept = PolicyDraft(who=visit.who, saved_ms=visit.now_ms, text=text)
    with visit.service.stores.lend() as store:
        if do == "discard":
            save(store, msgspec.structs.replace(kept, state="discarded"), visit.now_ms)
            return RedirectResponse(PATH, HTTPStatus.SEE_OTHER, HEADERS)
        view = read_policy(store, visit.service, text)
        tried = policy_check.checked(text).policy if do == "try" else None
        if tried is not None:
            level = msgspec.convert(one_of(visit.form, "level", LEVELS[1:]), Level)
            days = int(one_of(visit.form, "days", DAYS))
            kept = msgspec.structs.replace(kept, state="begun", days=days, level=level, instead_of=view.instead_of)
        else:
            save(store, kept, visit.now_ms)
    if tried is None:
        return page(request, "policy.html", Known(view, visit.now_ms))
    visit.on_record("")
    asked = TrialAsked(kept, tried)
    if not shared.trial.begin(
        asked, visit.who, visit.service.clock, lambda job: _try(job, visit, view), lambda job: _keep(job, visit.service)
    ):
        fault = "Another policy is being tried. Wait until that is done, or stop it."
        return page(request, "policy.html", Known(replace(view, fault=fault), visit.now_ms), HTTPStatus.CONFLICT)
    return RedirectResponse(f"{PATH}/trial", HTTPStatus.SEE_OTHER, HEADERS)


def draft_text(visit: Visit) -> str:
    """The draft that was sent. Browsers end lines with two characters.

    Raises:
        ApiError: 422, it is empty or too long.
    """
    text = visit.form.get("text", "").replace("\r\n", "\n")
    if not text.strip():
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "The policy is empty")
    if len(text) > MOST_CHARACTERS:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The policy is longer than {MOST_CHARACTERS:,} characters")
    return text


def _try(job: Job[TrialAsked], visit: Visit, view: PolicyView) -> Trial:
    service, asked, now_ms = visit.service, job.about, visit.now_ms
    days, level = asked.kept.days, asked.kept.level
    with TRYING, service.stores.lend() as store:
        save(store, asked.kept, now_ms)
        known = plans(store)
        both = for_plans(asked.tried, known), for_plans(view.in_force.policy, known)
        since_ms = now_ms - days * DAY_MS
        loop = service.definition.feedback_loop
        return try_policy(store, *both, loop, since_ms, now_ms, level, progress=job.tell)


def _keep(job: Job[TrialAsked], service: Service) -> None:
    with service.stores.lend() as store:
        save(store, over(job), service.clock())


@router.get("/policy/trial")
def get_trial(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """The last trial: of this process, or as it is kept of another or of one before a restart."""
    visit.on_record("")
    job = shared.trial.job
    view = trial_view(job) if job else None
    try:
        with visit.service.stores.lend() as store:
            kept = last_trial(store)
        if kept is not None and (view is None or kept.saved_ms > view.asked.saved_ms):
            view = kept_view(kept)
    except StoreError:
        if view is None:
            raise
    return page(request, "policy_trial.html", view)


@router.get("/policy/trial/now")
async def get_trial_now(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """How far it is; nothing once it is over, whereupon the page is loaded again."""
    job = shared.trial.job
    if job is None or job.progress.state != "running":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)
    return page(request, "policy_trial_now.html", trial_view(job))


@router.post("/policy/trial/stop")
def post_stop(visit: Governing, shared: SharedPages) -> Response:
    """Stop it."""
    if shared.trial.job is not None:
        shared.trial.job.stop()
    return RedirectResponse(f"{PATH}/trial", HTTPStatus.SEE_OTHER, HEADERS)


@router.post("/policy/apply")
def post_apply(request: Request, visit: Governing) -> Response:
    """Put a draft in force, in place of the policy that it was compared with and of no other."""
    text, replaced = draft_text(visit), visit.form.get("instead_of", "")
    if not (replaced.isascii() and replaced.isdigit() and len(replaced) < 16):
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "it must be said which policy this one replaces; check it again"
        )
    why = reason(visit.form)
    with deciding(), visit.service.stores.lend() as store:
        given("--why", why)
        try:
            done = apply(store, text, SOURCE, visit.who, why, visit.now_ms, instead_of=int(replaced))
        except PolicyChangedError as error:
            fault = f"Nothing was changed: {error}. What the draft would change now is below."
            view = replace(read_policy(store, visit.service, text), fault=fault)
            return page(request, "policy.html", Known(view, visit.now_ms), HTTPStatus.CONFLICT)
        save(store, PolicyDraft(who=visit.who, saved_ms=visit.now_ms, text=text, state="discarded"), visit.now_ms)
    try:
        visit.service.publish(done.policy)
    except BrokerError:
        return RedirectResponse(f"{PATH}?note=unpublished", HTTPStatus.SEE_OTHER, HEADERS)
    if done.status == "unchanged":
        return RedirectResponse(f"{PATH}?note=unchanged", HTTPStatus.SEE_OTHER, HEADERS)
    return after_act(PATH, done.policy.applied_ms, done.policy.version)
