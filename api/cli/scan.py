"""`repmon scan-blocklists`: all the time, once, or about some addresses and domains alone."""

from collections.abc import Sequence
from contextlib import closing

import click
import msgspec

from api.cli.durations import seconds
from api.cli.lazy import command
from api.cli.options import told_where, with_settings
from api.cli.printing import print_json, print_line
from api.cli.publishing import open_publisher
from api.cli.scanning import open_scanner, scan_once, scan_until_stopped
from api.cli.stopping import until_signalled
from api.text.consoles import err, out
from api.text.looks import Line, LookLine, change_line, look_lines, rows, scan_lines
from api.text.progress import bar
from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import ask_about
from jobs.blocklists.used_resources import resources_of
from schemas.blocklist_settings import EveryMinutes
from schemas.blocklists import in_force
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.io.store import open_store

#: An address, or a domain and the domain registered above it.
Named = tuple[Resource, ...]
#: Exit codes where addresses or domains are named.
LISTED = 1
NOTHING_LEARNED = 3


@command(
    "repmon scan-blocklists",
    "repmon scan-blocklists --ip 192.0.2.1 --domain acme.com",
    name="scan-blocklists",
)
@click.option("--once", is_flag=True, help="One scan, then end; the next one takes second looks.")
@click.option("--every", default="", help="Ask every list this often, whatever it weighs, for example 10m.")
@click.option("--ip", multiple=True, help="Ask about this address alone; may be repeated.")
@click.option("--domain", multiple=True, help="Ask about this domain alone; may be repeated.")
@click.option("--publish", is_flag=True, help="With --ip, --domain: report what is found, as a scan does.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; with --once, --ip or --domain.")
@with_settings
def scan_blocklists(
    written: Settings,
    once: bool,
    every: str,
    ip: tuple[str, ...],
    domain: tuple[str, ...],
    publish: bool,
    as_json: bool,
) -> None:
    """Ask blocklists about addresses and domains in use.

    Those that sent lately are asked about, and what is listed or delisted is reported. Each list is asked as often as
    its weight says (blocklists.every_minutes). With --ip or --domain only these are asked about, nothing is reported,
    and the exit code is 1 if a list that is trusted lists one of them, 0 if none does, 3 if no list gave an answer
    about one of them.
    """
    asked = [*named("--ip", "ip", ip), *named("--domain", "domain", domain)]
    if asked and (once or every):
        raise SettingsError("--ip and --domain exclude --once and --every")
    if once and every:
        raise SettingsError("--once and --every: give one of them")
    if publish and not asked:
        raise SettingsError("--publish needs --ip or --domain")
    if as_json and not (asked or once):
        raise SettingsError("--json needs --once, --ip or --domain")
    if asked and not publish:
        raise click.exceptions.Exit(ask(written, asked, publish=False, as_json=as_json))
    with told_where(written) as settings:
        if asked:
            raise click.exceptions.Exit(ask(settings, asked, publish=True, as_json=as_json))
        scan(with_every(settings, seconds(every, "--every")), once=once, as_json=as_json)


def ask(settings: Settings, asked: Sequence[Named], *, publish: bool, as_json: bool) -> int:
    """Print what every list says of these, and report it where that is wanted; the exit code.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address.
        StoreError, BrokerError: store or broker failed; only where it is reported.
    """
    zones = in_force(settings.blocklists)
    resources = list(dict.fromkeys(each for several in asked for each in several))
    changes: list[Line] = []
    with bar("asking", out, err) as progress:
        if publish:
            with closing(open_store(settings.clickhouse)) as store:
                scanner = open_scanner(settings, store, open_publisher(settings), progress)
                found, result = scanner.these(resources, utc_now_ms())
            changes = [change_line(each) for each in result.events]
        else:
            found = ask_about(resources, zones, settings.blocklists, progress)
    lines = look_lines(found, resources, zones)
    if as_json:
        print_all([*lines, *changes])
    else:
        for row in rows(lines):
            print_line(row)
        for several in asked:
            if not any((each.kind, each.resource) in several for each in lines):
                print_line(f"{several[0].name}: no list holds its like")
        if publish:
            print_line(f"{len(changes):,} changes reported")
    return exit_code(lines, asked)


def exit_code(lines: Sequence[LookLine], asked: Sequence[Named]) -> int:
    """1 where one is listed; 3 where nothing was learned of one; else 0."""
    if any(each.outcome == "listed" for each in lines):
        return LISTED
    clear = {Resource(each.kind, each.resource) for each in lines if each.outcome == "clear"}
    return 0 if all(clear.intersection(several) for several in asked) else NOTHING_LEARNED


def scan(settings: Settings, *, once: bool, as_json: bool) -> None:
    """Scan once, or until stopped.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address, or the port of the metrics cannot be used.
        StoreError, BrokerError: store or broker failed.
    """
    publisher = open_publisher(settings)
    if once:
        results: list[ScanResult] = []
        with bar("asking", out, err) as progress:
            scan_once(settings, publisher, results.append, progress)
        for result in results:
            if as_json:
                print_all(list(scan_lines(result)))
            else:
                _print(str(result))
        return
    scan_until_stopped(settings, publisher, until_signalled(), _print, lambda result: _print(str(result)))


def named(option: str, kind: str, names: Sequence[str]) -> list[Named]:
    """What the options name.

    Raises:
        SettingsError: one is no address, or no domain.
    """
    found: list[Named] = []
    for name in names:
        found.append(resources_of(name.strip(), kind))
        if not found[-1]:
            what = "an IP address" if kind == "ip" else "a domain"
            raise SettingsError(f"{option}: {name!r} is not {what}")
    return found


def with_every(settings: Settings, every_s: float | None) -> Settings:
    """The settings with all zones asked so often, where that is given."""
    if every_s is None:
        return settings
    minutes = every_s / 60
    every = EveryMinutes(critical=minutes, major=minutes, minor=minutes, informational=minutes)
    blocklists = msgspec.structs.replace(settings.blocklists, every_minutes=every)
    return msgspec.structs.replace(settings, blocklists=blocklists)


def print_all(lines: Sequence[Line]) -> None:
    """Each as a line of its own."""
    for each in lines:
        print_json(each)


def _print(text: str) -> None:
    for line in text.splitlines():
        print_line(line)
