"""What each command does once its words are read. Prints to standard output; problems are raised."""

import asyncio
import contextlib
import io
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import typer
from rich.console import Console

from api.cli.printing import print_json_text, print_line, print_note
from api.http.app import create_app
from api.http.keys import create_key, list_keys, revoke
from api.http.metrics import StageServer
from api.stack import running
from api.stack.demo import run_demo
from api.stack.policy import PolicyInForce, load_policy, policy_in_force
from api.stack.reading import adapt_context, ingest_worker
from api.stack.stages import MonitorStage
from api.stack.up import Stack, run_until_stopped
from api.text.bad_file import refuse_packed, told
from api.text.console import alert_line
from jobs import simulate as simulation
from jobs.embedded.folder import DataFolder
from jobs.hooks import suspend_hook as hook
from jobs.operator.decisions import DecisionError, check_known
from jobs.resend import ingest_file as files
from jobs.resend.file_kind import KeepsHead
from jobs.setup import migrate as migration
from jobs.setup.dashboards import DashboardError, deploy, generate
from jobs.setup.topics import create_topics as create
from schemas import topics
from schemas.alert import AlertEvent
from schemas.settings import Settings, SettingsError
from schemas.settings_file import hidden
from schemas.times import utc_now_ms
from streams.adapt import LISTING_FORMATS
from streams.io.broker import BrokerError, Publisher
from streams.io.store import open_store

REFRESH_S = 1.0

#: Which policy is in force, where the settings name no file and where they do.
POLICY_ORDER = (
    "# no file: the policy applied last is in force, else the built-in one; `repmon policy show` says which",
    "# this file is in force, whatever is applied",
)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDay:
    """What a simulation is asked for; see `jobs.simulate.SimulationOptions`."""

    seed: int
    customers: int
    messages: int
    rate: int
    live_rate: int
    span_hours: float
    live_seconds: float = 0.0

    def options(self) -> simulation.SimulationOptions:
        """As the simulator takes it."""
        return simulation.SimulationOptions(
            seed=self.seed,
            customers=self.customers,
            messages=self.messages,
            rate=self.rate,
            live_rate=self.live_rate,
            span_hours=self.span_hours,
            live_seconds=self.live_seconds,
        )


def demo(settings: Settings, day: SimulatedDay, duration: float | None, truth: Path | None) -> None:
    """Everything in one process with a simulated fleet, in a folder that is gone afterwards."""
    running.run(run_demo(settings, day.options(), duration, truth, out))


def up(settings: Settings, duration: float | None) -> None:
    """Everything in one process until stopped."""
    load_policy(settings)  # a fault in it ends the command before anything is started

    async def run() -> None:
        async with Stack(settings, tell=print_line) as stack:
            print_line(
                f"repmon is up: Kafka at {stack.settings.kafka.bootstrap}, API and its page at {stack.api_url}/docs, "
                f"data in {stack.folder.path}. Ctrl-C stops it."
            )
            await run_until_stopped(stack, seconds=duration, alongside=lambda _stack, _over: [])
        if not stack.drained:
            raise BrokerError("stopped, but not everything that was acknowledged could be counted in time")
        print_line("repmon: stopped; everything acknowledged is counted")

    running.run(run())


def ingest(settings: Settings) -> None:
    """The ingest stage alone."""
    running.tune_memory()
    worker, store = ingest_worker(settings)
    where = (settings.metrics.host, settings.metrics.port)
    server = StageServer(*where, lambda: {"ingest": worker.metrics}, lambda: worker.metrics.trouble)
    try:
        worker.run(until_signalled())
    finally:
        server.close()
        store.close()


def monitor(settings: Settings) -> None:
    """The monitor stage alone."""

    async def run() -> None:
        over = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, over.set)
        running.tune_memory()
        folder = DataFolder(settings.embedded.data)
        folder.make()
        stage = MonitorStage(settings, folder.path / "faust")
        where = (settings.metrics.host, settings.metrics.port)
        server = StageServer(*where, lambda: {"monitor": stage.judge.metrics}, lambda: "")
        await stage.start()
        await over.wait()
        await stage.stop()
        server.close()

    running.run(run())


def api(settings: Settings) -> None:
    """The HTTP interface alone."""
    import uvicorn

    listening = _listen(settings.api.host, settings.api.port, "api")
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store).policy
    store.close()
    app = create_app(
        lambda: open_store(settings.clickhouse),
        expired_is_failure=in_force.expired_is_failure,
        policy=PolicyInForce(settings, in_force),
        owners=settings.blocklists.dedicated_pools,
    )
    with listening, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def collect(settings: Settings) -> None:
    """The webhook collector alone."""
    from api.collect.serve import build_collector, serve

    collector = build_collector(settings)
    host, port = settings.collect.host, settings.collect.port
    listening = _listen(host, port, "collect")
    where = f"[{host}]" if ":" in host else host
    where += f":{listening.getsockname()[1]}"
    for name, source in settings.collect.sources.items():
        print_line(f"http://{where}/collect/{source.format}/{name} -> {source.into}")
    until_signalled()  # uvicorn, once it has stopped, raises the signal again
    serve(collector, settings, listening)


def migrate(settings: Settings) -> None:
    """Bring the tables up."""
    for name in (applied := migration.migrate(settings.clickhouse)):
        print_line(f"applied {name}")
    if not applied:
        print_line("nothing to apply")


def simulate(settings: Settings, day: SimulatedDay, truth: Path) -> None:
    """Send a simulated day, and write its ground truth."""
    publisher, stop = open_publisher(settings), until_signalled()
    began = time.monotonic()
    sent = simulation.run(day.options(), publisher.publish, now_ms=utc_now_ms, stop=stop, sleep=time.sleep)
    publisher.flush()
    sent.write(truth)
    print_line(f"sent {sent.events:,} events in {time.monotonic() - began:.1f} s; the truth is in {truth}")


def ingest_file(settings: Settings, path: str, format_name: str, customer: str, began_ago_s: float | None) -> None:
    """Send a log through its adapter to the topic; with `began_ago_s`, moved in time to begin so long ago."""
    context = adapt_context(settings, customer)
    with _opened(path) as opened:
        refuse_packed(opened.peek(8), path, f"ingest-file --format {format_name} -")
        source = KeepsHead(opened)
        events = files.read_events(source, format_name, context)
        if began_ago_s is not None:
            events = files.moved_to(events, utc_now_ms() - round(began_ago_s * 1000))
        publisher = open_publisher(settings)
        topic = topics.MAIL_BLOCKLISTINGS if format_name in LISTING_FORMATS else topics.MAIL_EVENTS
        sent = files.send_file(events, lambda key, value: publisher.publish(topic, key, value))
    publisher.flush()
    if not source.head.strip():
        print_note(f"{path}: is empty")
    notes = list(told(sent.events, sent.bad, source.head, format_name, context))
    for note in notes:
        print_note(f"{path}: {note}")
    print_line(f"sent {sent.events:,} events; {sent.bad.count:,} records could not be read")
    if notes and not sent.events:
        raise typer.Exit(1)


ALERTS_SINCE = """
SELECT event, toUnixTimestamp64Milli(time) AS time_ms, id
FROM alerts FINAL
WHERE (time, id) > (fromUnixTimestamp64Milli({since:Int64}), {last:String})
    AND ({customer:String} = '' OR customer = {customer:String})
ORDER BY alerts.time, id
"""


def alerts(settings: Settings, *, follow: bool, as_json: bool, customer: str) -> None:
    """Alerts as lines or as CloudEvents."""
    store, stop = open_store(settings.clickhouse), until_signalled()
    since, last = 0, ""
    while True:
        for event, time_ms, alert_id in store.rows(ALERTS_SINCE, {"since": since, "last": last, "customer": customer}):
            since, last = int(time_ms), str(alert_id)
            if as_json:
                print_json_text(str(event))
            else:
                print_line(alert_line(msgspec.json.decode(event, type=AlertEvent)))
        if not follow or stop.wait(REFRESH_S):
            return


def suspend_hook(settings: Settings, *, dry_run: bool, from_beginning: bool) -> None:
    """Say whom a suspension hook would act on."""
    hook.run(
        settings.kafka,
        print_line,
        until_signalled(),
        dry_run=dry_run,
        from_beginning=from_beginning,
    )


def topics_create(settings: Settings) -> None:
    """Make missing topics."""
    for each in create(settings.kafka, topics.with_sources(settings.ingest.formats)):
        print_line(str(each))


def config_show(settings: Settings) -> None:
    """The settings as TOML-like lines."""
    for section, fields in hidden(settings).items():
        print_line(f"[{section}]")
        if section == "policy":
            print_line(POLICY_ORDER[bool(settings.policy.file)])
        for name, value in fields.items():
            print_json_text(f"{name} = {msgspec.json.encode(value).decode()}")
        print_line("")


def keys_create(settings: Settings, customer: str, *, operator: bool, label: str) -> None:
    """Make a key; it is shown this once."""
    if bool(customer) == operator:
        raise SettingsError("give either --customer NAME or --operator")
    store = open_store(settings.clickhouse)
    key = create_key(store, customer, label, utc_now_ms())
    if customer:
        try:
            check_known(store, customer)
        except DecisionError as error:
            print_note(f"{error}; the key is made all the same, and works once there is")
    store.close()
    print_line(key)


def keys_list(settings: Settings) -> None:
    """All keys, a line each; never the key itself."""
    store = open_store(settings.clickhouse)
    for key in list_keys(store):
        owner, state = key.customer or "(operator)", "revoked" if key.revoked else "in use"
        print_line(f"{key.owner.id}  {state:<7}  {key.created:%Y-%m-%d %H:%M}Z  {owner}  {key.label}")
    store.close()


def keys_revoke(settings: Settings, which: str) -> None:
    """Revoke a key: it is refused from now on."""
    store = open_store(settings.clickhouse)
    owner = revoke(store, which, utc_now_ms())
    store.close()
    print_line(f"revoked key {owner.id} of {owner.customer or 'an operator'}")


def dashboards_deploy(settings: Settings) -> None:
    """Deploy to Grafana."""
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store).policy
    store.close()
    for line in deploy(settings.grafana, settings.clickhouse, policy=in_force):
        print_line(line)


def dashboards_generate(path: Path) -> None:
    """Write the dashboard's JSON."""
    text = generate()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DashboardError(f"{path}: cannot be written: {error.strerror}") from error
    print_line(f"wrote {path}")


def open_publisher(settings: Settings) -> Publisher:
    """A publisher to topics that exist."""
    publisher = Publisher(settings.kafka)
    publisher.partitions(topics.MAIL_EVENTS)
    return publisher


def until_signalled() -> threading.Event:
    """Set by Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    return stop


def _listen(host: str, port: int, section: str) -> socket.socket:
    """A socket at the address that a section of the settings gives. Made here and not by uvicorn, whose error is a log
    line of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).split(" (while ", 1)[0]
        raise SettingsError(f"{section}.host, {section}.port: {host}:{port} cannot be used: {reason}") from error


@contextlib.contextmanager
def _opened(path: str) -> Iterator[io.BufferedReader]:
    if path == "-":
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield file
