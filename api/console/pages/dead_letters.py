"""Dead letters: why messages could not be read, looking at one, and sending them again, mended or as they are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Request, Response
from fastapi.responses import RedirectResponse

from api.console.background import Job, Progress
from api.console.forms import deciding, one_of, reason, text
from api.console.happened import Happened, after_act, happened
from api.console.kept import Known
from api.console.operations import Operating, Operations
from api.console.rendering import HEADERS, page
from api.console.routing import console_router
from api.console.shared import REPLAY_S, SharedPages
from api.console.visits import Acting, Reading, Visit
from api.http.problems import ApiError
from api.routes import cursors
from jobs.operator.audit import Decision, record_decision
from jobs.operator.decisions import given
from jobs.resend.dead_letters import (
    LATEST,
    Chosen,
    Letter,
    LetterReason,
    Replay,
    letter_named,
    newest,
    oldest_first,
    payloads,
    replays,
    summary,
)
from jobs.resend.replay import ReplayOutcome
from schemas.times import DAY_MS, utc_time
from streams.io.store import Store

router = console_router()
PATH = "/console/dead-letters"
#: Letters of a page, reasons that are told apart, days that letters are kept.
SHOWN, MOST_REASONS = 50, 200
DAYS = ("30", "7", "1")
#: Characters of a letter that are shown, bytes that can be mended here, and refusals of a replay that are shown.
MOST_SHOWN, MOST_MENDED, MOST_REFUSED = 50_000, 60_000, 50
REPLAYED = "dead letters replayed"


@dataclass(frozen=True, slots=True)
class LettersView:
    """Reasons with their counts, and the letters of a page."""

    reasons: tuple[LetterReason, ...]
    letters: tuple[Letter, ...]
    filters: Mapping[str, str]
    after: str
    is_first: bool
    done: Happened | None = None

    day_choices = DAYS

    @property
    def count(self) -> int:
        """How many letters there are."""
        return sum(each.letters for each in self.reasons)

    @property
    def replayed(self) -> int:
        """How many of them were sent again."""
        return sum(each.replayed for each in self.reasons)

    @property
    def begin(self) -> str:
        """The first page."""
        return self.url()

    def url(self, **changes: str) -> str:
        """This page with other filters."""
        asked = {name: value for name, value in {**self.filters, **changes}.items() if value}
        return f"{PATH}?{urlencode(asked)}"


@dataclass(frozen=True, slots=True)
class LetterView:
    """One letter with its bytes as text; `payload` is empty and `binary` says how many bytes there are where they are
    no text. `cut` says that there are more than are shown."""

    letter: Letter
    payload: str
    binary: int
    cut: bool
    replays: tuple[Replay, ...]
    gone: bool
    mendable: bool
    fault: str = ""
    mended: str | None = None
    done: Happened | None = None


@dataclass(frozen=True, slots=True)
class ReplayAsked:
    """Which letters are sent again: of a topic, with a text in the reason, not older than a time (epoch ms)."""

    chosen: Chosen
    count: int
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReplayView:
    """How far sending again is, and what became of the letters so far."""

    progress: Progress
    asked: ReplayAsked

    bound_s = REPLAY_S


def chosen_of(query: Mapping[str, str], now_ms: int) -> tuple[Chosen, dict[str, str]]:
    """Which letters an address asks for, and its filters as fields. Pure."""
    filters = {"topic": text(query, "topic"), "reason": query.get("reason", "").strip()[:1_000]}
    filters["days"] = one_of(query, "days", DAYS)
    since_ms = now_ms - int(filters["days"]) * DAY_MS
    return Chosen(topic=filters["topic"], reason=filters["reason"], since_ms=since_ms), filters


def letters_view(
    reasons: Sequence[LetterReason], found: Sequence[Letter], filters: Mapping[str, str], *, is_first: bool
) -> LettersView:
    """The view of letters, one more than are shown where there is another page. Pure."""
    shown, after = found[:SHOWN], ""
    if len(found) > len(shown):
        last = shown[-1]
        key = (last.time_ms, last.source, last.position)
        after = cursors.cursor(cursors.question("console letters", **filters), key)
    view = LettersView(tuple(reasons), tuple(shown), filters, "", is_first)
    return LettersView(tuple(reasons), tuple(shown), filters, view.url(after=after) if after else "", is_first)


def read_letters(store: Store, query: Mapping[str, str], now_ms: int) -> LettersView:
    """The page that an address asks for.

    Raises:
        ApiError: 422, a cursor that is none.
        StoreError: the store failed.
    """
    chosen, filters = chosen_of(query, now_ms)
    same = cursors.question("console letters", **filters)
    before = cursors.after(same, query.get("after") or None, tuple[int, str, int], LATEST)
    found = newest(store, chosen, SHOWN + 1, before)
    return letters_view(summary(store, chosen, MOST_REASONS), found, filters, is_first=not query.get("after"))


def read_letter(store: Store, name: str) -> LetterView:
    """One letter.

    Raises:
        DeadLetterError: there is none of this id, or several.
        StoreError: the store failed.
    """
    letter = letter_named(store, name)
    content = payloads(store, [letter]).get(letter.id)
    return letter_view(letter, content, replays(store, letter))


def letter_view(letter: Letter, content: bytes | None, sent: Sequence[Replay]) -> LetterView:
    """The view of a letter; `content` is None where it is no longer stored. Pure."""
    raw = content or b""
    try:
        found, binary = raw.decode(), 0
    except UnicodeDecodeError:
        found, binary = "", len(raw)
    # A field of a form loses what no browser keeps: carriage returns and NUL.
    mendable = not binary and 0 < len(raw) <= MOST_MENDED and "\r" not in found and "\0" not in found
    return LetterView(
        letter=letter,
        payload=found[:MOST_SHOWN],
        binary=binary,
        cut=len(found) > MOST_SHOWN,
        replays=tuple(sent),
        gone=content is None,
        mendable=mendable and len(found) <= MOST_SHOWN,
    )


@router.get("/dead-letters")
def get_letters(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """Reasons and letters."""
    visit.on_record("")
    query = request.query_params

    def read() -> LettersView:
        with visit.service.stores.lend() as store:
            return read_letters(store, query, visit.now_ms)

    return page(request, "dead_letters.html", shared.last.get((PATH, request.url.query), visit.now_ms, read))


Name = Annotated[str, Path(min_length=4, max_length=400)]


@router.get("/dead-letters/replay")
def get_replay(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """The last time that many were sent again."""
    job = shared.replay.job
    return page(request, "dead_letters_replay.html", ReplayView(job.progress, job.about) if job else None)


@router.get("/dead-letters/replay/now")
async def get_replay_now(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """How far it is; nothing once it is over."""
    job = shared.replay.job
    if job is None or job.progress.state != "running":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)
    return page(request, "dead_letters_replay_now.html", ReplayView(job.progress, job.about))


@router.post("/dead-letters/replay/stop")
def post_stop(visit: Acting, shared: SharedPages) -> Response:
    """Stop it after the letters that are being sent."""
    if shared.replay.job is not None:
        shared.replay.job.stop()
    return RedirectResponse(f"{PATH}/replay", HTTPStatus.SEE_OTHER, HEADERS)


@router.post("/dead-letters/replay")
def post_replay(request: Request, visit: Acting, shared: SharedPages, operating: Operating) -> Response:
    """Send all again that a topic and a reason mean and that were not sent again yet."""
    chosen, filters = chosen_of(visit.form, visit.now_ms)
    with deciding():
        given("--why", reason(visit.form))
    with visit.service.stores.lend() as store:
        count = sum(each.letters - each.replayed for each in summary(store, chosen, MOST_REASONS))
        asked = ReplayAsked(chosen, count)

        def work(job: Job[ReplayAsked]) -> None:
            _send_again(job, visit, operating)

        if not shared.replay.begin(asked, visit.who, visit.service.clock, work):
            raise ApiError(HTTPStatus.CONFLICT, "letters are being sent again already; wait until that is done")
        detail = {**{name: value for name, value in filters.items() if value}, "letters": count}
        subject = filters["topic"] or "all topics"
        record_decision(
            store, Decision(utc_time(visit.now_ms), visit.who, REPLAYED, "", subject, reason(visit.form), detail)
        )
    return RedirectResponse(f"{PATH}/replay", HTTPStatus.SEE_OTHER, HEADERS)


def _send_again(job: Job[ReplayAsked], visit: Visit, operating: Operations) -> None:
    asked = job.about

    def letters(store: Store) -> Iterator[Letter]:
        # Asked for between two letters, so that it ends before a chunk is sent and not within one.
        for letter in oldest_first(store, asked.chosen, visit.now_ms, again=False):
            job.tell(asked.counts.total(), max(asked.count, asked.counts.total()))
            yield letter

    with visit.service.stores.lend() as store, visit.service.stores.lend() as reading:
        for outcome in operating.replayer(store, visit.who).run(letters(reading)):
            asked.counts[outcome.what] += 1
            if outcome.what == "refused" and len(asked.refused) < MOST_REFUSED:
                asked.refused.append((outcome.letter.short, outcome.why))
    job.tell(asked.counts.total(), asked.counts.total())


@router.get("/dead-letters/{name}")
def get_letter(request: Request, name: Name, visit: Reading) -> Response:
    """One letter."""
    visit.on_record("")
    with deciding(), visit.service.stores.lend() as store:
        view = read_letter(store, name)
        done = happened(store, request.query_params)
    return page(request, "dead_letter.html", Known(replace(view, done=done), visit.now_ms))


@router.post("/dead-letters/{name}")
def post_letter(request: Request, name: Name, visit: Acting, operating: Operating) -> Response:
    """Send one again, as it is or mended."""
    why, mended = reason(visit.form), visit.form.get("payload")
    content = mended.replace("\r\n", "\n").encode() if mended is not None else None
    with deciding(), visit.service.stores.lend() as store:
        given("--why", why)
        view = read_letter(store, name)
        letter = view.letter
        replayer = operating.replayer(store, visit.who, mended=content, again=bool(letter.replayed_ms))
        if content is not None and view.payload.encode() == content:
            replayer.mended = None
        (outcome,) = replayer.run([letter])
        if outcome.what != "sent":
            view = replace(view, fault=_said(outcome), mended=mended)
            return page(request, "dead_letter.html", Known(view, visit.now_ms), HTTPStatus.CONFLICT)
        detail = {"topic": letter.topic, "mended": replayer.mended is not None, "letters": 1}
        record_decision(store, Decision(utc_time(visit.now_ms), visit.who, REPLAYED, "", letter.short, why, detail))
    return after_act(f"{PATH}/{letter.short}", visit.now_ms, letter.short)


def _said(outcome: ReplayOutcome) -> str:
    return f"It was not sent: {outcome.why}" if outcome.what == "refused" else "It was sent again before"
