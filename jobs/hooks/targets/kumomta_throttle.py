"""KumoMTA slows tenants down: their rates stand in a data file of its queue helper, which each node then reads again.

KumoMTA has no request that sets a rate. What it documents for a tenant is `overall_max_message_rate` in a data file of
`policy-extras.queue` (docs/userguide/configuration/queuemanagement.md, "Throttling The Scheduled Queue"), and `POST
/api/admin/bump-config-epoch`, at which a node reads its files again (docs/reference/configuration.md, "Configuration
Monitoring"; without that it looks every 10 s). Read in KumoMTA's source of August 2026, assets/policy-extras/queue.lua:
files are merged one after another, a later one replaces single settings, and of a tenant there may be known settings
alone. What is ours is therefore a file of its own, and by what it is known stands in a comment before each tenant. Of a
campaign the helper takes the tenant's rate in place of its own, so there are rates for whole tenants alone.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from jobs.hooks.targets.base import Done, Http, Order, TargetError, filled, one_line, shown_request
from schemas.hook import HookAction
from streams.io.whole_file import replace_file

PATH = "/api/admin/bump-config-epoch"
HEADER = "# Made by repmon suspend-hook, and by it alone: what is changed here by hand is lost.\n"
ENTRY = re.compile(
    r'# repmon (?P<tag>[0-9a-f]+): (?P<why>.*)\n\[tenant\.(?P<tenant>"(?:[^"\\\n]|\\.)*")\]\n'
    r'overall_max_message_rate = "(?P<rate>[^"\n]*)"\n'
)
#: Everybody may read it: KumoMTA runs as a user of its own.
MODE = 0o644
#: What JSON leaves as it is and TOML does not.
DELETE = "\x7f"


class Slowed(NamedTuple):
    """A tenant in the file: whose entry it is, why, and its rate."""

    tag: str
    why: str
    rate: str


class KumoMtaThrottle:
    """Rates of tenants in a file, and nodes that read it."""

    forgets = True

    def __init__(self, name: str, action: HookAction, password: str) -> None:
        self._name, self._action = name, action
        self._file = Path(action.file)
        self._urls = [f"{url.rstrip('/')}{PATH}" for url in action.urls]
        self._http = Http(name, action.timeout_s, action.user, password)

    def shown(self, order: Order) -> str:
        """What would stand in the file, and the request to the first node."""
        rate = "no rate" if order.operation == "lift" else self._action.rate
        asked = shown_request("POST", self._urls[0], "") if self._urls else ""
        return one_line(f"{self._file}: {self._tenant(order)!r} {rate}; {asked}".rstrip("; "))

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Set the tenant's rate, and have it read."""
        entries, tenant = self._read(), self._tenant(order)
        there = entries.get(tenant)
        if there is not None and there.tag != order.tag:
            return Done(said=f"has a rate for somebody else already, which is left alone: {one_line(there.why)}")
        slowed = self._slowed(order)
        if there is None or there.rate != slowed.rate:
            self._write({**entries, tenant: slowed})
        elif not order.repeated:
            return Done(said=f"has {slowed.rate} already")
        return Done(said=self._have_read(f"at most {slowed.rate}"))

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Take the tenant's rate away, and have that read."""
        entries, tenant = self._read(), self._tenant(order)
        there = entries.get(tenant)
        if there is not None and there.tag != order.tag:
            return Done(said=f"has a rate for somebody else, which is left alone: {one_line(there.why)}")
        if there is not None:
            del entries[tenant]
            self._write(entries)
        elif not order.repeated:
            return Done(said="has none any more")
        return Done(said=self._have_read("at its own rate again"))

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """Set it again where the file has lost it, or has another rate than the settings now."""
        entries, tenant = self._read(), self._tenant(order)
        there, slowed = entries.get(tenant), self._slowed(order)
        if there is not None and (there.tag != order.tag or there.rate == slowed.rate):
            return None
        self._write({**entries, tenant: slowed})
        lost = "had lost it" if there is None else f"had {there.rate}"
        return Done(said=self._have_read(f"{lost}: at most {slowed.rate} again"), ref=dict(ref))

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Take away what was lifted, and came late."""
        wanted, entries = set(tags), self._read()
        late = {tenant: each for tenant, each in entries.items() if each.tag in wanted}
        if not late:
            return []
        self._write({tenant: each for tenant, each in entries.items() if tenant not in late})
        said = self._have_read("removed")
        return [f"repmon {each.tag}: {one_line(each.why)}: {said}" for each in late.values()]

    def _tenant(self, order: Order) -> str:
        found = filled(self._action.tenant, order)
        if not found:
            raise TargetError(f"{self._name}: names no tenant: that would slow everybody down")
        return found

    def _slowed(self, order: Order) -> Slowed:
        return Slowed(order.tag, one_line(order.reason), self._action.rate)

    def _have_read(self, said: str) -> str:
        for url in self._urls:
            self._http.good("POST", url)
        return f"{said}, in {self._file}"

    def _read(self) -> dict[str, Slowed]:
        """What stands in the file, by tenant; nothing where there is none.

        Raises:
            TargetError: it cannot be read, or is not ours.
        """
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise TargetError(f"{self._name}: {self._file}: {_cause(error)}") from error
        entries = {
            json.loads(each["tenant"]): Slowed(each["tag"], each["why"], each["rate"]) for each in ENTRY.finditer(text)
        }
        if text and text != _text(entries):
            raise TargetError(
                f"{self._name}: {self._file} has more in it than repmon wrote there, and is left alone: name a file of "
                "its own, or remove it"
            )
        return entries

    def _write(self, entries: Mapping[str, Slowed]) -> None:
        """Replace the file as a whole: a node may read it at any moment.

        Raises:
            TargetError: it cannot be written.
        """
        try:
            replace_file(self._file, _text(entries).encode(), MODE)  # by one whose name KumoMTA does not look at
        except (OSError, UnicodeEncodeError) as error:
            raise TargetError(f"{self._name}: {self._file}: {_cause(error)}") from error


def _text(entries: Mapping[str, Slowed]) -> str:
    """The file; strings of JSON are strings of TOML, but for one character."""
    return HEADER + "".join(
        f"\n# repmon {each.tag}: {each.why}\n[tenant.{_string(tenant)}]\n"
        f"overall_max_message_rate = {_string(each.rate)}\n"
        for tenant, each in sorted(entries.items())
    )


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace(DELETE, "\\u007f")


def _cause(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "not UTF-8")
