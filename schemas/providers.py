"""Mailbox providers: which provider reads the mail of a recipient domain, and who reports complaints.

The table is `providers.toml`. A domain belongs to one provider. One that is not in the table belongs to whom its MX
host belongs to, where that is known; else to `other`.
"""

import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from schemas.domains import folded
from schemas.errors import InvalidInputError
from schemas.plain_fault import field_first

#: The provider of every domain that the table does not know. It is taken to run no feedback loop.
OTHER = "other"
#: Domains in the cache; senders of junk can name any number of them.
MOST_CACHED = 100_000
#: What does not count around an address.
AROUND = " \t\r\n<>"
DEFAULT_FILE = Path(__file__).with_name("providers.toml")

ProviderName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]*\Z")]
Domain = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+(\.[a-z0-9-]+)+\Z")]
#: Labels of a host name that are looked at, from the end; a name has at most 127 (RFC 1035 section 2.3.4).
MOST_LABELS = 8


class ProvidersError(InvalidInputError):
    """The provider table cannot be used; the message names the file and what is wrong."""


class Provider(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One mailbox provider. `feedback_loop`: it reports single complaints to senders who enrol.

    `domains` are recipient domains, `mx` ends of MX host names. `source` says where the rest is known from.
    """

    name: ProviderName
    feedback_loop: bool
    domains: tuple[Domain, ...] = ()
    mx: tuple[Domain, ...] = ()
    source: str = ""


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    provider: Annotated[tuple[Provider, ...], msgspec.Meta(min_length=1)]


class _Known(dict[str, str]):
    """The provider of every name asked for so far, as it was spelt; what is new is looked up once."""

    def __init__(self, look_up: Callable[[str], str]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, name: str) -> str:
        if len(self) >= MOST_CACHED:
            self.clear()
        found = self[name] = self._look_up(name.lower().rstrip("."))
        return found


class _Spelt(dict[str, tuple[str, str]]):
    """The same of domains at the end of an address, with the domain as it is kept."""

    def __init__(self, known: _Known) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, end: str) -> tuple[str, str]:
        if len(self) >= MOST_CACHED:
            self.clear()
        domain = clean_domain(end)
        found = self[end] = domain, self._known[domain]
        return found


def clean_domain(end: str) -> str:
    """What stands behind the `@` of an address as it is kept: lower-cased, of ASCII, without what may stand around an
    address, a comment behind it, and a final dot."""
    domain = end.partition("(")[0].rstrip(AROUND).lower().rstrip(".")
    return domain if domain.isascii() else folded(domain)


class Providers:
    """The provider table, indexed. `by_domain[domain]` is what `of` says, `by_mx[host]` what `of_mx` says, each
    from a cache, and `by_spelling[end of an address]` the domain and its provider.
    """

    __slots__ = ("_domains", "_mx", "all", "by_domain", "by_mx", "by_spelling")

    def __init__(self, providers: Iterable[Provider]) -> None:
        """Index the table.

        Raises:
            ProvidersError: a name, a domain or an end of MX hosts is given twice, a provider has neither domains nor
                MX hosts, or is called `other`.
        """
        self.all: tuple[Provider, ...] = tuple(providers)
        self._domains: dict[str, str] = {}
        self._mx: dict[str, str] = {}
        seen = {OTHER}
        for provider in self.all:
            if provider.name in seen:
                raise ProvidersError(f"provider `{provider.name}` is defined twice, or its name is reserved")
            if not provider.domains and not provider.mx:
                raise ProvidersError(f"provider `{provider.name}` has neither `domains` nor `mx`")
            seen.add(provider.name)
            _give("domain", provider.domains, provider.name, self._domains)
            _give("MX host", provider.mx, provider.name, self._mx)
        self.by_domain = _Known(lambda domain: self._domains.get(domain, OTHER))
        self.by_mx = _Known(self._longest_end)
        self.by_spelling = _Spelt(self.by_domain)

    def of(self, domain: str) -> str:
        """The provider of a recipient domain, `other` for an unknown one. Any letter case is understood."""
        return self.by_domain[domain]

    def of_mx(self, host: str) -> str:
        """The provider that runs an MX host, `other` for an unknown one. The longest end of the name decides."""
        return self.by_mx[host]

    def _longest_end(self, host: str) -> str:
        labels = host.split(".")[-MOST_LABELS:]
        ends = (".".join(labels[first:]) for first in range(len(labels)))
        return next((self._mx[end] for end in ends if end in self._mx), OTHER)

    def with_feedback_loop(self) -> tuple[str, ...]:
        """Names of the providers that report single complaints, sorted."""
        return tuple(sorted(each.name for each in self.all if each.feedback_loop))


def _give(what: str, names: Iterable[str], provider: str, owners: dict[str, str]) -> None:
    for name in names:
        if name in owners:
            owner = owners[name]
            to = f"twice to `{owner}`" if owner == provider else f"to both `{owner}` and `{provider}`"
            raise ProvidersError(f"{what} {name} is given {to}")
        owners[name] = provider


def load_providers(path: Path | None = None) -> Providers:
    """The provider table in `path`, by default the one that comes with the project.

    Raises:
        ProvidersError: the file cannot be read, is not TOML, or breaks the schema.
    """
    return Providers(_shipped()) if path is None else _read(path)


@cache
def _shipped() -> tuple[Provider, ...]:
    """The table that comes with the project, read once a process: many of its parts ask for it."""
    return _read(DEFAULT_FILE).all


def _read(file: Path) -> Providers:
    try:
        table = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Table)
        return Providers(table.provider)
    except OSError as error:
        raise ProvidersError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProvidersError(f"{file}: not valid TOML: {error}") from error
    except (msgspec.ValidationError, ProvidersError) as error:
        raise ProvidersError(f"{file}: {field_first(str(error))}") from error
