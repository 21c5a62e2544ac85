"""Feedback loops: to which provider the mailbox belongs whose owner complained, by who reports it.

The table is `feedback_loops.toml`. A report often hides the recipient, and many providers have another company send
their reports.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from schemas.errors import InvalidInputError
from schemas.plain_fault import field_first
from schemas.providers import OTHER, Domain, ProviderName, Providers

DEFAULT_FILE = Path(__file__).with_name("feedback_loops.toml")
#: Labels of a host name that are looked at, from the end.
MOST_LABELS = 8
#: What is looked at of a name that a report gives, in characters.
MOST_NAME = 200

_SIGNS = re.compile(r"[\W_]+")


class FeedbackLoopsError(InvalidInputError):
    """The table of feedback loops cannot be used; the message names the file and what is wrong."""


class Loop(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The reports of one provider: what they call it, the hosts that send them, how their User-Agent begins."""

    provider: ProviderName
    names: tuple[str, ...] = ()
    hosts: tuple[Domain, ...] = ()
    agents: tuple[str, ...] = ()


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    operators: tuple[Domain, ...]
    hidden: tuple[Domain, ...]
    loop: tuple[Loop, ...]


class FeedbackLoops:
    """The table, indexed."""

    def __init__(self, loops: Iterable[Loop], operators: Iterable[str] = (), hidden: Iterable[str] = ()) -> None:
        """Index the table.

        Raises:
            FeedbackLoopsError: a name, a host or an agent is given twice.
        """
        self.operators = frozenset(operators)
        self.hidden = frozenset(hidden)
        self.providers: list[str] = []
        self._names: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._agents: dict[str, str] = {}
        for each in loops:
            self.providers.append(each.provider)
            _give("name", (_plain(name) for name in (each.provider, *each.names)), each.provider, self._names)
            _give("host", each.hosts, each.provider, self._hosts)
            _give("agent", (agent.lower() for agent in each.agents), each.provider, self._agents)

    def by_name(self, name: str) -> str:
        """The provider that a report calls so (`Source: Yandex`); empty for an unknown one."""
        return self._names.get(_plain(name[:MOST_NAME]), "")

    def by_host(self, host: str, providers: Providers) -> str:
        """The provider whose reports come from a host, or one below it; empty for an unknown one.

        A host of an operator is called by the provider: `yandexfbl.senderscore.net`, `mailru.senderscore.net`.
        """
        for name in _ends(host):
            if name in self._hosts:
                return self._hosts[name]
            if name in self.operators:
                called = host.lower().rstrip(".").removesuffix(name).rstrip(".")
                return self.by_name(called) or self.by_name(called.removesuffix("fbl"))
            if (provider := providers.of(name)) != OTHER:
                return provider
        return ""

    def by_agent(self, agent: str) -> str:
        """The provider whose reports are made by a program (`User-Agent: Yahoo!-Mail-Feedback/2.0`); empty for an
        unknown one."""
        lowered = agent.strip().lower()
        return next((provider for begin, provider in self._agents.items() if lowered.startswith(begin)), "")

    def is_reporter(self, host: str, providers: Providers) -> bool:
        """Whether reports are known to come from a host, or one below it."""
        if any(name in self.operators or name in self._hosts for name in _ends(host)):
            return True
        found = self.by_host(host, providers)
        return found in self.providers


def _ends(host: str) -> Iterable[str]:
    """A host name and the names above it, the longest first; those of one label are left out."""
    labels = host.lower().rstrip(".").split(".")[-MOST_LABELS:]
    return (".".join(labels[first:]) for first in range(len(labels) - 1))


def _plain(name: str) -> str:
    return _SIGNS.sub("", name.lower())


def _give(what: str, names: Iterable[str], provider: str, owners: dict[str, str]) -> None:
    for name in dict.fromkeys(names):
        if owners.setdefault(name, provider) != provider:
            raise FeedbackLoopsError(f"{what} `{name}` is given to both `{owners[name]}` and `{provider}`")


@cache
def load_feedback_loops(path: Path = DEFAULT_FILE) -> FeedbackLoops:
    """The table in `path`, by default the one that comes with the project.

    Raises:
        FeedbackLoopsError: the file cannot be read, is not TOML, or breaks the schema.
    """
    try:
        table = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Table)
        return FeedbackLoops(table.loop, table.operators, table.hidden)
    except OSError as error:
        raise FeedbackLoopsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeedbackLoopsError(f"{path}: not valid TOML: {error}") from error
    except (msgspec.ValidationError, FeedbackLoopsError) as error:
        raise FeedbackLoopsError(f"{path}: {field_first(str(error))}") from error
