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
Seconds = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "s"})]
#: As `Seconds`, and 0 is at once.
Delay = Annotated[float, Meta(ge=0, le=1e9, extra={"unit": "s"})]
Hours = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "h"})]
Days = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "d"})]
Count = Annotated[int, Meta(ge=1)]
Milliseconds = Annotated[int, Meta(ge=1, extra={"unit": "ms"})]
WholeDays = Annotated[int, Meta(ge=1, extra={"unit": "d"})]
Bytes = Annotated[int, Meta(ge=1, extra={"unit": "bytes"})]
Megabytes = Annotated[int, Meta(ge=1, extra={"unit": "MB"})]
#: Longer than a year is a mistake.
Minutes = Annotated[float, Meta(ge=0.01, le=525_600, extra={"unit": "min"})]
#: Questions a second.
Rate = Annotated[float, Meta(ge=0.001, le=1e6, extra={"unit": "1/s"})]


class SettingsError(InvalidInputError):
    """A setting is missing, unknown or wrong; the message names it and where it was read."""


class Kafka(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The broker."""

    bootstrap: str = "127.0.0.1:9092"
    """The brokers asked first, as HOST:PORT with commas between them."""
    group: str = "repmon"
    """What the names of our consumer groups begin with (`repmon-ingest`, `repmon-monitor`). Two installations on one
    broker need two."""
    session_timeout_ms: Milliseconds = 10_000
    """How long a worker may be silent before the broker gives its partitions to others."""
    replication: Count = 1
    """How many copies of each partition `topics create` asks for."""
    static_assignment: bool = False
    """One worker takes every partition, without a consumer group: what the embedded broker uses, since there is only
    one worker."""
    sasl_password: str = ""
    """The password of `sasl.username` in `options`."""
    options: dict[str, str] = {}
    """What librdkafka takes besides, by its own names (TLS, SASL): `{"security.protocol" = "SASL_SSL"}`."""


class ClickHouse(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The store."""

    url: str = "http://127.0.0.1:8123"
    """The server's HTTP interface, without user and password."""
    user: str = "default"
    """Who asks it."""
    password: str = ""
    """The user's password."""
    database: str = "reputation"
    """Where the tables are; `migrate` makes it."""
    path: str = ""
    """The folder of an embedded store (chDB); `url` is then not read."""
    cluster: str = ""
    """With it, tables are made ON CLUSTER with Replicated engines."""
    timeout_s: Seconds = 30.0
    """How long an answer is waited for."""


class FormatMapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a format keeps customer, stream, sub-account, IP pool and DKIM domain, in the format's own words
    (docs/formats.md); empty is its default."""

    customer: str = ""
    """The place of the customer's name."""
    default_customer: str = ""
    """Whose the records are that name nobody."""
    stream: str = ""
    """The place of the stream's name."""
    sub_account: str = ""
    """The place of the sub-account's name."""
    pool: str = ""
    """The place of the IP pool's name."""
    dkim_domain: str = ""
    """The place of the signing domain."""
    columns: str = ""
    """The fields of lines without a header line, with commas between them."""
    time_zone: str = ""
    """That of times without an offset, an IANA name; UTC if empty."""


class Ingest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How events are taken in."""

    formats: dict[str, str] = msgspec.field(default_factory=lambda: {"mail.events": "canonical"})
    """The format of each source topic. Those of the webhook collector's sources are added to it."""
    mapping: dict[str, FormatMapping] = {}
    """By format, where the customer, the stream and the like are found."""
    bounce_rules: str = ""
    """A file of bounce rules that are asked before those of the project (docs/bounce-classification.md); empty is
    none."""
    flush_seconds: Seconds = 1.0
    """How long counts wait at most before they are stored."""
    flush_events: Count = 200_000
    """They are stored sooner once this many events wait."""
    batch_events: Count = 1_000
    """How many messages are taken at a time: as many as stay in the processor's cache with what is made of them (10,000
    at a time cost nearly twice as much each)."""
    hash_key: str = "change-me"
    """Keys the BLAKE2b hash under which recipient addresses are stored. Changing it makes old and new hashes of one
    address different."""
    max_ahead_hours: Hours = 24.0
    """Events further ahead of now become dead letters."""
    max_behind_days: Days = 90.0
    """Events older than that become dead letters."""
    change_debounce_s: Delay = 1.0
    """A customer is announced to the monitor as changed at most once in this time."""
    dedup_memory_mb: Megabytes = 128
    """How much memory the ids of events may take, by which one that is sent again is known, in all partitions
    together."""
    cohorts: bool = True
    """Keep the day of each message delivered at a provider with a feedback loop for 45 days (about ten bytes each), so
    that complaints can be set against the mail of the day they are about."""
    late_bounces: bool = True
    """Keep also each delivery in a format that does not say which bounces came after the delivery (1 to 2 µs an event
    more), so that such a recipient counts once, as failed."""
    refusals: bool = False
    """Record mail delivered to an address more than 48 hours after it unsubscribed or complained, for the metric
    `unwanted`: 1 to 2 µs an event more, and 16 bytes for each refusal of the last year."""
    dead_letter_share: Annotated[float, Meta(ge=0, le=1, extra={"unit": "ratio"})] = 0.2
    """A worker stops when more than this part of the last `dead_letter_window` messages of a source partition cannot be
    read; with 1 it never stops for that."""
    dead_letter_window: Count = 1_000
    """How many messages that is a part of."""
    lease_s: Seconds = 30.0
    """A worker that read the stored offset of a partition longer ago reads it again before it inserts: it may have been
    frozen, and another may count there now. It must be far less than the store takes to forget the tokens of 10,000
    INSERTs."""


class MonitorSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How often customers are judged."""

    batch: Count = 20_000
    """How many customers are judged in one go, at most."""
    min_batch_interval_s: Seconds = 0.25
    """A batch begins at least this long after the one before."""
    judge_every_s: Seconds = 5.0
    """A changed customer is judged at once, but never twice within this time."""
    cooldown_idle_s: Seconds = 2.0
    """The same while few change: while at most `cooldown_idle_customers` were judged in this time."""
    cooldown_idle_customers: Count = 5_000
    """How many customers are few."""
    long_windows_every_s: Seconds = 60.0
    """Windows longer than a day are read for each customer at most once in this time."""
    standings_every_s: Seconds = 15.0
    """How old the numbers in the table of standings are, at most."""
    customers_kept: Count = 200_000
    """For how many customers, those judged last, the long windows are kept in memory: about two kilobytes each."""
    sweep_s: Seconds = 15.0
    """How often a customer with an open alert is judged though nothing changed."""


class PolicySettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The policy (docs/policy.md)."""

    file: str = ""
    """The policy file, which takes precedence over what was applied; empty is the policy applied last, else the
    built-in one."""


class Alerts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is said of alerts."""

    text_file: str = ""
    """The template of `repmon alerts text`; empty is the built-in one (schemas/alert_text.md)."""


class EveryMinutes(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How often a zone is asked about everything, by the weight of its listings."""

    critical: Minutes = 10.0
    """Zones whose listings are critical."""
    major: Minutes = 30.0
    """Zones whose listings are major."""
    minor: Minutes = 60.0
    """Zones whose listings are minor."""
    informational: Minutes = 60.0
    """The others."""


class Blocklists(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where and how blocklists are asked (docs/blocklists.md)."""

    resolvers: list[str] = []
    """Addresses of your own resolvers, with a port (`192.0.2.53:5353`, `[2001:db8::53]:5353`) where that is not `port`.
    The second and the others are asked where the first fails, and for second looks."""
    port: Port = 53
    """The resolvers' port."""
    zones_file: str = ""
    """A table of zones in place of the built-in one (schemas/blocklists.toml)."""
    skip_zones: list[str] = []
    """Zones of the table that are not asked, such as those where the resolvers are not registered."""
    keys: dict[str, str] = {}
    """Your own keys of zones that take one, by the names in the table of zones (`spamhaus_dqs`, `abusix`)."""
    every_minutes: EveryMinutes = EveryMinutes()
    """How often a zone is asked about everything, by the weight of its listings."""
    jitter: Annotated[float, Meta(ge=0, le=0.5, extra={"unit": "ratio"})] = 0.1
    """By how much of `every_minutes` times vary."""
    extra_resources: list[str] = []
    """Addresses and domains that do not send yet, to be asked about too."""
    second_look_s: Seconds = 180.0
    """A listing begins, where the list is not a critical one, and ends with a second look that says the same, this
    long after the first or later."""
    most_listed_share: Annotated[float, Meta(gt=0, le=1, extra={"unit": "ratio"})] = 0.5
    """A zone that lists more than this of the resources it was asked about is not trusted."""
    trust_min_sample: Count = 20
    """That holds only where it was asked about this many at least."""
    timeout_s: Seconds = 5.0
    """How long an answer is waited for, before the question is sent again."""
    tries: Count = 2
    """How often a question is sent."""
    queries_per_s: Rate = 100.0
    """How often a zone is asked at most, where the table of zones gives it no rate of its own."""
    zone_concurrency: Count = 20
    """How many questions to one zone may be unanswered."""
    concurrency: Count = 200
    """How many questions to all zones together may be unanswered."""
    lookback_days: WholeDays = 7
    """What mail was sent from in this time is asked about."""
    dedicated_pools: dict[str, str] = {}
    """The IP pools set up for one customer, by their names, each with its customer: whatever is listed of such a pool
    is that customer's doing."""
    outside_weights: dict[str, Weight] = {}
    """What listings reported by outside monitors weigh, by the name of the list."""
    outside_weight: Weight | Literal["refuse"] = "informational"
    """What they weigh on lists that are neither there nor in the table of zones; with `refuse` the message becomes a
    dead letter."""


class Api(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The HTTP interface."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: Port = 8080
    """Its port; 0 is any free one."""


class MetricsSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a stage that runs by itself serves `/metrics` (for Prometheus) and `/healthz`. In `up`, `api` and `collect`
    their own HTTP interface serves both."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: Port = 0
    """Its port; 0 serves nothing."""


class Grafana(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The Grafana that `dashboards deploy` writes to, and how Grafana itself reaches the store."""

    url: str = "http://127.0.0.1:3000"
    """Its address."""
    token: str = ""
    """A service account's token; or `user` and `password`."""
    user: str = ""
    """Who deploys, where there is no token."""
    password: str = ""
    """The user's password."""
    folder: str = "Sending reputation"
    """The folder of the dashboard; empty is the top level."""
    datasource: str = "repmon-clickhouse"
    """The name of the data source that is made for it."""
    clickhouse_host: str = "clickhouse"
    """The store's host, as Grafana reaches it."""
    clickhouse_port: Port = 8123
    """The store's HTTP port, as Grafana reaches it."""


class Embedded(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The embedded broker and store of `up` and `demo`. `up` brings each where no other is configured."""

    data: str = "data"
    """The folder of everything that is kept."""
    broker: bool = True
    """With false `up` never brings a broker (`--kafka` sets that, since what it names may be the default address)."""
    store: bool = True
    """With false `up` never brings a store (`--clickhouse` sets that)."""
    broker_port: Port = 9092
    """Where the embedded broker listens; 0 is any free port."""
    store_port: Port = 8123
    """Where the embedded store listens; 0 is any free port."""
    roll_bytes: Bytes = 256_000_000
    """After this much of accepted messages the broker's topics are drained and made again, which gives their memory
    back."""


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
