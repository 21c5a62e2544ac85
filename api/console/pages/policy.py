"""The policy: what is in force, and a workbench for another one, from its mistakes to putting it in force."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import groupby

import msgspec
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.console.background import Job, Progress
from api.console.forms import deciding, one_of, reason
from api.console.happened import Happened, after_act, happened
from api.console.kept import Known
from api.console.rendering import HEADERS, page
from api.console.routing import console_router
from api.console.shared import TRIAL_S, SharedPages
from api.console.visits import Governing, Reading, Visit
from api.http.access import Service
from api.http.problems import ApiError
from api.routes.models.policies import MOST_CHARACTERS
from api.routes.policies import TRYING
from api.text.policy import described, differences
from api.text.try_policy import HEADINGS
from jobs.operator.policy_store import PolicyChangedError, apply
from jobs.operator.try_policy import Trial, try_policy
from schemas import policy_check
from schemas.applied_policy import AppliedPolicy
from schemas.levels import LEVELS, Level
from schemas.policy import Policy, default_file
from schemas.policy_check import Mistake
from schemas.times import DAY_MS
from streams.decisions.applied_policies import history, named, newest, policy_of
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans
from streams.io.broker import BrokerError
from streams.io.store import Store
from streams.what_if.compare import Difference

router = console_router()
PATH = "/console/policy"
SOURCE = "the console"
#: Policies of the history; differences of one kind that are shown; days over which one is tried.
SHOWN, MOST_SHOWN = 20, 200
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
class WrongLine:
    """A mistake with the line that it is on."""

    line: int
    said: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft and what it comes to: its mistakes, or what it would change."""

    text: str
    mistakes: tuple[WrongLine, ...] = ()
    version: str = ""
    changes: tuple[str, ...] = ()
    described: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it can be put in force."""
        return bool(self.version)


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

    day_choices = DAYS
    levels = LEVELS[1:]


@dataclass(frozen=True, slots=True)
class TrialAsked:
    """What is tried: a draft, over so many days, and who counts as flagged. `instead_of` is the policy that was in
    force (when it was applied, epoch ms)."""

    draft: Draft
    days: int
    level: Level
    instead_of: int
    tried: Policy = field(repr=False)


@dataclass(frozen=True, slots=True)
class KindOfDifference:
    """Customers whom the two policies treat differently in one way: the first of them, of so many."""

    kind: str
    heading: str
    shown: tuple[Difference, ...]
    count: int


@dataclass(frozen=True, slots=True)
class TrialView:
    """How far a trial is, and what came of it."""

    progress: Progress
    asked: TrialAsked
    trial: Trial | None
    kinds: tuple[KindOfDifference, ...]

    bound_s = TRIAL_S


def draft_of(text: str, before: Policy) -> Draft:
    """What a text comes to, against the policy in force. Pure."""
    found = policy_check.checked(text)
    if found.policy is None:
        return Draft(text, mistakes=tuple(_placed(text, found.mistakes)))
    return Draft(
        text,
        version=found.policy.version,
        changes=tuple(differences(before, found.policy)),
        described=tuple(described(found.policy)),
    )


def _placed(text: str, mistakes: Sequence[Mistake]) -> list[WrongLine]:
    lines = text.splitlines()
    return [
        WrongLine(each.line, each.said, lines[each.line - 1][:200] if 0 < each.line <= len(lines) else "")
        for each in mistakes
    ]


def kinds_of(trial: Trial) -> tuple[KindOfDifference, ...]:
    """Whom the policies treat differently, in the order of `differences`. Pure."""
    found = []
    for kind, some in groupby(trial.differences, lambda each: each.kind):
        every = tuple(some)
        found.append(KindOfDifference(kind, HEADINGS[kind], every[:MOST_SHOWN], len(every)))
    return tuple(found)


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
            return replace(view, done=happened(store, query), note=NOTES.get(query.get("note", ""), ""))

    return page(request, "policy.html", shared.last.get((PATH, request.url.query), visit.now_ms, read))


@router.post("/policy")
def post_draft(request: Request, visit: Governing, shared: SharedPages) -> Response:
    """Check a draft, or begin to try it. Nothing of what is in force is changed."""
    text = draft_text(visit)
    with visit.service.stores.lend() as store:
        view = read_policy(store, visit.service, text)
    draft = view.draft
    if visit.form.get("do") != "try" or draft is None or not draft.usable:
        return page(request, "policy.html", Known(view, visit.now_ms))
    visit.on_record("")
    tried = policy_check.checked(text).policy
    assert tried is not None  # noqa: S101 - a draft that can be used is one
    level = one_of(visit.form, "level", LEVELS[1:])
    days = int(one_of(visit.form, "days", DAYS))
    asked = TrialAsked(draft, days, msgspec.convert(level, Level), view.instead_of, tried)
    if not shared.trial.begin(asked, visit.who, visit.service.clock, lambda job: _try(job, visit, view)):
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
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "The policy: is empty")
    if len(text) > MOST_CHARACTERS:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The policy: is longer than {MOST_CHARACTERS:,} characters")
    return text


def _try(job: Job[TrialAsked], visit: Visit, view: PolicyView) -> Trial:
    service, asked, now_ms = visit.service, job.about, visit.now_ms
    with TRYING, service.stores.lend() as store:
        known = plans(store)
        both = for_plans(asked.tried, known), for_plans(view.in_force.policy, known)
        since_ms = now_ms - asked.days * DAY_MS
        loop = service.definition.feedback_loop
        return try_policy(store, *both, loop, since_ms, now_ms, asked.level, progress=job.tell)


def trial_view(job: Job[TrialAsked]) -> TrialView:
    """How far a job is. Pure."""
    trial = job.result if isinstance(job.result, Trial) else None
    return TrialView(job.progress, job.about, trial, kinds_of(trial) if trial else ())


@router.get("/policy/trial")
def get_trial(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """The last trial."""
    visit.on_record("")
    job = shared.trial.job
    return page(request, "policy_trial.html", trial_view(job) if job else None)


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
    text, given = draft_text(visit), visit.form.get("instead_of", "")
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "it must be said which policy this one replaces; check it again"
        )
    why = reason(visit.form)
    if not why or len(why) > 256:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "The reason: give one of at most 256 characters")
    with deciding(), visit.service.stores.lend() as store:
        try:
            done = apply(store, text, SOURCE, visit.who, why, visit.now_ms, instead_of=int(given))
        except PolicyChangedError as error:
            fault = f"Nothing was changed: {error}. What the draft would change now is below."
            view = replace(read_policy(store, visit.service, text), fault=fault)
            return page(request, "policy.html", Known(view, visit.now_ms), HTTPStatus.CONFLICT)
    try:
        visit.service.publish(done.policy)
    except BrokerError:
        return RedirectResponse(f"{PATH}?note=unpublished", HTTPStatus.SEE_OTHER, HEADERS)
    if done.status == "unchanged":
        return RedirectResponse(f"{PATH}?note=unchanged", HTTPStatus.SEE_OTHER, HEADERS)
    return after_act(PATH, done.policy.applied_ms, done.policy.version)
