"""KumoMTA's administrative suspensions of scheduled queues (`/api/admin/suspend/v1`).

Read in KumoMTA's source of August 2026 (crates/kumod/src/http_server/admin_suspend_v1.rs, queue_name_multi_index.rs,
crates/kumo-api-types): POST takes `campaign`, `tenant` and `domain`, of which one that is missing is any, a `reason`
and a `duration` (5 minutes where it is missing), and answers with an `id`; GET lists what is in force; DELETE takes the
`id` in its body and answers 404 where that is over. Of one choice of campaign, tenant and domain there is one
suspension: a second takes the place of the first, whoever made that. And they are kept in memory alone, on each node: a
restart forgets them. So each node is asked what it has before it is given anything, what another gave it is left alone,
and what it forgot it is given again.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from jobs.hooks.targets.base import Done, Http, Order, TargetError, filled, json_body, one_line, shown_request
from schemas.hook import HookAction

PATH = "/api/admin/suspend/v1"
NOT_FOUND = 404
#: `23h 59m 58s 12ms`, as durations are written there.
PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600}
SECONDS |= {"d": 86_400, "day": 86_400, "days": 86_400, "w": 604_800, "month": 2_630_016, "months": 2_630_016}
SECONDS |= {"hour": 3600, "hours": 3600, "year": 31_557_600, "years": 31_557_600, "week": 604_800, "weeks": 604_800}


class Suspended(msgspec.Struct, frozen=True, kw_only=True):
    """A suspension that is in force on a node."""

    id: str
    reason: str = ""
    duration: str = ""
    campaign: str | None = None
    tenant: str | None = None
    domain: str | None = None


class Criteria(NamedTuple):
    """Which queues; None is any."""

    campaign: str | None
    tenant: str | None
    domain: str | None


class KumoMta:
    """Suspensions on each of some nodes."""

    forgets = True

    def __init__(self, name: str, action: HookAction, password: str) -> None:
        self._name, self._action = name, action
        self._urls = [f"{url.rstrip('/')}{PATH}" for url in action.urls]
        self._http = Http(name, action.timeout_s, action.user, password)
        self._duration_s = max(60, round(action.duration_h * 3600))

    def shown(self, order: Order) -> str:
        """The request to the first node."""
        if order.operation == "lift":
            return shown_request("DELETE", self._urls[0], '{"id": ...}')
        return shown_request("POST", self._urls[0], self._body(order).decode())

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Suspend on every node that does not have it."""
        said, ids = [], {}
        for url in self._urls:
            there = self._there(url, order)
            if there is None:
                ids[url] = self._post(url, order)
                said.append(f"suspended for {self._duration_s} s as {ids[url]}")
            elif _is_ours(there, order.tag):
                ids[url] = there.id
                said.append(f"has it already as {there.id}")
            else:
                said.append(f"has one of somebody else, which is left alone: {one_line(there.reason)}")
        return Done(said="; ".join(dict.fromkeys(said)), ref=ids)

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Take it from every node that has it."""
        said = []
        for url in self._urls:
            there = self._there(url, order)
            if there is None:
                said.append("has none any more")
            elif not _is_ours(there, order.tag):
                said.append(f"has one of somebody else, which is left alone: {one_line(there.reason)}")
            else:
                said.append(self._delete(url, there.id))
        return Done(said="; ".join(dict.fromkeys(said)))

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """Give it again to nodes that forgot it, or have it for less than half of its time."""
        said, ids = [], dict(ref)
        for url in self._urls:
            there = self._there(url, order)
            if there is not None and (not _is_ours(there, order.tag) or self._lasts(there)):
                continue
            ids[url] = self._post(url, order)
            said.append("had forgotten it" if there is None else "had it for not much longer")
        return Done(said=f"{'; '.join(dict.fromkeys(said))}: suspended again", ref=ids) if said else None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Take from the nodes what was lifted, and came late."""
        wanted = set(tags)
        return [
            f"{one_line(each.reason)}: {self._delete(url, each.id)}"
            for url in self._urls
            for each in self._list(url)
            if each.reason.partition(":")[0].removeprefix("repmon ") in wanted
        ]

    def _criteria(self, order: Order) -> Criteria:
        texts = (self._action.campaign, self._action.tenant, self._action.domain)
        found = Criteria(*(filled(each, order) or None for each in texts))
        if not any(found):
            raise TargetError(f"{self._name}: neither campaign nor tenant nor domain: that would suspend everybody")
        return found

    def _body(self, order: Order) -> bytes:
        named = {name: value for name, value in self._criteria(order)._asdict().items() if value is not None}
        return json_body({**named, "reason": _reason(order), "duration": f"{self._duration_s}s"})

    def _post(self, url: str, order: Order) -> str:
        text = self._http.good("POST", url, body=self._body(order), headers={"Content-Type": "application/json"})
        try:
            return str(msgspec.json.decode(text, type=dict[str, str])["id"])
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
            raise TargetError(f"{self._name}: POST {url}: the answer names no id") from error

    def _delete(self, url: str, entry: str) -> str:
        answer = self._http.ask(
            "DELETE", url, body=json_body({"id": entry}), headers={"Content-Type": "application/json"}
        )
        if answer.status != NOT_FOUND and not 200 <= answer.status < 300:
            raise self._http.refused("DELETE", url, answer)
        return f"removed {entry}" if answer.status != NOT_FOUND else "has none any more"

    def _there(self, url: str, order: Order) -> Suspended | None:
        wanted = self._criteria(order)
        same = [each for each in self._list(url) if Criteria(each.campaign, each.tenant, each.domain) == wanted]
        return next((each for each in same if _is_ours(each, order.tag)), same[0] if same else None)

    def _list(self, url: str) -> list[Suspended]:
        try:
            return msgspec.json.decode(self._http.good("GET", url), type=list[Suspended])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TargetError(f"{self._name}: GET {url}: no list of suspensions: {error}") from error

    def _lasts(self, entry: Suspended) -> bool:
        return seconds_of(entry.duration) >= self._duration_s / 2


def seconds_of(duration: str) -> float:
    """A duration as it is written there, in s; 0 where nobody can tell."""
    return sum(float(number) * SECONDS.get(unit, 0) for number, unit in PART.findall(duration))


def _reason(order: Order) -> str:
    return f"repmon {order.tag}: {one_line(order.reason)}"


def _is_ours(entry: Suspended, tag: str) -> bool:
    return entry.reason.startswith(f"repmon {tag}:")
