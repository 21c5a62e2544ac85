"""What operators decide on pages: it says what will happen, happens, and stands in the audit with who and why."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from api.console.operations import Operations
from api.console.shared import Shared
from api.http import keys
from api.stack.adapting import adapt_context
from jobs.operator.audit import Entry, entries
from jobs.operator.policy_drafts import PolicyDraft, last_trial, save
from jobs.resend.dead_letters import Chosen, newest
from jobs.resend.replay import Reader, Replayer
from schemas.settings import Settings
from schemas.times import utc_time
from streams.decisions.applied_policies import newest as newest_policy
from streams.io.store import Store
from tests.support.api_client import Api
from tests.support.api_scene import HOLD, INCIDENT, LETTER, NOW_MS, OPERATORS_KEY, POLICY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases
from tests.support.status_seen import SEEN
from tests.support.waiting import pause_s

#: What went to a provider in some hours, as the scene has it: nothing was late there.
SENT = """
SELECT sum(delivered) + sum(hard) + sum(block) + sum(expired), uniqExact(customer) FROM counts
WHERE dimension = 'provider' AND value = 'yahoo' AND bucket >= {from:DateTime('UTC')}
    AND bucket < {until:DateTime('UTC')}
"""
#: What a monitor makes of a release.
STATE = {"customer": ["rival"], "scope": ["customer"], "rule": ["failure"], "level": ["good"], "state": ["{}"]}


@pytest.fixture(scope="module")
def scenery(databases: Databases) -> Iterator[Api]:
    """One for all tests; the last of them stops its store."""
    with databases.opened(lasting=True) as store, scene(store.settings, store) as (interface, _):
        yield interface


@pytest.fixture
def api(scenery: Api) -> Api:
    """A second later than the test before."""
    scenery.clock[0] += 1_000
    return scenery


@pytest.fixture
def operator(api: Api) -> ConsoleVisitor:
    found = visitor(api.client)
    assert found.sign_in(OPERATORS_KEY).status_code == 303
    return found


def on_record(api: Api, action: str) -> list[Entry]:
    return entries(api.store, 0, 100, action=action, verdicts=False)


def follow(visitor: ConsoleVisitor, path: str, **fields: Any) -> str:
    """The page after an act."""
    answer = visitor.post(path, **fields)
    assert answer.status_code == 303, answer.text
    return visitor.get(answer.headers["location"]).text


def until(found: Callable[[], str], words: str) -> str:
    """A page once it has some words."""
    deadline = asked = time.monotonic()
    while words not in (text := found()):
        assert time.monotonic() < deadline + 60, text
        # What is waited for runs in the same process: it is not to be kept from it by the asking.
        time.sleep(pause_s(asked))
        asked = time.monotonic()
    return text


def test_key_that_may_only_look_sees_pages_without_forms_and_decides_nothing(api: Api) -> None:
    # The first of all: the others decide about everybody who waits.
    reading = keys.create_key(api.store, keys.OPERATOR, "looks", NOW_MS)
    looking = visitor(api.client)
    looking.sign_in(reading)
    for path in (f"holds/{HOLD}", f"incidents/{INCIDENT}", f"dead-letters/{short(api)}"):
        shown = looking.get(f"/console/{path}").text
        assert "You may look, not decide" in shown
        assert 'name="why"' not in shown
    for path in (f"holds/{HOLD}", f"incidents/{INCIDENT}/dismiss", "policy", "policy/apply", "dead-letters/replay"):
        assert looking.post(f"/console/{path}", why="x", text=POLICY, instead_of="0").status_code == 403
    assert looking.get("/console/incidents/declare").status_code == 403


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        (f"holds/{HOLD}", {"decision": "release", "of": "all", "why": " "}, 422, "The reason is empty"),
        (f"holds/{HOLD}", {"decision": "release", "of": "chosen", "why": "x"}, 422, "Nobody is chosen"),
        (f"holds/{HOLD}", {"decision": "away", "of": "all", "why": "x"}, 422, "Decide to release or to confirm"),
        (f"holds/{HOLD}", {"decision": "confirm", "of": "chosen", "customer": "acme", "why": "x"}, 409, "nothing of"),
        ("policy", {"text": " ", "do": "check"}, 422, "The policy is empty"),
        ("case/suspend", {"customer": "", "why": "x"}, 422, "The customer is empty"),
        ("case/suspend", {"customer": "acme", "why": " "}, 422, "Not done: The reason is empty"),
        ("case/acknowledge", {"customer": "acme", "why": "x"}, 422, "Not done: Choose one alert at least"),
        ("holds/ffff", {"decision": "confirm", "of": "all", "why": "x"}, 404, "There is no hold"),
        ("incidents/ffff/dismiss", {"why": "x"}, 404, "There is no incident"),
        (f"incidents/{INCIDENT}/dismiss", {"why": ""}, 422, "The reason is empty"),
        ("incidents/declare", {"place": "yahoo", "from": "soon", "until": "", "why": "x"}, 422, "From is no time"),
        (
            "incidents/declare",
            {"place": "none", "from": "2026-03-12T10:00", "until": "2026-03-12T11:00", "why": "x"},
            422,
            "Where: ",
        ),
        ("policy/apply", {"text": POLICY, "why": "x"}, 422, "which policy this one replaces"),
        ("policy/apply", {"text": POLICY, "instead_of": "0", "why": ""}, 422, "The reason"),
        ("policy/apply", {"text": "rules = 3", "instead_of": "0", "why": "x"}, 422, "The console: "),
    ],
)
def test_what_cannot_be_decided_is_said_and_changes_nothing(
    api: Api, operator: ConsoleVisitor, path: str, fields: dict[str, str], status: int, words: str
) -> None:
    before = api.store.rows("SELECT count() FROM audit WHERE action != 'read'")
    answer = operator.post(f"/console/{path}", **fields)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert api.store.rows("SELECT count() FROM audit WHERE action != 'read'") == before


def test_who_was_ticked_is_released_and_then_all_others(api: Api, operator: ConsoleVisitor) -> None:
    path = f"/console/holds/{HOLD}"
    asked = {"decision": "release", "of": "chosen", "customer": ["rival"], "why": "our DNS was down"}
    after = follow(operator, path, **asked)
    assert re.search(r"Done: hold released.*rival.*our DNS was down", after, re.DOTALL)
    (found,) = on_record(api, "hold released")
    assert (found.customer, found.subject, found.why) == ("rival", HOLD, "our DNS was down")
    assert found.who.startswith("Ida (key ")
    api.store.insert("alert_states", {**STATE, "updated": [utc_time(NOW_MS + 5)]})
    api.clock[0] += 1_000
    after = follow(operator, path, decision="confirm", of="all", why="they are bad")
    assert re.search(r"Done: hold confirmed.*stranger.*they are bad", after, re.DOTALL)
    assert [each.customer for each in on_record(api, "hold confirmed")] == ["stranger"]


def test_incident_is_declared_after_it_was_shown_whom_it_concerns(api: Api, operator: ConsoleVisitor) -> None:
    asked = {"place": "yahoo", "from": "2026-03-12T10:00", "until": "2026-03-12T11:00"}
    before = operator.client.get("/console/incidents/declare", params=asked).text
    told = re.search(r"So far that is <[^>]+>([0-9,]+)</span> recipients of <[^>]+>([0-9]+)</span> customers?;", before)
    ((total, customers),) = api.store.rows(SENT, {"from": "2026-03-12 10:00:00", "until": "2026-03-12 11:00:00"})
    assert told is not None
    assert told.groups() == (f"{total:,}", str(customers))
    assert total > 9_000
    after = follow(operator, "/console/incidents/declare", **asked, why="their status page")
    assert "Done: incident declared" in after
    assert re.search(r"All of it is left out", after)
    (name,) = re.findall(r'action="/console/incidents/([0-9a-f]+)/dismiss"', after)
    api.clock[0] += 1_000
    after = follow(operator, f"/console/incidents/{name}/dismiss", why="it was none")
    assert "Done: incident dismissed" in after
    assert [each.why for each in on_record(api, "incident dismissed")] == ["it was none"]


def test_mistakes_of_a_draft_are_named_with_their_line(operator: ConsoleVisitor) -> None:
    shown = operator.post("/console/policy", text=POLICY.replace("0.003", '"much"'), do="check").text
    assert "1</span> mistake" in shown
    assert re.search(r'data-line="8">Line 8</a>', shown)
    assert "excessive = &#34;much&#34;" in shown


def test_draft_and_its_trial_outlive_the_process(api: Api, operator: ConsoleVisitor) -> None:
    draft = POLICY.replace("0.001", "0.0987").replace("0.003", "0.3")
    operator.post("/console/policy", text=draft, do="try", days="1", level="warning")
    until(lambda: operator.get("/console/policy/trial").text, "would have flagged")
    until(lambda: getattr(last_trial(api.store), "state", ""), "done")
    api.client.app.state.shared_by_pages = Shared()  # type: ignore[attr-defined]  # as a process that just began

    trial = operator.get("/console/policy/trial").text
    assert "would have flagged" in trial and "0.0987" in trial
    kept = operator.get("/console/policy").text
    assert "Your draft</strong> of" in kept and "0.0987" in kept
    other = visitor(api.client)
    other.sign_in(keys.create_key(api.store, keys.OPERATOR, "Bo", NOW_MS, scopes=("read", "policy")))
    assert "0.0987" not in other.get("/console/policy").text
    assert "0.0987" not in follow(operator, "/console/policy", text=draft, do="discard")


def test_trial_of_which_nobody_said_how_it_ended_says_so(api: Api, operator: ConsoleVisitor) -> None:
    lost = PolicyDraft(who="Bo", saved_ms=NOW_MS + 60_000, text=POLICY, state="begun", days=30)
    save(api.store, lost, NOW_MS + 60_000)

    assert "Nobody said how it ended" in operator.get("/console/policy/trial").text
    save(api.store, msgspec.structs.replace(lost, days=0), NOW_MS + 60_001)


def test_draft_is_checked_tried_and_put_in_force(api: Api, operator: ConsoleVisitor) -> None:
    checked = operator.post("/console/policy", text=POLICY.replace("\n", "\r\n"), do="check").text
    assert "The draft can be used" in checked
    assert re.search(r'name="instead_of" value="0"', checked)
    mild = POLICY.replace("0.001", "0.1").replace("0.003", "0.3")
    answer = operator.post("/console/policy", text=mild, do="try", days="1", level="warning")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/policy/trial")
    shown = until(lambda: operator.get("/console/policy/trial").text, "would have flagged")
    assert re.search(r"<h2 id=\"freed\">Freed: .*acme.*excessive.* by complaint", shown, re.DOTALL)
    assert operator.get("/console/policy/trial/now").status_code == 204
    after = follow(operator, "/console/policy/apply", text=POLICY, instead_of="0", why="complaints doubled")
    assert "Done: policy applied" in after
    found = newest_policy(api.store)
    assert found is not None
    assert (found.text, found.why) == (POLICY, "complaints doubled")
    assert "already" in follow(operator, "/console/policy/apply", text=POLICY, instead_of=found.applied_ms, why="x")
    late = operator.post("/console/policy/apply", text=POLICY.replace("100", "200"), instead_of="0", why="late")
    assert late.status_code == 409
    assert "another policy came into force meanwhile" in late.text
    assert "min_volume = 200" in late.text
    assert newest_policy(api.store) == found
    assert "min_volume = 100" in operator.get(f"/console/policy?version={found.version}").text


class Sent:
    """A broker that takes everything."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bytes]] = []

    def partitions(self, topic: str) -> int:
        return 1

    def publish(self, topic: str, key: bytes, value: bytes, *, done: Callable[[str], None]) -> None:
        self.messages.append((topic, key, value))
        done("")

    def flush(self) -> None:
        return


def short(api: Api) -> str:
    return newest(api.store, Chosen(), 1)[0].short


@pytest.fixture
def sent(api: Api) -> Sent:
    broker, settings = Sent(), Settings()

    def replayer(store: Store, by: str, *, mended: bytes | None = None, again: bool = False) -> Replayer:
        reader = Reader(settings.ingest, adapt_context(settings))
        return Replayer(store, broker, reader, by, lambda: NOW_MS, again=again, mended=mended)

    api.client.app.state.operations = Operations(lambda: SEEN, replayer)  # type: ignore[attr-defined]
    return broker


GOOD = '{"id":"e7","time":1773318890000,"type":"delivered","customer":"acme","recipient":"ida@yahoo.example"}'


def test_letter_is_mended_and_sent_again(api: Api, operator: ConsoleVisitor, sent: Sent) -> None:
    path = f"/console/dead-letters/{short(api)}"
    assert "{&#34;id&#34;: &#34;e7&#34;}" in operator.get(path).text
    refused = operator.post(path, payload='{"id": "e8"}', why="type was missing")
    assert refused.status_code == 409
    assert "It was not sent: " in refused.text
    assert "e8" in refused.text
    assert sent.messages == []
    after = follow(operator, path, payload=GOOD, why="type was missing")
    assert "Done: dead letters replayed" in after
    assert ", mended" in after
    assert sent.messages == [("mail.events", b"acme", GOOD.encode())]
    assert [each.why for each in on_record(api, "dead letters replayed")] == ["type was missing"]
    # What could not be read is not sent because something else was in its place before.
    again = operator.post(path, payload='{"id": "e7"}', why="once more")
    assert (again.status_code, len(sent.messages)) == (409, 1)
    assert "It was not sent: " in again.text


def test_letter_that_there_is_not_is_not_found(operator: ConsoleVisitor, sent: Sent) -> None:
    for answer in (
        operator.get("/console/dead-letters/ffffffff"),
        operator.post("/console/dead-letters/ffff", why="x"),
    ):
        assert answer.status_code == 404
        assert "There is no dead letter ffff" in answer.text
    assert sent.messages == []


def test_letters_of_a_reason_are_sent_again_in_the_background(api: Api, operator: ConsoleVisitor, sent: Sent) -> None:
    rows = [(place, GOOD if place < 3 else "{}") for place in range(100, 104)]
    api.store.insert(
        "dead_letters",
        {
            "topic": ["mail.events"] * 4,
            "source": [LETTER.partition("@")[0]] * 4,
            "position": [place for place, _ in rows],
            "time": [utc_time(NOW_MS - 1_000)] * 4,
            "reason": [f"line {place}: was not read" for place, _ in rows],
            "payload": ["{}", GOOD, GOOD, GOOD],
        },
    )
    page = operator.get("/console/dead-letters").text
    assert "line N: was not read" in page
    asked = {"topic": "mail.events", "reason": "line N: was not read", "days": "7", "why": "mended the settings"}
    assert operator.post("/console/dead-letters/replay", **asked).status_code == 303
    shown = until(lambda: operator.get("/console/dead-letters/replay").text, "Why some were not sent")
    assert re.search(r"Sent</dt><dd class=\"big\"><span class=\"n\">3", shown)
    assert len(sent.messages) == 3
    found = on_record(api, "dead letters replayed")[0]
    assert (found.subject, found.detail["letters"]) == ("mail.events", 4)


def test_health_is_what_the_status_says(operator: ConsoleVisitor, sent: Sent) -> None:
    shown = until(lambda: operator.get("/console/health/now").text, "All is well")
    assert "26.3" in shown
    assert "messages/s come" in operator.get("/console/health").text


def test_page_without_a_broker_says_what_cannot_be_done(api: Api, operator: ConsoleVisitor) -> None:
    api.client.app.state.operations = None  # type: ignore[attr-defined]
    answer = operator.get("/console/health")
    assert answer.status_code == 503
    assert "no broker is known" in answer.text


def test_what_was_shown_last_is_shown_while_the_store_does_not_answer(api: Api, operator: ConsoleVisitor) -> None:
    """With its age, and a page that was not shown before says that the store does not answer."""
    paths = ("incidents", f"holds/{HOLD}", "providers", "blocklists", "policy", "dead-letters", "audit")
    for path in paths:
        assert operator.get(f"/console/{path}").status_code == 200
    api.close_after_each_answer()
    api.server.stop()
    api.clock[0] += 125_000
    for path in paths:
        answer = operator.get(f"/console/{path}")
        assert answer.status_code == 200, path
        assert re.search(r'role="alert">The store does not answer. This is as it was .*2\smin', answer.text), path
    assert operator.get("/console/audit?who=nobody").status_code == 503
