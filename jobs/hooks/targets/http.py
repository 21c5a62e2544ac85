"""Any HTTP interface: a request made of texts of the settings, signed if there are keys.

Each request has a `webhook-id` that is the same whenever the same is asked again, so that a receiver drops repeats;
with keys it is signed as Standard Webhooks say (spec/standard-webhooks.md of standard-webhooks/standard-webhooks,
version 1.0.0): HMAC-SHA256 over id, time and body, a signature for each key.
"""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from hmac import new
from urllib.parse import quote

from jobs.hooks.targets.base import Done, Http, Order, filled, in_json, json_body, one_line, shown_request
from schemas.hook import HookAction

PREFIX = "whsec_"


class HttpTarget:
    """Requests by template. `clock` gives epoch s."""

    forgets = False

    def __init__(self, name: str, action: HookAction, password: str, clock: Callable[[], float] = time.time) -> None:
        self._name, self._action, self._clock = name, action, clock
        self._http = Http(name, action.timeout_s, action.user, password)

    def shown(self, order: Order) -> str:
        """The request."""
        method, url, body = self._request(order)
        return shown_request(method, url, body, self._action.headers)

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Ask for it."""
        return self._ask(order)

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Ask for the contrary."""
        return self._ask(order)

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """It is trusted to remember."""
        return None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Nobody can tell what is there."""
        return []

    def _ask(self, order: Order) -> Done:
        method, url, text = self._request(order)
        body = b"" if method == "GET" else text.encode()
        headers = {
            "Content-Type": self._action.content_type,
            **self._action.headers,
            **signature(order.id, int(self._clock()), body, self._action.signing_keys),
        }
        answer = self._http.good(method, url, body=body or None, headers=headers)
        return Done(said=one_line(answer.decode("utf-8", "replace")) or "done")

    def _request(self, order: Order) -> tuple[str, str, str]:
        action, lift = self._action, order.operation == "lift"
        url = (action.lift_url if lift else "") or action.urls[0]
        method = (action.lift_method if lift else "") or action.method
        template = (action.lift_body if lift else "") or action.body
        escape = in_json if "json" in action.content_type else _quoted if "urlencoded" in action.content_type else str
        body = filled(template, order, escape) if template else as_json(order)
        return method, filled(url, order, _quoted), body


def as_json(order: Order) -> str:
    """What is to be done, as JSON; also what commands read."""
    return json_body(
        {
            "id": order.id,
            "operation": order.operation,
            "effect": order.effect,
            "customer": order.customer,
            "scope": order.scope,
            "stream": order.stream,
            "level": order.level,
            "rule": order.rule,
            "reason": order.reason,
            "alert_ids": order.alert_ids,
            "lifted_by": order.lifted_by,
            "repeated": order.repeated,
        }
    ).decode()


def signature(webhook_id: str, at_s: int, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The headers by which a receiver knows a request: `webhook-id` and, with keys, time (epoch s) and signatures."""
    signed = b".".join((webhook_id.encode(), str(at_s).encode(), body))
    found = [f"v1,{b64encode(new(signing_key(key), signed, sha256).digest()).decode()}" for key in keys]
    proof = {"webhook-timestamp": str(at_s), "webhook-signature": " ".join(found)} if found else {}
    return {"webhook-id": webhook_id, **proof}


def signing_key(key: str) -> bytes:
    """The bytes of a key.

    Raises:
        ValueError: it is no base64.
    """
    return b64decode(key.removeprefix(PREFIX), validate=True)


def _quoted(text: str) -> str:
    return quote(text, safe="")
