"""Every setting, in one typed object: from a TOML file, then from the environment.

An environment variable names section and field: `REPMON_KAFKA__BOOTSTRAP=broker:9092` overrides
`bootstrap` in `[kafka]`. Lists and tables in the environment are JSON (`["a","b"]`).
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from schemas.collect import Collect, CollectError, with_sources
from schemas.domains import domain_name
from schemas.errors import InvalidInputError
from schemas.listing import Weight
from schemas.names import fault_of

ENV_PREFIX = "REPMON_"
DEFAULT_FILE = "repmon.toml"
SECRET_FIELDS = frozenset({"password", "hash_key", "token", "secret", "sasl_password"})

Port = Annotated[int, Meta(ge=0, le=65535)]
#: Bounded, since clocks and clients take no infinite time.
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=1)]
#: Longer than a year is a mistake.
Minutes = Annotated[float, Meta(ge=0.01, le=525_600)]
#: Questions a second.
Rate = Annotated[float, Meta(ge=0.001, le=1e6)]


class SettingsError(InvalidInputError):
    """A setting is missing, unknown or wrong; the message names it and where it was read."""


class Kafka(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The broker. `options` are passed to librdkafka as they are (TLS, SASL).

    `static_assignment` makes one worker take every partition without a consumer group: what the embedded
    broker uses, since there is only one worker.
    """

    bootstrap: str = "127.0.0.1:9092"
    group: str = "repmon"
    session_timeout_ms: Count = 10_000
    replication: Count = 1
    static_assignment: bool = False
    sasl_password: str = ""
    options: dict[str, str] = {}


class ClickHouse(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The store: a server's `url`, or with `path` an embedded chDB in that folder (then `url` is not read).

    With `cluster` set, tables are made ON CLUSTER with Replicated engines.
    """

    url: str = "http://127.0.0.1:8123"
    user: str = "default"
    password: str = ""
    database: str = "reputation"
    path: str = ""
    cluster: str = ""
    timeout_s: Seconds = 30.0


class FormatMapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a format keeps customer, stream, sub-account, IP pool and DKIM domain, in the format's own words; empty is
    its default.

    `default_customer` is who records belong to that name nobody. `columns` are the fields of lines without a header
    line, with commas between them; `time_zone` (an IANA name) is that of times without an offset, UTC if empty.
    """

    customer: str = ""
    default_customer: str = ""
    stream: str = ""
    sub_account: str = ""
    pool: str = ""
    dkim_domain: str = ""
    columns: str = ""
    time_zone: str = ""


class Ingest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How events are taken in. `formats` names the adapter of each source topic (those of the webhook collector's
    sources are added to it), `mapping` says by format where the customer is found.

    `bounce_rules` is a file of bounce rules that are asked before those of the project; empty is none.

    `hash_key` keys the BLAKE2b hash under which recipient addresses are stored; changing it makes old and
    new hashes of one address different.

    Messages are taken `batch_events` at a time: as many as stay in the processor's cache with what is made of them
    (10,000 at a time cost nearly twice as much each).

    With `cohorts` the day of each message delivered at a provider with a feedback loop is kept for 45 days (about ten
    bytes each), so that complaints can be set against the mail of the day they are about.

    With `late_bounces` each delivery told by a format that does not say which bounces came after the delivery is kept
    likewise (1 to 2 µs an event more), so that such a recipient counts once, as failed.

    With `refusals` mail delivered to an address more than 48 hours after it unsubscribed or complained is noted, for
    the metric `unwanted`: 1 to 2 µs an event more, and 16 bytes for each refusal of the last year.

    A worker stops when more than `dead_letter_share` (a ratio) of the last `dead_letter_window` messages of a
    source partition cannot be read; see `streams.intake.dead_share`. With 1 it never stops for that.
    """

    formats: dict[str, str] = msgspec.field(default_factory=lambda: {"mail.events": "canonical"})
    mapping: dict[str, FormatMapping] = {}
    bounce_rules: str = ""
    flush_seconds: Seconds = 1.0
    flush_events: Count = 200_000
    batch_events: Count = 1_000
    hash_key: str = "change-me"
    max_ahead_hours: Seconds = 24.0
    max_behind_days: Seconds = 90.0
    change_debounce_s: Annotated[float, Meta(ge=0, le=1e9)] = 1.0
    dedup_memory_mb: Count = 128
    cohorts: bool = True
    late_bounces: bool = True
    refusals: bool = False
    dead_letter_share: Annotated[float, Meta(ge=0, le=1)] = 0.2
    dead_letter_window: Count = 1_000


class MonitorSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How often customers are judged, in seconds.

    A changed customer is judged at once, but never twice within `judge_every_s`, or `cooldown_idle_s` while at most
    `cooldown_idle_customers` were judged in that time; at most `batch` customers in one go, and a batch begins at least
    `min_batch_interval_s` after the one before. Windows longer than a day are read at most every
    `long_windows_every_s` for each customer, and kept for the `customers_kept` last judged: about two kilobytes each.
    The numbers in the table of standings are at most `standings_every_s` old. A customer with an open alert is
    judged again on every sweep.
    """

    batch: Count = 20_000
    min_batch_interval_s: Seconds = 0.25
    judge_every_s: Seconds = 5.0
    cooldown_idle_s: Seconds = 2.0
    cooldown_idle_customers: Count = 5_000
    long_windows_every_s: Seconds = 60.0
    standings_every_s: Seconds = 15.0
    customers_kept: Count = 200_000
    sweep_s: Seconds = 15.0


class PolicySettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The policy file, which goes before what was applied; empty is the policy applied last, else the built-in one."""

    file: str = ""


class Alerts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`text_file` is the template of `repmon alerts text`; empty is the built-in one (schemas/alert_text.md)."""

    text_file: str = ""


class EveryMinutes(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How often a zone is asked about everything, in minutes, by the weight of its listings."""

    critical: Minutes = 10.0
    major: Minutes = 30.0
    minor: Minutes = 60.0
    informational: Minutes = 60.0


class Blocklists(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where blocklists are asked. `resolvers` are addresses, with a port (`192.0.2.53:5353`, `[2001:db8::53]:5353`)
    where that is not `port`; the second and the others are asked where the first fails, and for second looks.

    `every_minutes` says by weight how often a zone is asked about everything; times vary by `jitter` (a ratio) of that.
    It is asked about what mail was sent from in the last `lookback_days`, and about `extra_resources`: addresses and
    domains that do not send yet.

    A zone is asked at most `queries_per_s` questions a second, where the table of zones gives it no rate of its own,
    and of these `zone_concurrency` may be unanswered; `concurrency` of all zones together. An answer is waited for
    `timeout_s` times `tries`; in the meantime the question is sent again.

    `keys` are the operator's own of zones that take one, by the names in the table of zones (`spamhaus_dqs`, `abusix`);
    `skip_zones` are zones of the table that are not asked, such as those where the resolvers are not registered.

    A listing begins, where the list is not a critical one, and ends with a second look that says the same,
    `second_look_s` after the first or later. A zone that lists more than `most_listed_share` (a ratio) of the
    resources it was asked about, where it was asked about `trust_min_sample` at least, is not believed.

    `dedicated_pools` are the IP pools set up for one customer, by their names, each with its customer: whatever is
    listed of such a pool is that customer's doing.

    What outside monitors tell of weighs what `outside_weights` say of its list, by name; on lists that are not in the
    table of zones either `outside_weight`, or with `refuse` the message becomes a dead letter.
    """

    resolvers: list[str] = []
    port: Port = 53
    zones_file: str = ""
    skip_zones: list[str] = []
    keys: dict[str, str] = {}
    every_minutes: EveryMinutes = EveryMinutes()
    jitter: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    extra_resources: list[str] = []
    second_look_s: Seconds = 180.0
    most_listed_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    trust_min_sample: Count = 20
    timeout_s: Seconds = 5.0
    tries: Count = 2
    queries_per_s: Rate = 100.0
    zone_concurrency: Count = 20
    concurrency: Count = 200
    lookback_days: Count = 7
    dedicated_pools: dict[str, str] = {}
    outside_weights: dict[str, Weight] = {}
    outside_weight: Weight | Literal["refuse"] = "informational"


class Api(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The HTTP interface."""

    host: str = "127.0.0.1"
    port: Port = 8080


class MetricsSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a stage that runs by itself serves `/metrics` (for Prometheus) and `/healthz`; a port of 0 is nowhere.

    In `up` and `api` the HTTP interface serves both.
    """

    host: str = "127.0.0.1"
    port: Port = 0


class Grafana(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The Grafana that `dashboards deploy` writes to, and how Grafana itself reaches the store."""

    url: str = "http://127.0.0.1:3000"
    token: str = ""
    user: str = ""
    password: str = ""
    folder: str = "Sending reputation"
    datasource: str = "repmon-clickhouse"
    clickhouse_host: str = "clickhouse"
    clickhouse_port: Port = 8123


class Embedded(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The embedded broker and store of `up` and `demo`.

    `up` brings each where no other is configured; with `broker` or `store` false it never does (`--kafka` and
    `--clickhouse` set them so, since what they name may be the default address). A port of 0 takes any free one.
    After `roll_bytes` of accepted messages the broker's topics are drained and made anew, which gives their memory
    back.
    """

    data: str = "data"
    broker: bool = True
    store: bool = True
    broker_port: Port = 9092
    store_port: Port = 8123
    roll_bytes: Count = 256_000_000


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """All that can be set."""

    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    ingest: Ingest = Ingest()
    monitor: MonitorSettings = MonitorSettings()
    policy: PolicySettings = PolicySettings()
    alerts: Alerts = Alerts()
    blocklists: Blocklists = Blocklists()
    api: Api = Api()
    collect: Collect = Collect()
    metrics: MetricsSettings = MetricsSettings()
    grafana: Grafana = Grafana()
    embedded: Embedded = Embedded()


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings in force: defaults, then the TOML file, then the environment.

    Without `path`, `repmon.toml` in the working folder is read if it is there.

    Raises:
        SettingsError: naming the file or variable, and the setting.
    """
    file = path if path is not None else Path(DEFAULT_FILE)
    raw: dict[str, Any] = {}
    if path is not None or file.exists():
        raw = _read_toml(file)
    settings = _converted(raw, str(file), strict=True)
    for name, value in sorted((os.environ if environ is None else environ).items()):
        if name.startswith(ENV_PREFIX) and "__" in name:
            _apply(raw, name, value)
            settings = _converted(raw, name, strict=False)
        elif name in ONE_UNDERSCORE and not value.startswith("tcp://"):
            # Kubernetes sets REPMON_API_PORT=tcp://... by itself where a service is named repmon-api.
            raise SettingsError(f"{name}: a setting has two underscores, {ONE_UNDERSCORE[name]}")
    formats = with_sources(settings.ingest.formats, settings.collect)
    return msgspec.structs.replace(settings, ingest=msgspec.structs.replace(settings.ingest, formats=formats))


def check(settings: Settings) -> None:
    """What types do not say of a setting.

    Raises:
        SettingsError: naming the setting.
    """
    url = settings.clickhouse.url
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"clickhouse.url: {_without_user(url)!r} is not an http or https address")
    if "@" in parts.netloc:
        # The address is shown in errors and tables, where a password must not be.
        raise SettingsError("clickhouse.url: user and password go into clickhouse.user and clickhouse.password")
    for address in settings.blocklists.resolvers:
        resolver_address(address, settings.blocklists.port)
    for each in settings.blocklists.extra_resources:
        if not _is_address(each) and not domain_name(each):
            raise SettingsError(f"blocklists.extra_resources: {each!r} is neither an IP address nor a domain")
    for setting, name in _names(settings):
        if fault := fault_of(name):
            raise SettingsError(f"{setting}: {name!r} {fault}")
    try:
        with_sources(settings.ingest.formats, settings.collect)
    except CollectError as error:
        raise SettingsError(str(error)) from error


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    """The names of customers and pools, each with its setting."""
    for form, mapping in settings.ingest.mapping.items():
        yield f"ingest.mapping.{form}.default_customer", mapping.default_customer
    for pool, customer in settings.blocklists.dedicated_pools.items():
        yield "blocklists.dedicated_pools", pool
        yield f"blocklists.dedicated_pools.{pool}", customer


def resolver_address(text: str, port: int) -> tuple[str, int]:
    """Address and port of a resolver: `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`; `port`
    where none is given.

    Raises:
        SettingsError: it is none of these.
    """
    host, own = text, str(port)
    if (bracketed := re.fullmatch(r"\[(.*)\](?::(\d+))?", text)) is not None:
        host, own = bracketed[1], bracketed[2] or own
    elif text.count(":") == 1:
        host, own = text.split(":")
    if not _is_address(host) or not (own.isascii() and own.isdigit() and 0 < int(own) < 1 << 16):
        raise SettingsError(f"blocklists.resolvers: {text!r} is not an IP address, with or without a port")
    return host, int(own)


def hidden(settings: Settings) -> dict[str, Any]:
    """The settings as plain data with every secret that is set shown as `***`."""
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    for section in (*plain.values(), *plain["collect"]["sources"].values()):
        for field in section:
            if field in SECRET_FIELDS and section[field]:
                section[field] = "***"
        if "url" in section:
            section["url"] = _without_user(section["url"])
        for option in section.get("options", {}):
            if "password" in option or "secret" in option or "key" in option:
                section["options"][option] = "***"
    keys = plain["blocklists"]["keys"]
    keys.update((name, "***") for name, key in keys.items() if key)
    return plain


_SECTIONS: dict[str, Any] = {each.name: each.type for each in msgspec.structs.fields(Settings)}
_FIELDS: dict[str, dict[str, Any]] = {
    section: {each.name: each.type for each in msgspec.structs.fields(kind)} for section, kind in _SECTIONS.items()
}
#: The misspelling of each variable that would otherwise be passed over in silence.
ONE_UNDERSCORE = {
    f"{ENV_PREFIX}{section}_{field}".upper(): f"{ENV_PREFIX}{section}__{field}".upper()
    for section, fields in _FIELDS.items()
    for field in fields
}


#: Names that settings had before, by section, each with the one it has now.
RENAMED = {
    ("ingest", "changes_every_s"): "change_debounce_s",
    ("monitor", "judge_soon_s"): "cooldown_idle_s",
    ("monitor", "soon_customers"): "cooldown_idle_customers",
    ("monitor", "within_s"): "min_batch_interval_s",
    ("blocklists", "most_listed_of"): "trust_min_sample",
    ("blocklists", "also"): "extra_resources",
    ("collect", "most_bytes"): "max_inflight_bytes",
}


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error


def _converted(raw: dict[str, Any], where: str, *, strict: bool) -> Settings:
    """The settings, checked; `where` is the file or variable that was read last, to be named if it is wrong."""
    try:
        settings = msgspec.convert(raw, Settings, strict=strict)
        check(settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {_field_first(str(error))}") from error
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error
    return settings


def _apply(raw: dict[str, Any], name: str, value: str) -> None:
    """Set one field from one environment variable."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(f"{name}: not valid UTF-8") from error
    section, field = name.removeprefix(ENV_PREFIX).lower().split("__", 1)
    parsed: Any = value
    if value[:1] in ("[", "{") and _FIELDS.get(section, {}).get(field) is not str:
        try:
            parsed = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise SettingsError(f"{name}: not valid JSON: {error}") from error
    raw.setdefault(section, {})[field] = parsed


def _field_first(message: str) -> str:
    """`Expected X - at `$.a.b`` as `a.b: Expected X`; a name that is not known with the nearest that is."""
    located = re.fullmatch(r"(.*) - at (?:`key` in )?`\$\.?(.*)`", message, re.DOTALL)
    said, path = (located[1], located[2]) if located else (message, "")
    prefix = f"{path}: " if path else ""
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL)
    if unknown is not None and (not path or path in _FIELDS):
        if (now := RENAMED.get((path, unknown[1]))) is not None:
            return f"{prefix}`{unknown[1]}` is called `{now}` now"
        known, what = (_FIELDS[path], "setting") if path else (_SECTIONS, "section")
        near = get_close_matches(unknown[1], known, n=1)
        return f"{prefix}there is no {what} `{unknown[1]}`" + (f"; did you mean `{near[0]}`?" if near else "")
    if said.startswith(("Expected `array`, got `str`", "Expected `object`, got `str`")):
        said += ", in the environment written as JSON"
    return prefix + said


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _without_user(url: str) -> str:
    return re.sub(r"//[^/]*@", "//***@", url)
