"""What types do not say of a setting: addresses, names, and what does not go together."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from schemas.collect import CollectError, with_sources
from schemas.console import ConsoleSettings
from schemas.deployment import fault_of_name
from schemas.domains import domain_name
from schemas.hook_check import HookError, check_hook
from schemas.kafka_options import fault_of_options
from schemas.kafka_security import KafkaSecurityError, read_security
from schemas.names import fault_of
from schemas.notify import NotifyError, check_notify
from schemas.secrets import without_user
from schemas.settings import ClickHouse, Ingest, Settings, SettingsError

MAKE_KEY = "make one with `openssl rand -hex 32`, once for all that ingest"
#: What keys the hashes of recipients: BLAKE2b takes no more, and less could be found by trying.
MIN_KEY_BYTES, MAX_KEY_BYTES = 16, 64
#: What is in keys that were copied from an example, without case and signs.
PLACEHOLDERS = re.compile("change(me|this|it)|replace(me|this)|your|placeholder|example|insert|hashkey|password")
#: A name of a header (RFC 9110 section 5.6.2).
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: A site as it stands in a policy of what may frame a page (CSP 3, section 2.3.1), with all below it or by itself.
ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?")
#: Fewer different characters than this are no random key.
FEW_CHARACTERS = 6


def check(settings: Settings) -> None:
    """What types do not say of a setting.

    Raises:
        SettingsError: naming the setting.
    """
    _check_addresses(settings)
    if fault := fault_of_name(settings.deployment.name):
        raise SettingsError(f"deployment.name: {settings.deployment.name!r} {fault}")
    if fault := fault_of_key(settings.ingest.hash_key):
        raise SettingsError(f"ingest.hash_key: {fault}; {MAKE_KEY}")
    for address in settings.blocklists.resolvers:
        resolver_address(address, settings.blocklists.port)
    for each in settings.blocklists.extra_resources:
        if not _is_address(each) and not domain_name(each):
            raise SettingsError(f"blocklists.extra_resources: {each!r} is neither an IP address nor a domain")
    _check_ingest(settings.ingest)
    if settings.retention.counts_days <= settings.ingest.max_behind_days:
        raise SettingsError(
            f"retention.counts_days: {settings.retention.counts_days} must be more than ingest.max_behind_days "
            f"({settings.ingest.max_behind_days:g}): counts of late events would go as soon as they came"
        )
    _check_console(settings.console)
    if settings.alerts.text_file:
        raise SettingsError(
            "alerts.text_file: templates in Markdown are no longer read; set mail.folder to a folder with letter.txt "
            "and letter.html in place of it (docs/mail.md)"
        )
    if fault := fault_of_options(settings.kafka.options):
        raise SettingsError(f"kafka.options: {fault}")
    for setting, name in _names(settings):
        if fault := fault_of(name):
            raise SettingsError(f"{setting}: {name!r} {fault}")
    try:
        check_hook(settings.hook)
    except HookError as error:
        raise SettingsError(str(error)) from error
    try:
        with_sources(settings.ingest.formats, settings.collect)
        check_notify(settings.notify)
    except (CollectError, NotifyError) as error:
        raise SettingsError(str(error)) from error


def _check_console(console: ConsoleSettings) -> None:
    parts = urlsplit(console.url)
    if console.url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
        raise SettingsError(
            f"console.url: {console.url!r} is no address such as https://console.example, without a path"
        )
    for text in console.trusted_proxies:
        if not _is_network(text):
            raise SettingsError(f"console.trusted_proxies: {text!r} is neither an IP address nor a network")
    for origin in console.embed_origins:
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(f"console.embed_origins: {origin!r} is no origin such as https://portal.example")
    if console.user_header and not TOKEN.fullmatch(console.user_header):
        raise SettingsError(f"console.user_header: {console.user_header!r} is no name of a header")
    if bool(console.user_header) != bool(console.trusted_proxies):
        raise SettingsError("console.user_header and console.trusted_proxies: one without the other lets nobody in")
    if not console.user_scopes:
        raise SettingsError("console.user_scopes: name at least one scope")


def _check_ingest(ingest: Ingest) -> None:
    for name in ingest.domain_owners:
        if not domain_name(name):
            raise SettingsError(f"ingest.domain_owners: {name!r} is not a domain")
    for text in ingest.address_owners:
        if not _is_network(text):
            raise SettingsError(f"ingest.address_owners: {text!r} is neither an IP address nor a network")
    for form, mapping in ingest.mapping.items():
        if mapping.reporters != "any" and not mapping.authserv_ids:
            raise SettingsError(f"ingest.mapping.{form}.reporters: needs `authserv_ids`, by which reporters are known")


def _check_addresses(settings: Settings) -> None:
    url = settings.clickhouse.url
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"clickhouse.url: {without_user(url)!r} is not an http or https address")
    if "@" in parts.netloc:
        # The address is shown in errors and tables, where a password must not be.
        raise SettingsError("clickhouse.url: user and password go into clickhouse.user and clickhouse.password")
    if parts.query or parts.fragment:
        # The client would take them for its options, over those that are settings.
        raise SettingsError("clickhouse.url: what is behind `?` or `#` goes into the settings of [clickhouse]")
    if "@" in settings.kafka.bootstrap:
        raise SettingsError("kafka.bootstrap: user and password go into kafka.options and kafka.sasl_password")


def check_together(settings: Settings) -> None:
    """What can be said only of the whole, since a password may come from elsewhere than the user it belongs to.

    Raises:
        SettingsError: naming the setting.
    """
    kafka = settings.kafka
    try:
        read_security(kafka.options, kafka.sasl_password, kafka.ssl_key_password, kafka.oauth_client_secret)
    except KafkaSecurityError as error:
        raise SettingsError(f"kafka.options: {error}") from error
    store, plain = settings.clickhouse, ClickHouse()
    encrypted = store.url.lower().startswith("https://") and not store.path
    for name in ("ca_file", "certificate_file", "key_file", "verify", "server_name"):
        if not encrypted and getattr(store, name) != getattr(plain, name):
            where = "clickhouse.path is set" if store.path else "clickhouse.url is not https"
            raise SettingsError(f"clickhouse.{name} has no effect: {where}")
    if store.key_file and not store.certificate_file:
        raise SettingsError("clickhouse.key_file has no effect without clickhouse.certificate_file")


def fault_of_key(key: str) -> str:
    """What is wrong with a key of recipient hashes, without the key; empty where nothing is or none is set."""
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        return f"has {size} bytes; it must have {MIN_KEY_BYTES} to {MAX_KEY_BYTES}"
    if not key:
        return ""
    if PLACEHOLDERS.search(re.sub(r"[\W_]", "", key.lower())) or len(set(key)) < FEW_CHARACTERS:
        return "is a placeholder that anybody can guess"
    return f"has {size} bytes, too few to be safe from being tried" if size < MIN_KEY_BYTES else ""


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    """The names of customers and pools, each with its setting."""
    for form, mapping in settings.ingest.mapping.items():
        yield f"ingest.mapping.{form}.default_customer", mapping.default_customer
    for setting in ("domain_owners", "address_owners"):
        for resource, customer in getattr(settings.ingest, setting).items():
            yield f"ingest.{setting}.{resource}", customer
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


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
