"""Blocklist zones: which lists are asked, what their answers mean and how much a listing weighs.

The table is `blocklists.toml`, which explains its fields.
"""

import tomllib
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any

import msgspec

from schemas.listing import ResourceKind, Weight

DEFAULT_FILE = Path(__file__).with_name("blocklists.toml")
#: Listings are answered from here (RFC 5782 section 2.1), all but the next two.
ANSWERS = IPv4Network("127.0.0.0/8")
#: Where Spamhaus and those who follow it put "I did not answer you, and why".
REFUSALS = IPv4Network("127.255.255.0/24")
#: RFC 5782 section 2.1 keeps this one out of use; seen, it is a refusal (URIBL) or a name that leads nowhere.
LOOPBACK = IPv4Address("127.0.0.1")

Text = Annotated[str, msgspec.Meta(min_length=1)]
DomainName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_-]+(\.[a-z0-9_-]+)+\Z", max_length=200)]


class BlocklistsError(ValueError):
    """The table of zones cannot be used; the message names the file, the zone and the field."""


class Code(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What one A record means; without a `weight` the zone's holds."""

    meaning: Text
    weight: Weight | None = None


class Zone(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One blocklist. `codes` and `errors` are by A record. The file explains the fields."""

    zone: DomainName
    kind: ResourceKind
    weight: Weight
    codes: dict[str, Code] = {}
    errors: dict[str, Text] = {}
    any_code: bool = False
    needs_key: bool = False
    host: DomainName | None = None
    delisting: str = ""
    source: str = ""

    @property
    def asked_at(self) -> str | None:
        """The name questions go to; None while a key is needed and not given."""
        if self.host is not None:
            return self.host
        return None if self.needs_key else self.zone


def load(path: Path | None = None) -> tuple[Zone, ...]:
    """The zones in `path`, by default those that come with the project.

    Raises:
        BlocklistsError: the file cannot be read, is not TOML, or breaks the schema.
    """
    file = DEFAULT_FILE if path is None else path
    try:
        return parse(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BlocklistsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BlocklistsError(f"{file}: not valid TOML: {error}") from error
    except BlocklistsError as error:
        raise BlocklistsError(f"{file}: {error}") from error


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
            raise BlocklistsError(f"{where}: {error}") from error
        if zone.zone in zones:
            raise BlocklistsError(f"{where}: field `zone`: given twice")
        zones[zone.zone] = zone
    return tuple(zones.values())


def _check_codes(zone: Zone) -> None:
    if not zone.codes and not zone.any_code:
        raise BlocklistsError("field `codes`: empty, and `any_code` is not set: nothing could be a listing")
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
