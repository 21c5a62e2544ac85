"""The page of `repmon status`: what was seen of an installation as a line for each part, and what to mend. Pure."""

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from jobs.hooks.measure import HookSeen
from jobs.notify.notification import RouteTotals
from schemas.times import MINUTE_MS
from schemas.wording import age, rfc3339

#: `look` is for what waits for a person and harms nothing meanwhile.
State = Literal["well", "look", "unwell", "unknown"]
#: Nobody was judged for longer although mail is counted, in ms. Everybody is judged every ten minutes.
UNJUDGED_MS = 15 * MINUTE_MS
#: Nothing was stored for longer although messages wait, in ms.
UNSTORED_MS = MINUTE_MS
#: A hook that acts renews its lease; this much later nobody does, in ms.
UNLED_MS = MINUTE_MS
#: A notification is overdue for longer, in ms: nothing sends it, or its target takes nothing.
UNSENT_MS = 2 * MINUTE_MS
#: Columns of a terminal, and of them those of a part's name and state.
WIDTH, MARGIN = 80, 22
#: Without these nobody can say whether all is well.
NEEDED = ("broker", "topics", "store", "lag")
WELL, UNWELL, CANNOT_TELL = 0, 1, 2


class StageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as it answers: at which address, whether it is well (None: no answer), and what it says of that.
    `last_stored_ms` is when an intake last stored (epoch ms; 0: it is none, or never did). `waiting` are the customers
    whom a monitor judges once the intake has caught up."""

    url: str
    name: str = ""
    well: bool | None = None
    said: str = ""
    last_stored_ms: int = 0
    waiting: int = 0


class StatusSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. None is what could not be read; rates are messages a second, times epoch ms, room in bytes."""

    now_ms: int
    broker: str
    broker_fault: str = ""
    missing_topics: tuple[str, ...] | None = None
    topics: int = 0
    store: str
    store_fault: str = ""
    store_version: str = ""
    migrations_missing: int | None = None
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    least_free_bytes: int = 0
    #: For how many days rows are kept, by what they are (`[retention]`), and which tables keep them otherwise.
    kept_days: Mapping[str, int] | None = None
    kept_otherwise: tuple[str, ...] = ()
    #: By topic, how many messages are not stored.
    lag: Mapping[str, int] | None = None
    coming_per_s: float | None = None
    counted_per_s: float | None = None
    stages: tuple[StageSeen, ...] = ()
    last_judged_ms: int | None = None
    #: Of the last 24 hours.
    dead_letters: int | None = None
    #: What was lost in that time, and where.
    losses: tuple[str, ...] | None = None
    zones: int | None = None
    distrusted_zones: tuple[str, ...] = ()
    incidents: tuple[str, ...] | None = None
    held_customers: int | None = None
    #: How this deployment is called in `source` of its events.
    deployment: str = ""
    #: Events of decisions that are due and not sent, and since when the first is due (epoch ms).
    unsent_decisions: int = 0
    unsent_since_ms: int = 0
    #: The hook that acts; None where there never was one, or the store does not say.
    hook: HookSeen | None = None
    #: What is stored of the routes of notifications; None where there are none, or the store does not say.
    routes: tuple[RouteTotals, ...] | None = None
    #: Routes that the settings name.
    route_names: tuple[str, ...] = ()


class StatusLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part: what is seen of it, and what to do where it is not well."""

    part: str
    state: State
    text: str
    mend: str = ""


def status_lines(seen: StatusSeen) -> list[StatusLine]:
    """A line for each part."""
    return [
        _broker(seen),
        _topics(seen),
        _store(seen),
        _disk(seen),
        *_retention(seen),
        _lag(seen),
        _rates(seen),
        _flush(seen),
        _monitor(seen),
        *map(_stage, seen.stages),
        _dead_letters(seen),
        _losses(seen),
        _zones(seen),
        _incidents(seen),
        _holds(seen),
        *_decisions(seen),
        *_notify(seen),
        *_hook(seen),
    ]


def exit_code(lines: Sequence[StatusLine]) -> int:
    """0 well, 1 not well, 2 where nobody can tell: nothing answers, or a part that is needed is not known."""
    states = {line.part: line.state for line in lines}
    if states["broker"] == states["store"] == "unwell" and "well" not in {
        line.state for line in lines if line.part == "stage"
    }:
        return CANNOT_TELL
    if "unwell" in {line.state for line in lines}:
        return UNWELL
    return CANNOT_TELL if any(states[part] == "unknown" for part in NEEDED) else WELL


def page(seen: StatusSeen, lines: Sequence[StatusLine]) -> list[str]:
    """The page, no line of it wider than 80 characters unless a word is."""
    whole = {WELL: "well", UNWELL: "NOT WELL", CANNOT_TELL: "cannot tell"}[exit_code(lines)]
    found = [f"repmon at {rfc3339(seen.now_ms)}: {whole}", ""]
    for line in lines:
        head = f"{line.part:<13}{_shown(line.state):<{MARGIN - 13}}"
        found += _wrapped(line.text, head, " " * MARGIN)
    mends = [f"{line.part}: {line.mend}" for line in lines if line.mend]
    if mends:
        found += ["", "What to do:"]
        for mend in mends:
            found += _wrapped(mend, "  - ", "    ")
    return found


def _wrapped(text: str, head: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=rest, break_on_hyphens=False)


def _shown(state: State) -> str:
    return "UNWELL" if state == "unwell" else state


def _broker(seen: StatusSeen) -> StatusLine:
    if seen.broker_fault:
        mend = "see that Kafka runs and can be reached from here (kafka.bootstrap)"
        return StatusLine("broker", "unwell", seen.broker_fault, mend)
    return StatusLine("broker", "well", f"{seen.broker} answers")


def _topics(seen: StatusSeen) -> StatusLine:
    if seen.missing_topics is None:
        return StatusLine("topics", "unknown", "the broker does not say")
    if seen.missing_topics:
        return StatusLine(
            "topics", "unwell", f"there is no {', '.join(seen.missing_topics)}", "`repmon topics create` makes them"
        )
    return StatusLine("topics", "well", f"all {seen.topics} are there")


def _store(seen: StatusSeen) -> StatusLine:
    if seen.store_fault:
        mend = "see that ClickHouse runs and can be reached from here (clickhouse.url)"
        return StatusLine("store", "unwell", seen.store_fault, mend)
    text = f"{seen.store}, version {seen.store_version}"
    if seen.migrations_missing:
        return StatusLine(
            "store", "unwell", f"{text}; {seen.migrations_missing} migrations missing", "`repmon migrate`"
        )
    return StatusLine("store", "well", f"{text}; deployment {seen.deployment}" if seen.deployment else text)


def _disk(seen: StatusSeen) -> StatusLine:
    if seen.disk_free_bytes is None or seen.disk_total_bytes is None:
        return StatusLine("disk", "unknown", "the store does not say how much room it has")
    text = f"{_room(seen.disk_free_bytes)} free of {_room(seen.disk_total_bytes)}"
    if seen.disk_free_bytes < seen.least_free_bytes:
        return StatusLine("disk", "unwell", text, "make room where the store keeps its data")
    return StatusLine("disk", "well", text)


def _retention(seen: StatusSeen) -> Iterator[StatusLine]:
    """How long rows are kept, where the store said so."""
    if seen.kept_otherwise:
        many = len(seen.kept_otherwise)
        tables = "1 table keeps" if many == 1 else f"{many} tables keep"
        text = f"{tables} rows otherwise than is set: {seen.kept_otherwise[0]}"
        mend = "`repmon migrate --dry-run` says what would go, `repmon migrate` applies [retention]"
        yield StatusLine("retention", "look", text, mend)
    elif seen.kept_days is not None:
        kept = [f"{name.removesuffix('_days').replace('_', ' ')} {days:,}" for name, days in seen.kept_days.items()]
        yield StatusLine("retention", "well", f"in days: {', '.join(kept)}")


def _room(size: int) -> str:
    """Bytes in GB, or in MB where a tenth of a GB says too little."""
    return f"{size / 1e9:,.1f} GB" if size >= 10**10 else f"{size / 1e6:,.0f} MB"


def _last_flush_ms(seen: StatusSeen) -> int:
    return max((each.last_stored_ms for each in seen.stages), default=0)


def _lag(seen: StatusSeen) -> StatusLine:
    if seen.lag is None:
        return StatusLine("lag", "unknown", "it takes both broker and store to say")
    waiting = {topic: number for topic, number in seen.lag.items() if number}
    if not waiting:
        return StatusLine("lag", "well", "everything that came is stored")
    text = f"{sum(waiting.values()):,} messages not stored: "
    text += ", ".join(f"{topic} {number:,}" for topic, number in sorted(waiting.items()))
    last_ms = _last_flush_ms(seen)
    if not seen.counted_per_s and seen.now_ms - last_ms > UNSTORED_MS:
        mend = "no intake stores anything: see that one runs, and its log; nothing is lost while the topics keep it"
        return StatusLine("lag", "unwell", text, mend)
    return StatusLine("lag", "well", text)


def _rates(seen: StatusSeen) -> StatusLine:
    if seen.coming_per_s is None or seen.counted_per_s is None:
        return StatusLine("rates", "unknown", "it takes both broker and store to say")
    return StatusLine(
        "rates", "well", f"{seen.coming_per_s:,.0f} messages/s come, {seen.counted_per_s:,.0f}/s are stored"
    )


def _flush(seen: StatusSeen) -> StatusLine:
    if last_ms := _last_flush_ms(seen):
        return StatusLine("last flush", "well", f"{_ago(seen, last_ms)} ago")
    return StatusLine("last flush", "unknown", "no intake that answers here has stored anything (--stage names others)")


def _monitor(seen: StatusSeen) -> StatusLine:
    if seen.last_judged_ms is None:
        return StatusLine("judgement", "unknown", "the store does not say")
    if not seen.last_judged_ms:
        return StatusLine("judgement", "well", "nobody was judged yet")
    text = f"last {_ago(seen, seen.last_judged_ms)} ago"
    if waiting := sum(each.waiting for each in seen.stages):
        topics = ", ".join(sorted(topic for topic, number in (seen.lag or {}).items() if number))
        text += f"; {waiting:,} who would be excessive or worse wait until what came before is counted"
        text += f" ({topics})" if topics else ""
    if seen.now_ms - seen.last_judged_ms > UNJUDGED_MS and seen.counted_per_s:
        mend = "mail is counted and nobody judged: see that a monitor runs, and its log"
        return StatusLine("judgement", "unwell", text, mend)
    return StatusLine("judgement", "well", text)


def _stage(stage: StageSeen) -> StatusLine:
    name = f"{stage.name} at {stage.url}" if stage.name else stage.url
    if stage.well is None:
        return StatusLine("stage", "unwell", f"{name}: {stage.said}", f"see that the stage at {stage.url} runs")
    if stage.well:
        return StatusLine("stage", "well", name)
    return StatusLine("stage", "unwell", f"{name}: {stage.said}", "docs/health.md says what to do about each part")


def _dead_letters(seen: StatusSeen) -> StatusLine:
    text = f"{seen.dead_letters:,} in the last 24 h" if seen.dead_letters else ""
    mend = "`repmon dead-letters list --summary --since 24h` says why"
    return _looked_for("dead letters", seen.dead_letters, text, mend, "none in the last 24 h")


def _losses(seen: StatusSeen) -> StatusLine:
    mend = "the table `incidents` has the offsets: have it sent again; raise the topic's retention, or add workers"
    return _looked_for("losses", seen.losses, "; ".join(seen.losses or ()), mend, "none in the last 24 h")


def _zones(seen: StatusSeen) -> StatusLine:
    text = f"not trusted: {', '.join(seen.distrusted_zones)}"
    mend = "`repmon zones test` says why; nothing they say counts meanwhile"
    well = f"{seen.zones} asked so far, all trusted" if seen.zones else "none was asked yet"
    return _looked_for("zones", None if seen.zones is None else seen.distrusted_zones, text, mend, well)


def _incidents(seen: StatusSeen) -> StatusLine:
    number = len(seen.incidents or ())
    text = f"{number} {'goes' if number == 1 else 'go'} on: {', '.join(seen.incidents or ())}"
    mend = "`repmon incidents list`, and `dismiss` of what is none"
    return _looked_for("incidents", seen.incidents, text, mend, "none goes on")


def _holds(seen: StatusSeen) -> StatusLine:
    number = seen.held_customers or 0
    text = f"{number:,} customer{' is' if number == 1 else 's are'} held"
    mend = "`repmon holds list`, then `confirm` or `release`"
    return _looked_for("holds", seen.held_customers, text, mend, "nobody is held")


def _decisions(seen: StatusSeen) -> Iterator[StatusLine]:
    """Events of what people decided, where nothing sends them."""
    if seen.unsent_decisions and seen.now_ms - seen.unsent_since_ms > UNSENT_MS:
        text = f"{seen.unsent_decisions:,} are not sent, the oldest for {_ago(seen, seen.unsent_since_ms)}"
        yield StatusLine("decisions", "unwell", text, "no monitor sends them: see that one runs, and its log")


def _hook(seen: StatusSeen) -> Iterator[StatusLine]:
    """Of the hook that acts, if there ever was one: the breaker, what fails, whether it runs, and what waits."""
    hook = seen.hook
    if hook is None:
        return
    acts = f"acts on {hook.in_force:,} customer{'s' * (hook.in_force != 1)}"
    if hook.breaker:
        text = f"the breaker is open for {_ago(seen, hook.breaker_ms)}, nobody new is acted on: {hook.breaker}"
        yield StatusLine(
            "hook",
            "unwell",
            text,
            "`repmon suspend-hook list` shows who waits, `repmon suspend-hook breaker close` lets it go on",
        )
    if hook.failing:
        yield StatusLine("hook", "unwell", f"fails: {'; '.join(hook.failing)}", "see that the targets answer ([hook])")
    if hook.acting_ms < seen.now_ms - UNLED_MS:
        text = f"none runs for {_ago(seen, hook.acting_ms)}; {acts}"
        yield StatusLine("hook", "unwell", text, "start `repmon suspend-hook --act`, or lift what is in force by hand")
    elif hook.approvals:
        waits = "customer waits" if hook.approvals == 1 else "customers wait"
        text = f"{hook.approvals:,} {waits} for two people; {acts}"
        yield StatusLine("hook", "look", text, "`repmon suspend-hook list`, then `repmon suspend-hook approve`")
    elif not hook.breaker and not hook.failing:
        yield StatusLine("hook", "well", acts)


def _notify(seen: StatusSeen) -> Iterator[StatusLine]:
    """Of notifications: which routes fail, what nothing sends, and dead letters."""
    found = [each for each in seen.routes or () if each.waiting + each.failed or each.route in seen.route_names]
    if seen.routes is None or not (found or seen.route_names):
        return
    known = [each for each in found if each.route in seen.route_names]
    late = [each for each in known if each.waiting and seen.now_ms - each.oldest_ms > UNSENT_MS]
    failing = [_failing(seen, each) for each in late if each.tries]
    if failing:
        mend = (
            "see that the targets take notifications (`repmon notify test ROUTE`); they are tried again by themselves"
        )
        yield StatusLine("notify", "unwell", "; ".join(failing), mend)
    elif late:
        text = "; ".join(f"{each.route}: {each.waiting:,} wait for {_ago(seen, each.oldest_ms)}" for each in late)
        yield StatusLine("notify", "unwell", text, "nothing sends: see that `repmon notify` or `repmon up` runs")
    elif failed := [f"{each.route}: {each.failed:,} in the last 24 h" for each in found if each.failed]:
        mend = "`repmon notify failed` says why, `repmon notify retry` sends them again"
        yield StatusLine("notify", "look", f"dead letters: {'; '.join(failed)}", mend)
    elif left := [f"{each.route}: {each.waiting:,}" for each in found if each.route not in seen.route_names]:
        text = f"wait for routes that are gone: {'; '.join(left)}"
        yield StatusLine("notify", "look", text, "name the route as before in notify.routes, or leave them")
    else:
        count, sent = len(seen.route_names), sum(each.sent for each in known)
        yield StatusLine("notify", "well", f"{count} route{'s' * (count != 1)}, {sent:,} sent in the last 24 h")


def _failing(seen: StatusSeen, each: RouteTotals) -> str:
    letters = f", {each.failed:,} dead letters in the last 24 h" if each.failed else ""
    return f"{each.route}: {each.waiting:,} wait, the oldest for {_ago(seen, each.oldest_ms)}: {each.said}{letters}"


def _looked_for(part: str, found: int | Collection[str] | None, text: str, mend: str, well: str) -> StatusLine:
    """A part of which the store says what waits for a person: `text` where there is any, `well` where there is none."""
    if found is None:
        return StatusLine(part, "unknown", "the store does not say")
    return StatusLine(part, "look", text, mend) if found else StatusLine(part, "well", well)


def _ago(seen: StatusSeen, then_ms: int) -> str:
    return age(max(0, seen.now_ms - then_ms) / 1000)
