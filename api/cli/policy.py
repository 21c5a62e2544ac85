"""The commands `repmon policy ...`: check a policy, put it in force, and tell which were."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.printing import print_exactly, print_json, print_line, print_note
from api.stack.policy import policy_in_force
from api.text.policy import described, differences
from jobs.embedded.folder import reached
from jobs.operator.policy_store import apply, publish
from schemas.applied_policy import AppliedPolicy
from schemas.policy import DEFAULT_FILE, Policy, parse
from schemas.policy_check import mistakes
from schemas.policy_metric import PolicyError
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms, utc_time
from schemas.topics import REPUTATION_POLICY
from streams.decisions.applied_policies import history, named, policy_of
from streams.io.broker import BrokerError, Publisher
from streams.io.store import open_store

#: As large as the topic takes (schemas/topics/reputation.policy.yaml).
MAX_MESSAGE_BYTES = 8_388_608

app = typer.Typer(help="The policy.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The policy, a TOML file.")]


@app.command("check")
def check_file(file: File) -> None:
    """Validate a policy: name every mistake with its line, or show its version and rules."""
    for line in described(checked(file)[0]):
        print_line(line)


@app.command("show")
def show(
    ctx: typer.Context,
    as_toml: Annotated[bool, typer.Option("--toml", help="Only the file, as it was applied.")] = False,
) -> None:
    """Show the policy in force, and where it is from."""
    settings = reached(ctx.obj)
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store)
    store.close()
    if as_toml:
        named_file = Path(settings.policy.file) if settings.policy.file else DEFAULT_FILE
        print_exactly(in_force.applied.text.encode() if in_force.applied else named_file.read_bytes())
        return
    print_line(f"source   {in_force.source}")
    if in_force.applied:
        print_line(f"why      {in_force.applied.why}")
    for line in described(in_force.policy):
        print_line(line)


@app.command("apply")
def apply_file(
    ctx: typer.Context,
    file: File,
    by: Annotated[str, typer.Option("--by", help="Who applies it.")],
    why: Annotated[str, typer.Option("--why", help="Why, for those who ask later.")],
) -> None:
    """Put a policy in force: kept with who, when and why; running monitors look for a newer one every 2 s.

    Nothing is changed by a policy with mistakes, nor by the very text that is in force already.
    """
    for option, value in (("--by", by), ("--why", why)):
        if not value.strip():
            raise SettingsError(f"{option}: must not be empty")
    settings = reached(ctx.obj)
    policy, text = checked(file)
    store = open_store(settings.clickhouse)
    done = apply(store, text, str(file), by.strip(), why.strip(), utc_now_ms())
    store.close()
    if done.status == "applied":
        print_line(f"applied {done.policy.version}" + (f", before {done.before}" if done.before else ""))
    else:
        print_line(f"{_line(done.policy)}: the same text is in force already, nothing is changed")
    if "unwanted" in policy.used and not settings.ingest.refusals:
        said = (
            "a rule judges unwanted mail, which is counted only with ingest.refusals = true; these settings say false"
        )
        print_note(said)
    if settings.policy.file:
        said = f"policy.file names {settings.policy.file}, which takes precedence: this policy is not used"
        print_note(said)
    _published(settings, done.policy)


@app.command("diff")
def diff(
    ctx: typer.Context,
    file: File,
    against: Annotated[str, typer.Option("--against", help="An applied version; what is in force if left out.")] = "",
) -> None:
    """Show what a policy would change, rule by rule, against the one in force."""
    settings = reached(ctx.obj)
    policy, _ = checked(file)
    store = open_store(settings.clickhouse)
    before = policy_of(named(store, against)) if against else policy_in_force(settings, store).policy
    store.close()
    print_line(f"{before.version} -> {policy.version}")
    changes = list(differences(before, policy))
    for line in changes or ["both say the same"]:
        print_line(line)


@app.command("history")
def show_history(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most this many lines.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line; times are epoch ms.")] = False,
) -> None:
    """Show which policies were applied, newest first: when, by whom, why."""
    settings = reached(ctx.obj)
    store = open_store(settings.clickhouse)
    found = history(store, limit + 1)
    store.close()
    for each in found[:limit]:
        plain = {name: getattr(each, name) for name in ("version", "applied_ms", "applied_by", "why")}
        if as_json:
            print_json(plain)
        else:
            print_line(f"{_line(each)}: {each.why}")
    if not found:
        print_note("no policy was applied yet")
    if len(found) > limit:
        print_note(f"there are more than these {limit:,}; --limit says how many are shown")


def checked(file: Path) -> tuple[Policy, str]:
    """The policy of a file and its text. One with mistakes ends the command, with all of them as lines.

    Raises:
        PolicyError: the file cannot be read.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise PolicyError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        print_line(f"{file}:{line}: not valid TOML: not UTF-8: byte {raw[error.start]:#04x}")
        raise typer.Exit(1) from error
    found = mistakes(text)
    for mistake in found:
        print_line(f"{file}:{mistake.line}: {mistake.said}")
    if found:
        raise typer.Exit(1)
    return parse(text, str(file)), text


def _published(settings: Settings, applied: AppliedPolicy) -> None:
    try:
        publisher = Publisher(settings.kafka, **{"message.max.bytes": MAX_MESSAGE_BYTES})
        publisher.partitions(REPUTATION_POLICY)
        publish(applied, publisher.publish)
        publisher.flush()
    except BrokerError as error:
        raise BrokerError(
            f"the policy is in force, but was not sent to {REPUTATION_POLICY}: {error}; repeat the command to send it"
        ) from error


def _line(applied: AppliedPolicy) -> str:
    when = utc_time(applied.applied_ms)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}  {applied.version}  {applied.applied_by}"
