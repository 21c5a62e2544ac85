"""`repmon up`: every stage in one process, by default around an embedded broker and store."""

from typing import Any

import click
import msgspec

from api.cli.durations import seconds
from api.cli.lazy import command, importing
from api.cli.options import duration, with_settings
from api.cli.printing import print_line
from jobs.embedded.folder import real_path
from schemas.mail import MailSettings
from schemas.settings import Settings
from schemas.settings_check import check


@command("repmon up", "repmon up --kafka broker:9092 --clickhouse http://clickhouse:8123")
@click.option("--kafka", default="", help="A real broker, HOST:PORT, in place of the embedded one.")
@click.option("--clickhouse", default="", help="A ClickHouse URL in place of the embedded store.")
@click.option("--data", type=click.Path(), default="", help="The data folder.")
@duration
@with_settings
def up(settings: Settings, kafka: str, clickhouse: str, data: str, duration: str) -> None:
    """Run everything in one process, until stopped.

    That is ingest, monitor and HTTP interface, and a broker and a store that are embedded where no other is named.
    Other commands find it by its data folder.
    """
    _run(with_targets(settings, kafka, clickhouse, data), seconds(duration, "--for"))


def with_targets(settings: Settings, kafka: str, clickhouse: str, data: str) -> Settings:
    """The settings with what the command line says of broker, store and folder.

    Raises:
        SettingsError: one of them cannot be used.
    """
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
    check(changed)
    return changed


def check_written(settings: Settings) -> None:
    """What is written of policy, routes and mails, in the files that the settings name too.

    Raises:
        InvalidInputError: one of them cannot be used; naming it, and the file or the setting.
    """
    with importing():
        from api.stack.policy import load_policy

        load_policy(settings)
        if settings.notify.routes:
            from jobs.notify.targets.target import check_routes

            check_routes(settings.notify.routes)
        if settings.mail != MailSettings():
            from jobs.mail.mail import MailWriter

            MailWriter(settings.mail)


def _run(settings: Settings, duration: float | None) -> None:
    print_line(f"repmon: starting, data in {real_path(settings.embedded.data)}")
    with importing():  # only now: somebody waits at the terminal for the first line
        from api.stack import running
        from api.stack.up import Stack, run_until_stopped
        from api.text.consoles import out
        from streams.io.broker import BrokerError

    check_written(settings)  # a fault in it ends the command before anything is started

    async def run() -> None:
        async with Stack(settings, tell=print_line) as stack:
            print_line(
                f"repmon is up: Kafka at {stack.settings.kafka.bootstrap}, API and its page at {stack.api_url}/docs, "
                f"data in {stack.folder.path}. Ctrl-C stops it."
            )
            for line in stack.console_lines(link=out.is_terminal):
                print_line(line)
            await run_until_stopped(stack, seconds=duration, alongside=lambda _stack, _over: [])
        if not stack.drained:
            raise BrokerError("stopped, but not everything that was acknowledged could be counted in time")
        print_line("repmon: stopped; everything acknowledged is counted")

    running.run(run())
