"""What operators look after: dead letters, blocklists, keys, and the audit."""

from base64 import b64encode
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.http import keys
from api.http.responses import REFUSALS
from api.http.tags import NOT_FOUND, OPERATOR
from api.routes import cursors
from api.routes.asking_operators import KeepingKeys, Reading, refusing
from api.routes.formats import TABLES, answer
from api.routes.models.fleet import FleetQuery
from api.routes.models.upkeep import (
    Audit,
    AuditEntry,
    AuditQuery,
    Key,
    Keys,
    Letter,
    LetterReason,
    LetterReasons,
    LetterReplay,
    Letters,
    LettersQuery,
    ReasonsQuery,
    WholeLetter,
    Zone,
    Zones,
)
from jobs.operator.audit import Entry, entries
from jobs.resend import dead_letters
from schemas.policy_metric import LONGEST_MS
from schemas.times import DAY_MS, utc_time

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[OPERATOR])
#: So long dead letters are kept (clickhouse/0002_events.sql), and so far the audit is looked back in if nobody says.
KEPT_DAYS, SHOWN_DAYS = 30, 30
#: Reasons that are told apart.
MOST_REASONS = 1_000


@router.get(
    "/dead-letters",
    summary="What could not be read",
    operation_id="listDeadLetters",
    response_description="The letters, the latest first.",
    response_model=Letters,
    responses=TABLES,
)
def get_letters(query: Annotated[LettersQuery, Query()], asked: Reading, request: Request) -> Response:
    """Messages that no format could make an event of, and when they were sent again."""
    asked.on_record("")
    same = cursors.question("dead-letters", **cursors.filters_of(query.model_dump()))
    before = cursors.after(same, query.cursor, tuple[int, str, int], dead_letters.LATEST)
    with asked.service.stores.lend() as store:
        found = dead_letters.newest(store, _chosen(query, asked), query.limit + 1, before)
    page = found[: query.limit]
    following = None
    if len(found) > len(page):
        following = cursors.cursor(same, (page[-1].time_ms, page[-1].source, page[-1].position))
    return answer(request, Letters(letters=[_letter(each) for each in page], next=following), "letters")


@router.get(
    "/dead-letters/summary",
    summary="Why messages could not be read",
    operation_id="summarizeDeadLetters",
    response_description="The reasons, most frequent first.",
    response_model=LetterReasons,
    responses=TABLES,
)
def get_reasons(query: Annotated[ReasonsQuery, Query()], asked: Reading, request: Request) -> Response:
    """How many letters each topic has by reason."""
    with asked.service.stores.lend() as store:
        found = dead_letters.summary(store, _chosen(query, asked), min(query.limit, MOST_REASONS))
    rows = [
        LetterReason(
            topic=each.topic,
            reason=each.reason,
            letters=each.letters,
            replayed=each.replayed,
            last=utc_time(each.last_ms),
            example=each.example,
        )
        for each in found
    ]
    return answer(request, LetterReasons(reasons=rows), "reasons")


@router.get(
    "/dead-letters/{name}",
    summary="One message that could not be read",
    operation_id="getDeadLetter",
    response_description="The letter.",
    responses=NOT_FOUND,
)
def get_letter(
    name: Annotated[str, Path(min_length=4, max_length=400, description="The letter's id, or a unique prefix of it.")],
    asked: Reading,
) -> WholeLetter:
    """The letter with all that is in it."""
    asked.on_record("")
    with refusing(), asked.service.stores.lend() as store:
        found = dead_letters.letter_named(store, name)
        content = dead_letters.payloads(store, [found]).get(found.id, b"")
        replays = dead_letters.replays(store, found)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    return WholeLetter(
        **_letter(found).model_dump(),
        payload=text,
        payload_base64=b64encode(content).decode() if text is None else None,
        replays=[
            LetterReplay(time=utc_time(each.time_ms), by=each.by, mended=each.mended, forced=each.forced)
            for each in replays
        ],
    )


@router.get(
    "/zones",
    summary="Blocklists",
    operation_id="listZones",
    response_description="The lists.",
    response_model=Zones,
    responses=TABLES,
)
def get_zones(asked: Reading, request: Request) -> Response:
    """Which lists are asked, what a listing on each weighs, who may ask it, and where to ask for removal."""
    with refusing():
        zones = asked.service.zones
    rows = [
        Zone(
            zone=each.zone,
            holds=list(each.holds),
            weight=each.weight,
            asked=bool(each.asked_at),
            key=each.key or None,
            policy=each.policy,
            delisting=each.delisting or None,
        )
        for each in zones
    ]
    return answer(request, Zones(zones=rows), "zones")


@router.get(
    "/keys",
    summary="Keys of this interface",
    operation_id="listKeys",
    response_description="The keys, by id.",
    response_model=Keys,
    responses=TABLES,
)
def get_keys(query: Annotated[FleetQuery, Query()], asked: KeepingKeys, request: Request) -> Response:
    """Whose they are, what they may do, and when they were used last. The keys themselves are stored nowhere."""
    same = cursors.question("keys")
    (last,) = cursors.after(same, query.cursor, tuple[str], ("",))
    with asked.service.stores.lend() as store:
        found, uses = keys.list_keys(store), keys.last_uses(store)
    some = sorted((each for each in found if each.owner.id > last), key=lambda each: each.owner.id)
    page = some[: query.limit]
    following = cursors.cursor(same, (page[-1].owner.id,)) if len(some) > len(page) else None
    return answer(request, Keys(keys=[_key(each, uses.get(each.key_hash)) for each in page], next=following), "keys")


@router.get(
    "/audit",
    summary="Who decided what",
    operation_id="listAudit",
    response_description="What is on record, the latest first.",
    response_model=Audit,
    responses=TABLES,
)
def get_audit(query: Annotated[AuditQuery, Query()], asked: Reading, request: Request) -> Response:
    """Decisions of people, each with who and why; and if asked for, the monitor's verdicts and what operators read."""
    customer = query.customer or ""
    asked.on_record(customer)
    since, until = asked.times(query.start, query.end, SHOWN_DAYS * DAY_MS, LONGEST_MS)
    same = cursors.question("audit", **cursors.filters_of(query.model_dump()))
    at, skip = cursors.after(same, query.cursor, tuple[int, int], (until, 0))
    with asked.service.stores.lend() as store:
        found = entries(
            store,
            since,
            skip + query.limit + 1,
            customer=customer,
            verdicts=query.verdicts,
            reads=query.reads,
            until_ms=min(at, until),
        )
    rest = found[skip:]
    page = rest[: query.limit]
    following = None
    if len(rest) > len(page):
        last = page[-1].time_ms
        # What is of the same moment as the last entry comes in one order, so it is enough to say how many were shown.
        shown = sum(each.time_ms == last for each in found[: skip + len(page)])
        following = cursors.cursor(same, (last, shown))
    return answer(request, Audit(entries=[_entry(each) for each in page], next=following), "entries")


def _chosen(query: ReasonsQuery, asked: Reading) -> dead_letters.Chosen:
    since, _ = asked.times(query.start, None, KEPT_DAYS * DAY_MS, KEPT_DAYS * DAY_MS)
    return dead_letters.Chosen(topic=query.topic or "", reason=query.reason or "", since_ms=since)


def _letter(found: dead_letters.Letter) -> Letter:
    return Letter(
        id=found.id,
        short=found.short,
        topic=found.topic,
        time=utc_time(found.time_ms),
        reason=found.reason,
        bytes=found.size,
        replayed=utc_time(found.replayed_ms) if found.replayed_ms else None,
        replayed_by=found.replayed_by or None,
    )


def _key(found: keys.StoredKey, used_ms: int | None) -> Key:
    return Key(
        id=found.owner.id,
        customer=found.customer or None,
        label=found.label,
        scopes=list(found.scopes),
        created=found.created,
        expires=found.expires if found.expires > keys.NEVER else None,
        revoked=found.revoked,
        last_used=utc_time(used_ms) if used_ms else None,
    )


def _entry(found: Entry) -> AuditEntry:
    plain = msgspec.structs.asdict(found)
    return AuditEntry(time=utc_time(plain.pop("time_ms")), **plain)
