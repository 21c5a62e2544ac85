"""PagerDuty's Events API v2 (developer.pagerduty.com, "Send an event"): trigger, acknowledge, resolve. The incident of
an alert is known by `dedup_key`, so a repeat makes no second one."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from jobs.notify.addresses import NotPublicError
from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from jobs.notify.posting import NoAnswerError, Poster, outcome_of_service
from jobs.notify.routing import condition
from jobs.notify.targets.sending import secret
from schemas.alert import AlertData
from schemas.levels import Level
from schemas.notify import PagerDuty, Route
from schemas.wording import amount

SEVERITY: dict[Level, str] = {"critical": "critical", "excessive": "error", "warning": "warning"}
#: Characters of a summary that are taken.
LONGEST_SUMMARY = 1024
Action = Literal["trigger", "acknowledge", "resolve"]
ACTIONS: dict[str, Action] = {"firing": "trigger", "acknowledged": "acknowledge", "over": "resolve"}


class PagerDutySender:
    """Sends events of alerts to one service.

    Raises:
        NotifyError: the key cannot be read.
    """

    def __init__(self, target: PagerDuty, route: Route, poster: Poster) -> None:
        self._url = target.url
        self._key = secret(target.routing_key, target.routing_key_file, "routing_key_file")
        self._route = route
        self._poster = poster

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Send it."""
        body = self.body(events[0])
        if body is None:
            return Outcome(result="taken", said="nothing to say of it")
        try:
            answer = self._poster.ask(
                "POST", self._url, {"Content-Type": "application/json"}, msgspec.json.encode(body)
            )
        except NotPublicError as error:
            return Outcome(result="never", said=str(error))
        except NoAnswerError as error:
            return Outcome(result="later", said=str(error))
        return outcome_of_service(answer, now_ms, "PagerDuty")

    def body(self, event: Event) -> dict[str, object] | None:
        """What is posted; None of what is no alert."""
        data = event.alert
        if data is None:
            return None
        action = ACTIONS[condition(self._route, data)]
        body: dict[str, object] = {
            "routing_key": self._key,
            "event_action": action,
            "dedup_key": data.alert_id,
        }
        if action == "trigger":
            body |= {"client": "repmon", "payload": _payload(event, data)}
        return body


def _payload(event: Event, data: AlertData) -> dict[str, object]:
    return {
        "summary": f"{event.subject} is {data.level}: {data.explanation}"[:LONGEST_SUMMARY],
        "source": event.subject,
        "severity": SEVERITY.get(data.level, "info"),
        "timestamp": event.plain()["time"],
        "component": data.scope,
        "group": event.subject,
        "class": data.metric,
        "custom_details": {
            "rule": data.rule,
            "rate": amount(data.metric, data.rate),
            "threshold": amount(data.metric, data.threshold),
            "window": data.window,
            "counted": f"{data.numerator:,} of {data.denominator:,}",
            "policy": data.policy_version,
            "alert": data.alert_id,
            "event": event.id,
        },
    }
