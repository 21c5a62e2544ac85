"""The client, over the running interface, and the hook of the README, over interface and broker."""

import asyncio
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest

import repmon.client
from api.http import keys
from repmon.client import ApiProblemError, AsyncClient, Client, alerts
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS
from streams.io.broker import Publisher
from tests.support.api_client import Api
from tests.support.api_scene import ALERT, NOW_MS, complaint_alert, scene
from tests.support.databases import Databases
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("standing_clock")
HOOK = re.compile(r"```python\n(from pathlib.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def running(databases: Databases) -> Iterator[tuple[Api, str]]:
    with databases.opened(lasting=True) as store, scene(store.settings, store) as found:
        yield found


def client_of(running: Api, key: str) -> Client:
    return Client("http://testserver", key, transport=running.client._transport)


@pytest.mark.parametrize("changed", [{"scope": "stream:news"}, {"rule": "block"}, {"customer": "rival"}])
def test_event_that_calls_an_alert_another_one_is_not_confirmed(
    running: tuple[Api, str], changed: dict[str, str]
) -> None:
    """Whoever may write to the topic could make of an alert on one stream one on all mail."""
    interface, operator = running
    with client_of(interface, operator) as client:
        sent = complaint_alert()
        assert client.confirmed(sent) is not None
        assert (
            client.confirmed(msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, **changed))) is None
        )


def test_page_of_a_proxy_is_a_problem_and_no_answer() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>sign in</html>"))
    with (
        Client("http://testserver", "key", transport=page) as client,
        pytest.raises(ApiProblemError, match="200: what"),
    ):
        client.standing()


def test_client_gives_types_and_goes_through_all_pages(running: tuple[Api, str]) -> None:
    interface, operator = running
    with client_of(interface, interface.key) as client:
        assert client.standing().scopes[0].standing == "excessive"
        (complaint, failure) = client.rates("complaint", "failure", window="24h").series
        assert (complaint.metric, failure.points[-1].window.denominator) == ("complaint", 24_092)
        assert [each.alert_id for each in client.alerts(state="open")] == [ALERT]
        assert client.alert(ALERT).history[0].kind == "opened"
        assert client.explain(ALERT).level == "excessive"
        assert len(list(client.complaints())) == 3
        assert [each.scope for each in client.allowances().allowances][:1] == ["customer"]
        assert client.listings().listings[0].resource == "192.0.2.1"
        with pytest.raises(ApiProblemError, match="one customer only") as refused:
            client.standing("rival")
        assert refused.value.status == 403
    with client_of(interface, operator) as client:
        assert [each.customer for each in client.customers()] == ["rival", "acme"]
        assert client.acknowledge(ALERT, "called them").customers == ["acme"]
        with pytest.raises(ApiProblemError) as wrong:
            client.override("acme", "no rule", "warning", "2026-03-26T12:00:00Z", "list mended")
        assert [each.parameter for each in wrong.value.errors] == ["rule"]


def test_other_client_is_the_same_for_an_event_loop(running: tuple[Api, str]) -> None:
    interface, _ = running

    async def asked() -> list[str]:
        transport = httpx.ASGITransport(app=interface.client.app)
        async with AsyncClient("http://testserver", interface.key, transport=transport) as client:
            return [(await client.standing()).customer, *[each.rule async for each in client.alerts()]]

    assert asyncio.run(asked()) == ["acme", "complaint"]


def test_request_that_only_reads_is_tried_again_when_the_answer_says() -> None:
    said: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        said.append(request.method)
        problem = {"title": "Too Many Requests", "status": 429, "detail": "send fewer"}
        return httpx.Response(429, json=problem, headers={"Retry-After": "0"})

    with Client("http://testserver", "key", transport=httpx.MockTransport(answer)) as client:
        for ask in (client.standing, partial(client.suspend, "acme", "x")):
            with pytest.raises(ApiProblemError, match="send fewer"):
                ask()
    assert said == ["GET"] * 4 + ["POST"]


def test_hook_of_the_readme_asks_again_before_it_acts(
    running: tuple[Api, str], embedded_kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that is stored it says whom; of a repeat, of what nobody knows, of another customer's nothing."""
    interface, _ = running
    (hook,) = HOOK.findall(Path("README.md").read_text())
    assert len(hook.strip().splitlines()) <= 11
    known = complaint_alert()
    critical = msgspec.structs.replace(known, data=msgspec.structs.replace(known.data, level="critical"))
    interface.alert(msgspec.structs.replace(critical, id="critical", time="2026-03-12T12:00:00.000Z"))
    forged = msgspec.structs.replace(critical.data, alert_id="0" * 32)
    evil = msgspec.structs.replace(critical.data, alert_id="../customers?limit=1#")
    none = msgspec.structs.replace(critical.data, alert_id="")
    foreign = msgspec.structs.replace(critical.data, customer="rival")
    publisher = Publisher(embedded_kafka)
    publisher.partitions(REPUTATION_ALERTS)
    named = {"forged": forged, "evil": evil, "none": none, "foreign": foreign, "last": critical.data}
    others = [msgspec.structs.replace(critical, id=name, data=data) for name, data in named.items()]
    for event in (critical, critical, *others):
        publisher.publish(REPUTATION_ALERTS, b"acme", b'{"type":"org.repmon.alert.opened.v1","data":1}')
        publisher.publish(REPUTATION_ALERTS, b"acme", b"\xff{")
        publisher.publish(REPUTATION_ALERTS, b"acme", msgspec.json.encode(event))
    publisher.flush()
    (tmp_path / "key").write_text(keys.create_key(interface.store, keys.OPERATOR, "", NOW_MS))
    monkeypatch.chdir(tmp_path)
    stop, said = threading.Event(), list[str]()
    monkeypatch.setattr(repmon.client, "Client", lambda _, key: client_of(interface, key))
    monkeypatch.setattr(
        repmon.client, "alerts", lambda _, group: alerts(embedded_kafka.bootstrap, group=group, stop=stop)
    )

    told = {"print": lambda *words: said.append(" ".join(words))}
    thread = threading.Thread(target=exec, args=(hook, told), daemon=True)  # our own README
    thread.start()
    wait_for(lambda: len(said) > 1, "the last event of the alert is told")
    stop.set()
    thread.join(10)
    assert [each.split(" since ")[0] for each in said] == ["would suspend acme"] * 2
