"""Blocklist zones: which lists are asked, what their answers mean and how much a listing weighs.

The table is `blocklists.toml`, which explains its fields.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from schemas.blocklist_settings import Blocklists
from schemas.errors import InvalidInputError
from schemas.listing import ResourceKind, Weight
from schemas.plain_fault import field_first
from schemas.quantities import Count, Rate
from schemas.written_file import read_written

DEFAULT_FILE = Path(__file__).with_name("blocklists.toml")
#: Listings are answered from here (RFC 5782 section 2.1), all but the next two.
ANSWERS = IPv4Network("127.0.0.0/8")
#: Where Spamhaus and those who follow it put "I did not answer you, and why".
REFUSALS = IPv4Network("127.255.255.0/24")
#: RFC 5782 section 2.1 keeps this one out of use; seen, it is a refusal (URIBL) or a name that leads nowhere.
LOOPBACK = IPv4Address("127.0.0.1")
#: Spamhaus, "DNSBL usage FAQ": the codes of queries that were not answered. Others follow the convention.
REFUSED_BECAUSE = {
    "127.255.255.252": "the zone's name is mistyped",
    "127.255.255.254": "asked through a public or open resolver; set blocklists.resolvers to your own",
    "127.255.255.255": "too many queries",
}

Text = Annotated[str, msgspec.Meta(min_length=1)]
DomainName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_-]+(\.[a-z0-9_-]+)+\Z", max_length=200)]
#: What a key is written into; keys are one DNS label (RFC 1035 section 2.3.4).
KeyedHost = Annotated[str, msgspec.Meta(pattern=r"\A\{key\}(\.[a-z0-9_-]+)+\Z", max_length=200)]
KEY = re.compile(r"[A-Za-z0-9_-]{1,63}")
#: What is looked up: an address of one of the two kinds, or a domain.
Family = Literal["ipv4", "ipv6", "domain"]
AddressFamily = Literal["ipv4", "ipv6"]
#: Which names of a domain a zone is asked for.
Names = Literal["both", "registered"]
BITS = {str(1 << bit) for bit in range(1, 8)}


class BlocklistsError(InvalidInputError):
    """The table of zones cannot be used; the message names the file, the zone and the field."""


class Code(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What one A record means; without a `weight` the zone's holds."""

    meaning: Text
    weight: Weight | None = None


class Zone(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One blocklist. `codes` and `errors` are by A record, `bits` by the number the bit stands for. The file explains
    the fields."""

    zone: DomainName
    kind: ResourceKind
    weight: Weight
    families: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
    codes: dict[str, Code] = {}
    bits: dict[str, Code] = {}
    errors: dict[str, Text] = {}
    any_code: bool = False
    needs_key: bool = False
    key: str = ""
    keyed_host: KeyedHost | None = None
    host: DomainName | None = None
    test_listed: str = "test"
    test_clean: str = "invalid"
    names: Names = "both"
    queries_per_s: Rate | None = None
    queries_per_day: Count | None = None
    policy: str = ""
    delisting: str = ""
    source: str = ""

    @property
    def holds(self) -> tuple[Family, ...]:
        """What can be looked up there."""
        return self.families if self.kind == "ip" else ("domain",)

    @property
    def asked_at(self) -> str | None:
        """The name questions go to; None while a key is needed and not given."""
        if self.host is not None:
            return self.host
        return None if self.needs_key else self.zone


def load_zones(path: Path | None = None, keys: Mapping[str, str] | None = None) -> tuple[Zone, ...]:
    """The zones in `path`, by default those that come with the project, with the operator's `keys` by name.

    Raises:
        BlocklistsError: the file cannot be read, is not TOML, or breaks the schema; or a key fits no zone.
    """
    file = DEFAULT_FILE if path is None else path
    try:
        return with_keys(_shipped() if path is None else _read(path), keys or {})
    except OSError as error:
        raise BlocklistsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BlocklistsError(f"{file}: not valid TOML: {error}") from error
    except BlocklistsError as error:
        raise BlocklistsError(f"{file}: {field_first(str(error))}") from error


def _read(file: Path) -> tuple[Zone, ...]:
    return parse(tomllib.loads(read_written(file)))


@cache
def _shipped() -> tuple[Zone, ...]:
    """Those that come with the project, read once a process."""
    return _read(DEFAULT_FILE)


def in_force(settings: Blocklists) -> tuple[Zone, ...]:
    """The zones of the operator's file or ours, with the keys of the settings and without those to be skipped.

    Raises:
        BlocklistsError: the file cannot be used, a key fits no zone, or a zone to be skipped is not in it.
    """
    zones = load_zones(Path(settings.zones_file) if settings.zones_file else None, settings.keys)
    if unknown := set(settings.skip_zones) - {zone.zone for zone in zones}:
        raise BlocklistsError(f"blocklists.skip_zones: there is no zone `{min(unknown)}`")
    kept = tuple(zone for zone in zones if zone.zone not in settings.skip_zones)
    if not kept:
        raise BlocklistsError("blocklists.skip_zones: no zone is left")
    return kept


def with_keys(zones: tuple[Zone, ...], keys: Mapping[str, str]) -> tuple[Zone, ...]:
    """The zones, those that take one of the keys asked under it. An empty key is none.

    Raises:
        BlocklistsError: no zone takes a key of that name, or it is not one DNS label. The key itself is not shown.
    """
    given = {name: key for name, key in keys.items() if key}
    taken = {zone.key for zone in zones if zone.keyed_host}
    for name, key in given.items():
        if name not in taken:
            known = f"; known are {', '.join(sorted(taken))}" if taken else ""
            raise BlocklistsError(f"blocklists.keys: no zone takes a key named `{name}`{known}")
        if not KEY.fullmatch(key):
            raise BlocklistsError(f"blocklists.keys: `{name}` is not one DNS label of letters, digits, - and _")
    return tuple(
        msgspec.structs.replace(zone, host=zone.keyed_host.replace("{key}", given[zone.key]))
        if zone.keyed_host and zone.key in given
        else zone
        for zone in zones
    )


def parse(table: dict[str, Any]) -> tuple[Zone, ...]:
    """The zones of a table that was read already.

    Raises:
        BlocklistsError: an entry breaks the schema, or a zone is given twice; names zone and field.
    """
    if unknown := set(table) - {"zone"}:
        raise BlocklistsError(f"unknown field `{min(unknown)}`: only [[zone]] entries are known")
    entries = table.get("zone")
    if not isinstance(entries, list) or not entries:
        raise BlocklistsError("no [[zone]] in it")
    zones: dict[str, Zone] = {}
    for number, entry in enumerate(entries, 1):
        name = entry.get("zone") if isinstance(entry, dict) else None
        where = f"zone {name if isinstance(name, str) and name else f'number {number}'}"
        try:
            zone = msgspec.convert(entry, Zone)
            _check_codes(zone)
        except (msgspec.ValidationError, BlocklistsError) as error:
            raise BlocklistsError(f"{where}: {field_first(str(error))}") from error
        if zone.zone in zones:
            raise BlocklistsError(f"{where}: field `zone`: given twice")
        zones[zone.zone] = zone
    return tuple(zones.values())


def not_a_listing(code: str, errors: Mapping[str, str]) -> str:
    """Why an A record cannot be part of a listing; empty if it can. `errors` are the zone's own."""
    if reason := errors.get(code, ""):
        return reason
    try:
        address = IPv4Address(code)
    except AddressValueError:
        return "not an IPv4 address"
    if address not in ANSWERS:
        return "outside 127.0.0.0/8: the zone is hijacked or dead, or the resolver rewrites answers"
    if address in REFUSALS:
        return REFUSED_BECAUSE.get(code, "the zone refuses to answer")
    if address == LOOPBACK:
        return "not a listing (RFC 5782 section 2.1): a refusal, or a dead zone"
    return ""


def _check_codes(zone: Zone) -> None:
    if not zone.codes and not zone.bits and not zone.any_code:
        raise BlocklistsError("field `codes`: empty, and `any_code` is not set: nothing could be a listing")
    if odd := set(zone.bits) - BITS:
        raise BlocklistsError(f"field `bits`: {min(odd)} is not one bit from 2 to 128")
    if zone.bits and zone.codes:
        raise BlocklistsError("field `bits`: there are `codes`, too; a zone answers in one way")
    if not zone.families:
        raise BlocklistsError("field `families`: empty: nothing could be asked")
    if zone.names != "both" and zone.kind == "ip":
        raise BlocklistsError("field `names`: only a zone of the kind domain takes it")
    if bool(zone.key) != bool(zone.keyed_host):
        raise BlocklistsError("fields `key` and `keyed_host`: one is there without the other")
    if both := set(zone.codes) & set(zone.errors):
        raise BlocklistsError(f"field `errors`: {min(both)} is among the `codes`, too")
    for field, codes in (("codes", zone.codes), ("errors", zone.errors)):
        for code in codes:
            try:
                address = IPv4Address(code)
            except AddressValueError:
                raise BlocklistsError(f"field `{field}`: {code!r} is not an IPv4 address") from None
            if address not in ANSWERS or address in REFUSALS or address == LOOPBACK:
                allowed = field == "errors" and address == LOOPBACK
                if not allowed:
                    raise BlocklistsError(f"field `{field}`: {code} is not an answer a blocklist gives")
