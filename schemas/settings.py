"""Every setting, in one typed object: a section a stage, the longer ones in modules of their own.

`schemas.settings_file` reads them, `schemas.settings_check` checks what types do not say.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.blocklist_settings import Blocklists
from schemas.collect import Collect
from schemas.console import ConsoleSettings
from schemas.errors import InvalidInputError
from schemas.hook import Hook
from schemas.mail import MailSettings
from schemas.notify import Notify
from schemas.poll import Poll
from schemas.quantities import Bytes, Count, Days, Delay, Hours, Megabytes, MegabytesOrNone, Milliseconds, Port, Seconds
from schemas.retention import Retention
from schemas.secrets import Address, ClientOptions, Secret, Section
from schemas.watch_settings import Grafana, LogSettings, MetricsSettings, TraceSettings


class SettingsError(InvalidInputError):
    """A setting is missing, unknown or wrong; the message names it and where it was read."""


class Kafka(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
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
    sasl_password: Secret = ""
    """The password of `sasl.username` in `options`."""
    ssl_key_password: Secret = ""
    """The password of the key in `ssl.key.location` of `options`."""
    oauth_client_secret: Secret = ""
    """The secret that goes with `sasl.oauthbearer.client.id` in `options`."""
    options: ClientOptions = {}
    """What librdkafka takes besides, by its own names. Those about encryption and logins hold for the monitor's client
    too, and what one of the two cannot do is refused (docs/security.md). With
    `"group.protocol" = "consumer"` the broker shares partitions out (KIP-848), with `"partition.assignment.strategy" =
    "cooperative-sticky"` only those move that must. What would break the promise about counts, such as
    `auto.offset.reset`, is refused."""


class ClickHouse(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The store."""

    url: Address = "http://127.0.0.1:8123"
    """The server's HTTP interface, without user and password."""
    user: str = "default"
    """Who asks it."""
    password: Secret = ""
    """The user's password."""
    database: str = "reputation"
    """Where the tables are; `migrate` makes it."""
    path: str = ""
    """The folder of an embedded store (chDB); `url` is then not read."""
    cluster: str = ""
    """With it, tables are made ON CLUSTER with Replicated engines."""
    timeout_s: Seconds = 30.0
    """How long an answer is waited for."""
    ca_file: str = ""
    """Who is trusted where `url` is https, as a PEM file; empty is the system's authorities."""
    certificate_file: str = ""
    """A client certificate, as a PEM file. Without `password` it is the login of `user`."""
    key_file: str = ""
    """Its key, as a PEM file without a password; empty where it is in `certificate_file`."""
    verify: bool = True
    """Whether the server's certificate is checked. Without that anybody may answer in its place."""
    server_name: str = ""
    """The name that must be in the server's certificate, where that is not the one in `url`."""


class FormatMapping(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a format keeps customer, stream, sub-account, IP pool and DKIM domain, in the format's own words
    (docs/formats.md); empty is its default."""

    customer: str | tuple[str, ...] = ""
    """The place of the customer's name, or several: the first that answers is taken."""
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
    reporters: Literal["any", "authenticated", "known"] = "any"
    """Whose reports by mail are taken (`arf`, `dsn`): `authenticated` are those for whom a host of `authserv_ids` says
    that DKIM or DMARC passed, `known` those of them that are known to report or are in `reporter_domains`."""
    reporter_domains: tuple[str, ...] = ()
    """Domains that are known to report, each with all below it, besides those of the project's table."""
    authserv_ids: tuple[str, ...] = ()
    """The names under which your own mail hosts write Authentication-Results (RFC 8601). They must take out such fields
    as came with a mail."""
    max_recipients: Annotated[int, Meta(ge=0)] = 0
    """How many recipients a mail may report whose reporter nobody vouches for; 0 is 20 for `arf`, any for `dsn`."""
    max_per_hour: Annotated[int, Meta(ge=0)] = 0
    """How many recipients a reporter may report in an hour, to each worker; those for whom nobody vouches are one
    reporter. 0 is no limit."""
    deliveries: bool = False
    """Whether notifications of success (`dsn`) count as deliveries: only where no log tells of them."""
    filters: tuple[str, ...] = ()
    """Relays that are content filters: what Postfix or Exim gives them is not delivered yet. Names or addresses, with a
    port or without (`192.0.2.7`, `amavis:10024`); those at 127.0.0.1 are without being named."""
    smarthosts: tuple[str, ...] = ()
    """Relays that are none though they are at 127.0.0.1, or a command of pipe(8): what they take is delivered."""


class Ingest(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How events are taken in."""

    formats: dict[str, str] = msgspec.field(default_factory=lambda: {"mail.events": "canonical"})
    """The format of each source topic. Those of the webhook collector's sources are added to it."""
    mapping: dict[str, FormatMapping] = {}
    """By format, where the customer, the stream and the like are found."""
    domain_owners: dict[str, str] = {}
    """Customers by the domains that are theirs, each with all below it: for the places `dkim` and `domain`, where a
    report hides sender and recipient (docs/formats.md)."""
    address_owners: dict[str, str] = {}
    """Customers by the addresses or networks (`192.0.2.16/28`) that send for them alone: for the place `ip`."""
    bounce_rules: str = ""
    """A file of bounce rules that are asked before those of the project (docs/bounce-classification.md); empty is
    none."""
    flush_seconds: Seconds = 1.0
    """How long counts wait before they are stored; up to five times as long while storing takes more than a fifth of
    the time, since larger flushes cost less."""
    flush_events: Count = 400_000
    """They are stored sooner once this many events wait."""
    batch_events: Count = 1_000
    """How many messages are taken at a time: as many as stay in the processor's cache with what is made of them (10,000
    at a time cost nearly twice as much each)."""
    hash_key: Secret = ""
    """Keys the BLAKE2b hash under which recipient addresses are stored: 16 to 64 bytes, as `openssl rand -hex 32` makes
    them. `up` makes one by itself and keeps it in its folder; `ingest` needs one. Changing it makes old and new hashes
    of one address different."""
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
    """Keep the minute of each message delivered at a provider with a feedback loop for 45 days (about 12 bytes each),
    so that complaints and other late outcomes are counted with the mail they are about."""
    late_bounces: bool = True
    """Keep also each delivery in a format that does not say which bounces came after the delivery (1 to 2 µs an event
    more), so that such a recipient counts once, as failed."""
    refusals: bool = False
    """Record mail delivered to an address more than 48 hours after it unsubscribed or complained, for the metric
    `unwanted`: 1 to 2 µs an event more, and 16 bytes for each refusal of the last year."""
    dead_letter_share: Annotated[float, Meta(ge=0, le=1, extra={"unit": "ratio"})] = 0.2
    """A topic is read no more when more than this part of the last `dead_letter_window` messages of a partition cannot
    be read; with 1 that never happens."""
    dead_letter_window: Count = 1_000
    """How many messages that is a part of."""
    new_customers_per_hour: Count = 10_000
    """How many customers that were never seen a topic may bring in an hour, to each worker; what comes of further ones
    becomes dead letters, which can be sent again. In the first hour of a store without customers there is no limit."""
    new_streams_per_hour: Count = 50_000
    """How many streams that were never seen a topic may bring in an hour, to each worker; what comes of further ones
    counts for its customer, in the stream `default`. In the first hour of a store without counts there is no limit."""
    new_sub_accounts_per_hour: Count = 20_000
    """The same for sub-accounts: streams of further ones count in the stream `default`."""
    new_addresses_per_hour: Count = 20_000
    """The same for sending addresses: what comes of further ones counts without its address."""
    new_pools_per_hour: Count = 2_000
    """The same for IP pools."""
    new_domains_per_hour: Count = 50_000
    """The same for From and DKIM domains, together."""
    missing_counts: Literal["stop", "continue"] = "stop"
    """What a worker does that finds at its start that less is stored than the offsets promise, as when the store set a
    broken part aside: it says what is missing, and ends or goes on without it."""
    deleted_topic: Literal["stop", "continue"] = "stop"
    """What a worker does when a topic that it reads is deleted: it says how much of it was not read, and ends or reads
    the others on."""
    lease_s: Seconds = 30.0
    """A worker that read the stored offset of a partition longer ago reads it again before it inserts: it may have been
    frozen, and another may count there now. It must be far less than the store takes to forget the tokens of 10,000
    INSERTs."""


class MonitorSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
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
    """For how many customers, those judged last, the long windows are kept in memory: about a kilobyte each."""
    sweep_s: Seconds = 15.0
    """How often a customer with an open alert is judged though nothing changed."""
    alone_wait_s: Seconds = 10.0
    """How long it is waited, at most, before a customer is excessive or worse whose mail fails at one mailbox provider
    where hardly anybody else was seen in that hour: it may be the provider (docs/incidents.md)."""
    behind_wait_s: Seconds = 3600.0
    """How long it is waited, at most, before a customer is excessive or worse by a rate while the intake is more than
    two minutes behind: bounces may be counted and deliveries not yet (docs/delivery-guarantees.md)."""
    stopped_wait_s: Seconds = 300.0
    """The same for a topic of which nothing is counted: since when it stands still counts, as far as the monitor has
    watched it while broker and store answer."""


class PolicySettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The policy (docs/policy.md)."""

    file: str = ""
    """The policy file, which takes precedence over what was applied; empty is the policy applied last, else the
    built-in one."""


class DeploymentSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What this installation is called (docs/events.md)."""

    name: str = ""
    """Stands in the `source` of every event, before an id that the store keeps: letters, digits, `_` and `-`. A copy
    of a store needs another name than the original."""


class Alerts(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is said of alerts."""

    text_file: str = ""
    """No more read, and refused: templates of mail to customers are in `mail.folder` (docs/mail.md)."""


class Api(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The HTTP interface."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: Port = 8080
    """Its port; 0 is any free one."""
    metrics_port: Port = 0
    """A port of its own for `/metrics`, at `metrics.host`, so that who reaches the interface does not read them; 0
    serves them on `port`."""
    requests_per_minute: Count = 600
    """How many requests a customer's key may send in a minute."""
    operator_requests_per_minute: Count = 6_000
    """The same of an operator's key."""
    processes: Count = 1
    """Over how many processes a balancer spreads the requests of each key: each lets that part of them through."""
    query_s: Seconds = 10.0
    """How long the store may take over one query of a request."""
    query_rows: Count = 200_000_000
    """How many rows it may read for one."""
    query_bytes: Bytes = 20_000_000_000
    """How many bytes it may read for one, unpacked."""
    rates_memory_mb: MegabytesOrNone = 150
    """Memory for rates by hour, in each process: one rate of a customer takes 13 kB. What is kept is answered without
    asking the store; 0 keeps nothing."""
    rates_age_s: Delay = 2.0
    """How old a rate that is kept may be; 0 looks at the store before each answer."""
    cors_origins: tuple[str, ...] = ()
    """Sites whose scripts may ask (`https://status.example`), or `*`; none if empty."""


class Embedded(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The embedded broker and store of `up` and `demo`.

    `up` starts each where `kafka.bootstrap` and `clickhouse.url` name no other. The other options of those sections
    hold for the embedded ones too: with `clickhouse.path` the store is kept in that folder, and other programs reach it
    with `clickhouse.password`.
    """

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
    fsync: Literal["insert", "second", "never"] = "second"
    """When what is counted is on disk, and so outlasts a power cut: with each INSERT (a quarter of the rate at full
    load), a second or two later, or when the system likes (docs/embedded.md)."""
    roll_bytes: Bytes = 256_000_000
    """After this much of accepted messages the broker's topics are drained and made again, which gives their memory
    back."""


class Settings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """All that can be set."""

    deployment: DeploymentSettings = DeploymentSettings()
    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    ingest: Ingest = Ingest()
    monitor: MonitorSettings = MonitorSettings()
    policy: PolicySettings = PolicySettings()
    alerts: Alerts = Alerts()
    mail: MailSettings = MailSettings()
    blocklists: Blocklists = Blocklists()
    poll: Poll = Poll()
    notify: Notify = Notify()
    hook: Hook = Hook()
    api: Api = Api()
    console: ConsoleSettings = ConsoleSettings()
    collect: Collect = Collect()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    trace: TraceSettings = TraceSettings()
    grafana: Grafana = Grafana()
    retention: Retention = Retention()
    embedded: Embedded = Embedded()


def names_broker(settings: Settings) -> bool:
    """Whether the settings name a broker: by its address alone, whatever else stands in the section."""
    return settings.kafka.bootstrap != Kafka().bootstrap


def names_store(settings: Settings) -> bool:
    """Whether the settings name a server of the store: by its address alone, and with `path` none is named."""
    return not settings.clickhouse.path and settings.clickhouse.url != ClickHouse().url
