"""Prometheus' Alertmanager, API v2 (prometheus/alertmanager, api/v2/openapi.yaml).

What it does that matters here (0.25 to 0.28; types/types.go `Merge`, api/v2/api.go `postAlertsHandler`):

- An alert is its labels. A level is a label, so one that changes is another alert: it is posted, and the one before
  it is ended.
- It keeps alerts in memory alone, and ends those that are not posted again. What is open is posted again and again,
  with an end far ahead, so that a monitor that is away for an hour resolves nothing.
- An end that was given is not moved to an earlier time that is ahead. An end that is past is taken. Whether it was is
  asked, since its clock may be behind.
- Of a batch with a bad alert the good ones are kept and 400 is answered: alerts are posted one by one.
- An alert that ends and begins again before its group is looked at is told to nobody: what opens again has a label of
  its own, `occurrence`.
"""

import base64
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import quote

import msgspec

from jobs.notify.addresses import NotPublicError
from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from jobs.notify.posting import NoAnswerError, Poster, TargetAnswer, outcome_of, outcome_of_service
from jobs.notify.routing import condition
from jobs.notify.targets.sending import secret
from schemas.alert import AlertData
from schemas.notify import Alertmanager, Route
from schemas.times import HOUR_MS
from schemas.wording import rfc3339, shared_name

#: Characters of the text of an annotation.
LONGEST = 2_000


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it was posted last; what is open is posted so again, by who has the partition it came from
    (`reader`): somebody else would not know that it is over."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    reader: str

    @property
    def occurrence(self) -> str:
        """Which opening of the episode it is."""
        return self.labels["occurrence"]


_posted = msgspec.json.Decoder(Posted).decode


class AlertmanagerSender:
    """Posts the alerts of one route, and again what is open.

    Raises:
        NotifyError: the password cannot be read.
    """

    def __init__(self, target: Alertmanager, route: Route, poster: Poster) -> None:
        self._url = target.url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if target.user:
            password = secret(target.password, target.password_file, "password_file")
            login = base64.b64encode(f"{target.user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"
        self._labels = dict(target.labels)
        self._end_ms = round(target.end_hours * HOUR_MS)
        self._route = route
        self._poster = poster
        self._open: dict[str, Posted] = {}
        #: One post at a time: what is open, posted again just after its end, would be open for another day.
        self._posting = threading.Lock()
        #: What changed since it was asked for last: alert and what is open of it, `` where it is over.
        self._changed: dict[str, str] = {}

    def restore(self, posted: Mapping[str, str], readers: Collection[str] | None) -> None:
        """What was posted by others, by the alert's id; of these partitions, or of all."""
        for alert, text in posted.items():
            found = _posted(text)
            if readers is None or found.reader in readers:
                self._open.setdefault(alert, found)

    def forget(self, reader: str) -> None:
        """What came from this partition is another's to post."""
        with self._posting:
            self._open = {alert: each for alert, each in self._open.items() if each.reader != reader}

    def changes(self) -> list[tuple[str, str]]:
        """What is to be stored of what was posted since the last call."""
        return [(each, self._changed.pop(each)) for each in list(self._changed)]

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Post the alert as it is now, and end what it was before."""
        data = events[0].alert
        if data is None:
            return Outcome(result="taken", said="nothing to say of it")
        with self._posting:
            before = self._open.get(data.alert_id)
            firing = condition(self._route, data) != "over"
            after = self._as_posted(events[0], data, before, parcel.first.reader) if firing else None
            outcome = self._change(before, after, now_ms)
            if outcome.result == "taken":
                self._note(data.alert_id, after)
        return outcome

    def repost(self, now_ms: int) -> str:
        """Post again what is open; returns the first thing that failed, or nothing."""
        for alert_id in list(self._open):
            with self._posting:
                if (alert := self._open.get(alert_id)) is None:
                    continue
                outcome = self._post(alert, now_ms)
            if outcome.result != "taken":
                return outcome.said
        return ""

    @property
    def open(self) -> int:
        """How many alerts are open."""
        return len(self._open)

    def _change(self, before: Posted | None, after: Posted | None, now_ms: int) -> Outcome:
        """The new one first: no moment is without either."""
        outcome = Outcome(result="taken", said="nothing to say of it")
        if after is not None:
            outcome = self._post(after, now_ms)
        if outcome.result == "taken" and before is not None and (after is None or before.labels != after.labels):
            outcome = self._end(before, now_ms)
        return outcome

    def _note(self, alert_id: str, after: Posted | None) -> None:
        if after is None:
            self._open.pop(alert_id, None)
        else:
            self._open[alert_id] = after
        self._changed[alert_id] = msgspec.json.encode(after).decode() if after else ""

    def _as_posted(self, event: Event, data: AlertData, before: Posted | None, reader: str) -> Posted:
        labels = {
            **self._labels,
            "alertname": f"repmon_{data.metric}",
            "customer": data.customer or event.subject,
            "scope": data.scope,
            "rule": data.rule,
            "severity": data.level,
            "alert_id": data.alert_id,
            "occurrence": before.occurrence if before else str(data.transition),
        }
        summary = f"{shared_name(data.scope) or data.customer} is {data.level}: {data.metric}"
        return Posted(
            labels={name: value for name, value in labels.items() if value},
            annotations={"summary": summary[:LONGEST], "description": data.explanation[:LONGEST]},
            starts_at=before.starts_at if before else rfc3339(event.time_ms),
            reader=reader,
        )

    def _post(self, alert: Posted, now_ms: int) -> Outcome:
        return self._ask([_plain(alert, rfc3339(now_ms + self._end_ms))], now_ms)

    def _end(self, alert: Posted, now_ms: int) -> Outcome:
        outcome = self._ask([_plain(alert, max(alert.starts_at, rfc3339(now_ms - 1_000)))], now_ms)
        if outcome.result != "taken":
            return outcome
        wanted = "&".join("filter=" + quote(f'{name}="{_escaped(value)}"', safe="") for name, value in _identity(alert))
        try:
            answer = self._poster.ask("GET", f"{self._url}/api/v2/alerts?{wanted}", self._headers)
        except (NotPublicError, NoAnswerError) as error:
            return Outcome(result="later", said=str(error))
        if outcome_of(answer, now_ms).result == "taken" and _names_any(answer):
            said = "it was ended and is still active: its clock is behind, or somebody else posts it"
            return Outcome(result="later", said=said)
        return outcome

    def _ask(self, alerts: list[dict[str, object]], now_ms: int) -> Outcome:
        try:
            answer = self._poster.ask("POST", f"{self._url}/api/v2/alerts", self._headers, msgspec.json.encode(alerts))
        except NotPublicError as error:
            return Outcome(result="never", said=str(error))
        except NoAnswerError as error:
            return Outcome(result="later", said=str(error))
        return outcome_of_service(answer, now_ms, "Alertmanager")


def _plain(alert: Posted, ends_at: str) -> dict[str, object]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at,
        "endsAt": ends_at,
    }


def _identity(alert: Posted) -> Iterator[tuple[str, str]]:
    for name in ("alert_id", "severity", "occurrence"):
        yield name, alert.labels[name]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _names_any(answer: TargetAnswer) -> bool:
    try:
        return bool(msgspec.json.decode(answer.body, type=list[object]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True  # longer than is read: there are some
