"""The command `repmon`: every stage and job, with settings from a file and the environment.

Whatever the operator can mend (a wrong setting, an unreachable broker or store, a folder that cannot be written)
ends with one line on stderr and exit code 2.
"""

import errno
import logging
import signal
import sys

# The engines take a second to import: until that is done, Ctrl-C ends the process without a traceback.
_on_interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)

from pathlib import Path  # noqa: E402
from typing import Annotated, Any  # noqa: E402

import msgspec  # noqa: E402
import typer  # noqa: E402

from api.cli import commands  # noqa: E402
from api.cli import customers as customers_cli  # noqa: E402
from api.cli import dead_letters as dead_letters_cli  # noqa: E402
from api.cli import listings as listings_cli  # noqa: E402
from api.cli import normalize as normalize_cli  # noqa: E402
from api.cli import override as override_cli  # noqa: E402
from api.cli import policy as policy_cli  # noqa: E402
from api.cli import zones as zones_cli  # noqa: E402
from api.cli.ack import acknowledge_alert  # noqa: E402
from api.cli.alert_text import tell_alert  # noqa: E402
from api.cli.audit import show_audit  # noqa: E402
from api.cli.classify import classify_lines  # noqa: E402
from api.cli.durations import seconds  # noqa: E402
from api.cli.explain import explain_customer  # noqa: E402
from api.cli.health import show_health  # noqa: E402
from api.cli.judge import judge_counts  # noqa: E402
from api.cli.printing import print_fault  # noqa: E402
from api.cli.scan import scan_blocklists  # noqa: E402
from api.cli.suspend import suspend_customer, unsuspend_customer  # noqa: E402
from api.cli.top import show_top  # noqa: E402
from api.cli.try_policy import try_file  # noqa: E402
from api.stack.reading import adapt_context, load_classifier  # noqa: E402
from api.stack.running import exit_process  # noqa: E402
from api.text.log_lines import HarmlessFormatter  # noqa: E402
from jobs.embedded.folder import reached  # noqa: E402
from schemas import (  # noqa: E402
    providers,
    settings_check,
    settings_file,
)
from schemas import settings as setting  # noqa: E402
from schemas.errors import RepmonError  # noqa: E402
from streams.adapt import EVERY_FORMAT  # noqa: E402

signal.signal(signal.SIGINT, _on_interrupt)
app = typer.Typer(
    help="Who of your customers harms your sending reputation, from a stream of mail events.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
topics_app = typer.Typer(help="The Kafka topics.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)
keys_app = typer.Typer(help="Keys of the HTTP interface.", no_args_is_help=True)
dashboards_app = typer.Typer(help="The Grafana dashboard.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(config_app, name="config")
app.add_typer(keys_app, name="keys")
app.add_typer(dashboards_app, name="dashboards")
app.add_typer(dead_letters_cli.app, name="dead-letters")
app.add_typer(zones_cli.app, name="zones")
app.command("explain")(explain_customer)
app.add_typer(policy_cli.app, name="policy")
policy_cli.app.command("try")(try_file)
app.command("judge")(judge_counts)
app.command("scan-blocklists")(scan_blocklists)
app.add_typer(override_cli.app, name="override")
app.command("top")(show_top)
app.command("suspend")(suspend_customer)
app.command("unsuspend")(unsuspend_customer)
app.command("audit")(show_audit)
app.command("health")(show_health)
app.add_typer(customers_cli.app, name="customers")
app.add_typer(listings_cli.app, name="listings")
alerts_app = typer.Typer(help="The alerts sent, oldest first; and who acknowledged them.", invoke_without_command=True)
alerts_app.command("ack")(acknowledge_alert)
alerts_app.command("text")(tell_alert)
app.add_typer(alerts_app, name="alerts")

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file; repmon.toml if there.")]
Duration = Annotated[str, typer.Option("--for", help="Stop after this time, for example 60s or 5m.")]
FORMAT_HELP = f"One of {', '.join(EVERY_FORMAT)}."
NOISY = ("faust", "mode", "aiokafka", "kafka", "urllib3", "clickhouse_connect")


@app.callback()
def configure(
    ctx: typer.Context,
    config: ConfigFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is being done.")] = False,
) -> None:
    """Read the settings once for every command."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(HarmlessFormatter("%(asctime)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[lines])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.CRITICAL)
    # uvicorn logs why it cannot listen; the error that ends the command says so once.
    logging.getLogger("uvicorn.error").addFilter(lambda record: verbose or not isinstance(record.msg, OSError))
    ctx.obj = settings_file.load_settings(config)


@app.command()
def demo(
    ctx: typer.Context,
    duration: Duration = "",
    rate: Annotated[
        int, typer.Option(help="Events per second while a day is played back; 0 is as fast as possible.")
    ] = 20_000,
    customers: Annotated[int, typer.Option(help="How many customers.")] = 200,
    messages: Annotated[int, typer.Option(help="Messages in the day played back.")] = 500_000,
    seed: Annotated[int, typer.Option(help="The same seed plays the same day.")] = 1,
    truth: Annotated[Path | None, typer.Option(help="Where the simulator's ground truth is written.")] = None,
) -> None:
    """Everything in one process, with a simulated fleet: watch bad customers be found."""
    options = commands.SimulatedDay(
        seed=seed, customers=customers, messages=messages, rate=rate, live_rate=500, span_hours=24.0
    )
    commands.demo(ctx.obj, options, seconds(duration, "--for"), truth)


@app.command()
def up(
    ctx: typer.Context,
    kafka: Annotated[str, typer.Option(help="A real broker, HOST:PORT, in place of the embedded one.")] = "",
    clickhouse: Annotated[str, typer.Option(help="A ClickHouse URL in place of the embedded store.")] = "",
    data: Annotated[str, typer.Option(help="The data folder.")] = "",
    duration: Duration = "",
) -> None:
    """Everything in one process, until stopped: ingest, monitor, API, and the embedded broker and store."""
    commands.up(with_targets(ctx.obj, kafka, clickhouse, data), seconds(duration, "--for"))


@app.command()
def ingest(ctx: typer.Context) -> None:
    """Read events from Kafka, and count them in ClickHouse."""
    commands.ingest(ctx.obj)


@app.command()
def monitor(ctx: typer.Context) -> None:
    """Judge changed customers, and send alerts."""
    commands.monitor(ctx.obj)


@app.command()
def api(ctx: typer.Context) -> None:
    """Serve the HTTP interface."""
    commands.api(ctx.obj)


@app.command()
def collect(ctx: typer.Context) -> None:
    """Receive providers' webhooks over HTTP, and pass them to Kafka."""
    commands.collect(reached(ctx.obj))


@app.command()
def migrate(ctx: typer.Context) -> None:
    """Bring the tables to the current version. Safe to repeat."""
    commands.migrate(reached(ctx.obj))


@app.command()
def simulate(
    ctx: typer.Context,
    truth: Annotated[Path, typer.Option(help="Where the ground truth is written.")] = Path("truth.json"),
    seed: Annotated[int, typer.Option(help="The same seed sends the same day.")] = 1,
    customers: Annotated[int, typer.Option(help="How many customers.")] = 200,
    messages: Annotated[int, typer.Option(help="Messages in the day.")] = 500_000,
    hours: Annotated[float, typer.Option(help="How long before now the day begins.")] = 24.0,
    rate: Annotated[int, typer.Option(help="Events per second; 0 is as fast as possible.")] = 20_000,
    live: Annotated[float, typer.Option(help="Then continue in real time for so many seconds; -1 is for ever.")] = 0.0,
    live_rate: Annotated[int, typer.Option(help="Events per second while it continues.")] = 500,
) -> None:
    """Send the traffic of a simulated fleet to the broker."""
    day = commands.SimulatedDay(
        seed=seed, customers=customers, messages=messages, rate=rate, live_rate=live_rate, span_hours=hours,
        live_seconds=live,
    )  # fmt: skip
    commands.simulate(reached(ctx.obj), day, truth)


@app.command("ingest-file")
def ingest_file(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(help="The file, or - for standard input.")],
    format_name: Annotated[str, typer.Option("--format", help=FORMAT_HELP)],
    customer: Annotated[str, typer.Option(help="The customer of records that name none.")] = "",
    shift_to: Annotated[str, typer.Option(help="Move all times so that the log began, say, 1h ago.")] = "",
) -> None:
    """Send a real log to the topic mail.events; what an outside monitor saw on blocklists, to mail.blocklistings."""
    commands.ingest_file(reached(ctx.obj), path, format_name, customer, seconds(shift_to, "--shift-to"))


@app.command()
def classify(ctx: typer.Context) -> None:
    """Classify bounces on standard input (JSON lines): class, kind and rule of each."""
    rules = load_classifier(ctx.obj)
    if not classify_lines(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, rules, providers.load_providers()):
        raise typer.Exit(1)


@app.command()
def normalize(
    ctx: typer.Context,
    format_name: Annotated[str, typer.Option("--format", help=FORMAT_HELP)],
    customer: Annotated[str, typer.Option(help="The customer of records that name none.")] = "",
) -> None:
    """Print the canonical events of one raw body, log or mail on standard input, as JSON lines.

    Of the formats of outside blocklist monitors these are blocklist events.
    """
    context = adapt_context(ctx.obj, customer)
    if not normalize_cli.normalize(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, format_name, context):
        raise typer.Exit(1)


@alerts_app.callback()
def alerts(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new alerts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The CloudEvents as they were sent.")] = False,
    customer: Annotated[str, typer.Option(help="Only this customer's.")] = "",
) -> None:
    """The alerts sent, oldest first; and who acknowledged them."""
    if ctx.invoked_subcommand is None:
        commands.alerts(reached(ctx.obj), follow=follow, as_json=as_json, customer=customer)


@app.command("suspend-hook")
def suspend_hook(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print whom it would suspend.")] = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Print everything again.")] = False,
) -> None:
    """Read alerts and print, once each, whom it would suspend and why."""
    commands.suspend_hook(reached(ctx.obj), dry_run=dry_run, from_beginning=from_beginning)


@topics_app.command("create")
def topics_create(ctx: typer.Context) -> None:
    """Make the topics that are missing."""
    commands.topics_create(reached(ctx.obj))


@config_app.command("show")
def config_show(ctx: typer.Context) -> None:
    """Print the settings in force, secrets hidden."""
    commands.config_show(ctx.obj)


@keys_app.command("create")
def keys_create(
    ctx: typer.Context,
    customer: Annotated[str, typer.Option(help="Whose key it is.")] = "",
    operator: Annotated[bool, typer.Option("--operator", help="A key that may ask for any customer.")] = False,
    label: Annotated[str, typer.Option(help="A note to distinguish keys.")] = "",
) -> None:
    """Make a key and show it, once."""
    commands.keys_create(reached(ctx.obj), customer, operator=operator, label=label)


@keys_app.command("list")
def keys_list(ctx: typer.Context) -> None:
    """List keys by owner; the keys themselves are not stored."""
    commands.keys_list(reached(ctx.obj))


@keys_app.command("revoke")
def keys_revoke(ctx: typer.Context, key: Annotated[str, typer.Argument(help="The key, or its id.")]) -> None:
    """Revoke a key: it is refused from now on."""
    commands.keys_revoke(reached(ctx.obj), key)


@dashboards_app.command("deploy")
def dashboards_deploy(ctx: typer.Context) -> None:
    """Create or update folder, data source and dashboard in Grafana."""
    commands.dashboards_deploy(ctx.obj)


@dashboards_app.command("generate")
def dashboards_generate(
    path: Annotated[Path, typer.Argument(help="Where the JSON is written.")] = Path("dashboards/reputation.json"),
) -> None:
    """Write the dashboard's JSON."""
    commands.dashboards_generate(path)


def with_targets(settings: setting.Settings, kafka: str, clickhouse: str, data: str) -> setting.Settings:
    """The settings with what the command line says of broker, store and folder."""
    replace = msgspec.structs.replace
    changes: dict[str, Any] = {}
    embedded = settings.embedded
    if kafka:
        changes["kafka"] = replace(settings.kafka, bootstrap=kafka)
        embedded = replace(embedded, broker=False)
    if clickhouse:
        changes["clickhouse"] = replace(settings.clickhouse, url=clickhouse, path="")
        embedded = replace(embedded, store=False)
    if data:
        embedded = replace(embedded, data=data)
    changes["embedded"] = embedded
    changed = replace(settings, **changes)
    settings_check.check(changed)
    return changed


def main() -> None:
    """The entry point."""
    exit_process(_run())


def _run() -> int:
    """Run the command; its exit code."""
    try:
        app(standalone_mode=True)
    except RepmonError as error:
        return _fault(str(error))
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # no path that somebody gave: the fault is ours, and its traceback is wanted
        return _fault(f"{error.filename or 'standard output'}: {error.strerror}")
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def _fault(message: str) -> int:
    print_fault(f"repmon: {' '.join(message.split())}")
    return 2


if __name__ == "__main__":
    main()
