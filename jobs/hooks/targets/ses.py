"""Amazon SES: the customer-managed sending status of a tenant (API v2).

`UpdateReputationEntityCustomerManagedStatus` takes the tenant's ARN as the reference of a reputation entity of the type
RESOURCE, in the path, and `SendingStatus` (ENABLED, DISABLED, REINSTATED) in the body; `GetReputationEntity` tells what
it is now, `GetTenant` the ARN by the tenant's name. Shapes as in botocore 1.44.8 (sesv2/2019-09-27) and
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_UpdateReputationEntityCustomerManagedStatus.html.
REINSTATED is sending in spite of findings that are still active: what a person wants who lifts a suspension while the
level is still bad.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from jobs.hooks.targets.base import Done, Http, Order, TargetError, filled, json_body, shown_request
from jobs.hooks.targets.sigv4 import Credentials, signed_headers
from schemas.hook import HookAction

SERVICE = "ses"
OURS, THEIRS = "ours", "theirs"


class Ses:
    """Sending of tenants, disabled and enabled. `clock` gives the time (UTC)."""

    forgets = False

    def __init__(
        self,
        name: str,
        action: HookAction,
        credentials: Credentials,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name, self._action, self._credentials, self._clock = name, action, credentials, clock
        self._base = (action.urls[0] if action.urls else f"https://email.{action.region}.amazonaws.com").rstrip("/")
        self._http = Http(name, action.timeout_s)

    def shown(self, order: Order) -> str:
        """The request that changes the status."""
        arn = filled(self._action.arn, order) or f"(ARN of {filled(self._action.tenant, order)})"
        return shown_request("PUT", self._status_url(arn), self._body(order).decode())

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Disable sending. What somebody else disabled before stays theirs."""
        arn = ref.get("arn") or self._arn(order)
        if self._status(arn) == "DISABLED":
            whose = OURS if order.repeated else THEIRS
            said = "disabled already" + ("" if order.repeated else " by somebody else, which is left alone")
            return Done(said=said, ref={"arn": arn, "whose": whose})
        self._put(arn, order)
        return Done(said="sending disabled", ref={"arn": arn, "whose": OURS})

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Enable sending again; reinstate it where a person wanted that in spite of the level."""
        if ref.get("whose") == THEIRS:
            return Done(said="left disabled: somebody else had done that")
        arn = ref.get("arn") or self._arn(order)
        if self._status(arn) != "DISABLED":
            return Done(said="enabled already")
        self._put(arn, order)
        return Done(said="sending reinstated" if order.lifted_by else "sending enabled")

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """SES keeps it."""
        return None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Nothing there tells whose it is."""
        return []

    def _body(self, order: Order) -> bytes:
        status = "DISABLED" if order.operation == "apply" else "REINSTATED" if order.lifted_by else "ENABLED"
        return json_body({"SendingStatus": status})

    def _entity_url(self, arn: str) -> str:
        return f"{self._base}/v2/email/reputation/entities/RESOURCE/{quote(arn, safe='')}"

    def _status_url(self, arn: str) -> str:
        return f"{self._entity_url(arn)}/customer-managed-status"

    def _put(self, arn: str, order: Order) -> None:
        self._ask("PUT", self._status_url(arn), self._body(order))

    def _status(self, arn: str) -> str:
        entity = _object(self._ask("GET", self._entity_url(arn)), "ReputationEntity")
        return str(_object(entity, "CustomerManagedStatus").get("Status", ""))

    def _arn(self, order: Order) -> str:
        if self._action.arn:
            return filled(self._action.arn, order)
        name = filled(self._action.tenant, order)
        found = self._ask("POST", f"{self._base}/v2/email/tenants/get", json_body({"TenantName": name}))
        arn = str(_object(found, "Tenant").get("TenantArn", ""))
        if not arn:
            raise TargetError(f"{self._name}: SES names no ARN of the tenant {name!r}")
        return arn

    def _ask(self, method: str, url: str, body: bytes = b"") -> dict[str, Any]:
        headers = signed_headers(
            method,
            url,
            body,
            {"Content-Type": "application/json"} if body else {},
            self._credentials,
            region=self._action.region,
            service=SERVICE,
            at=self._clock(),
        )
        text = self._http.good(method, url, body=body or None, headers=headers)
        try:
            return msgspec.json.decode(text, type=dict[str, Any]) if text.strip() else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TargetError(f"{self._name}: {method} {url}: the answer is no JSON") from error


def _object(answer: dict[str, Any], name: str) -> dict[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}
