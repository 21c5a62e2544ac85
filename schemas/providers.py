"""Mailbox providers: which provider reads the mail of a recipient domain, and who reports complaints.

The table is `providers.toml`. A domain belongs to one provider; a domain that is not in the table belongs to
`other`. Providers that are known by their MX hosts would be a second list beside `domains`, asked only where
the domain is not known.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

#: The provider of every domain that the table does not know. It is taken to run no feedback loop.
OTHER = "other"
#: Domains in the cache; senders of junk can name any number of them.
MOST_CACHED = 100_000
DEFAULT_FILE = Path(__file__).with_name("providers.toml")

ProviderName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]*\Z")]
Domain = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+(\.[a-z0-9-]+)+\Z")]


class ProvidersError(ValueError):
    """The provider table cannot be used; the message names the file and what is wrong."""


class Provider(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One mailbox provider. `feedback_loop`: it reports single complaints to senders who enrol.

    `source` says where that is known from.
    """

    name: ProviderName
    feedback_loop: bool
    domains: Annotated[tuple[Domain, ...], msgspec.Meta(min_length=1)]
    source: str = ""


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    provider: Annotated[tuple[Provider, ...], msgspec.Meta(min_length=1)]


class _ByDomain(dict[str, str]):
    """The provider of every domain asked for so far, as it was spelt; what is new is looked up once."""

    def __init__(self, names: dict[str, str]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, domain: str) -> str:
        if len(self) >= MOST_CACHED:
            self.clear()
        found = self[domain] = self._names.get(domain.lower().rstrip("."), OTHER)
        return found


class Providers:
    """The provider table, indexed by domain. `by_domain[domain]` is what `of` says, from a cache."""

    __slots__ = ("_names", "all", "by_domain")

    def __init__(self, providers: Iterable[Provider]) -> None:
        """Index the table.

        Raises:
            ProvidersError: a name or a domain is given twice, or a provider is called `other`.
        """
        self.all: tuple[Provider, ...] = tuple(providers)
        self._names: dict[str, str] = {}
        seen = {OTHER}
        for provider in self.all:
            if provider.name in seen:
                raise ProvidersError(f"provider `{provider.name}` is defined twice, or its name is reserved")
            seen.add(provider.name)
            for domain in provider.domains:
                owner = self._names.setdefault(domain, provider.name)
                if owner != provider.name:
                    raise ProvidersError(f"domain {domain} is given to both `{owner}` and `{provider.name}`")
        self.by_domain = _ByDomain(self._names)

    def of(self, domain: str) -> str:
        """The provider of a recipient domain, `other` for an unknown one. Any letter case is understood."""
        return self.by_domain[domain]

    def with_feedback_loop(self) -> tuple[str, ...]:
        """Names of the providers that report single complaints, sorted."""
        return tuple(sorted(each.name for each in self.all if each.feedback_loop))


def load(path: Path | None = None) -> Providers:
    """The provider table in `path`, by default the one that comes with the project.

    Raises:
        ProvidersError: the file cannot be read, is not TOML, or breaks the schema.
    """
    file = DEFAULT_FILE if path is None else path
    try:
        table = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Table)
        return Providers(table.provider)
    except OSError as error:
        raise ProvidersError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProvidersError(f"{file}: not valid TOML: {error}") from error
    except (msgspec.ValidationError, ProvidersError) as error:
        raise ProvidersError(f"{file}: {error}") from error
