"""docs/events.md: every type of event, from the types and topics that the code sends."""

from collections.abc import Iterator

import msgspec

from schemas.alert import ALERT_SOURCE, AlertEvent
from schemas.breaker_event import BREAKER_SOURCE, BreakerEvent
from schemas.customer_event import CUSTOMER_SOURCE, CustomerEvent
from schemas.deployment import Deployment
from schemas.events import TYPES
from schemas.hold import HOLD_SOURCE, HoldEvent
from schemas.incident import INCIDENT_SOURCE, IncidentEvent
from schemas.topics import MessageKind, Topic, load_topics

HEAD = """# Events

What is sent for others to act on: CloudEvents 1.0 in JSON, over Kafka in structured mode, with the header
`content-type: application/cloudevents+json; charset=UTF-8` (Kafka protocol binding 1.0.2, section 3.3). The SDKs of
CloudEvents for Python, JavaScript and Go read them; a test has each read every example.
[schemas/asyncapi.yaml](../schemas/asyncapi.yaml) describes topics and messages as AsyncAPI 3.0, and `schemas/json`
and `schemas/examples` have their JSON Schemas and examples. This page is from the same types (`make docs`). What an
alert means is in [alerts.md](alerts.md), what a hold or an incident is in [alerts.md](alerts.md#held) and
[incidents.md](incidents.md).

```js
// KafkaJS hands over headers as Buffers, the SDK takes texts (cloudevents 10.0.0).
const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
const event = Kafka.toEvent({ ...message, headers });
if (event.type.startsWith("org.repmon.alert.")) act(event.data);
```

## What holds of all

- **Choose by `type`.** New types may come to a topic, and new fields to `data`; ignore what you do not know. What
  would break a reader of `v1` is another type, `v2`.
- **`source` and `id` together name one event.** The same pair again is the same event again, as after a crash: drop
  it. Ids are derived from what happened, so another installation gives the same ones: `source` is
  `/repmon/DEPLOYMENT/KIND`, where DEPLOYMENT is the id that the store made once, after the name that the setting
  `deployment.name` gives it and a dot: `/repmon/mail-eu.5f0c9a417b22d85e/monitor`. `repmon status` shows it. A hook
  of one deployment should refuse events of others. Whoever restores a copy of a store next to the original gives it
  another name. After a change of the name, events under the old one are its own as before.
- **`dataschema`** is a URI: before `#` the `$id` of a file in `schemas/json`, after it the place in the file.
- **`time`** is when it was judged or decided; the order of a customer's events is that of its partition.
- **At least once.** Each event is stored as to be sent before what it tells of is in force, then sent, then stored as
  sent. What ends in between leaves it to the next try, under the same id. The beginning of a hold, and the beginning
  and end of an incident that was found, are sent before hold and incident are stored: they may be told although they
  did not come to be.
- **Ask again.** Whoever may write to a topic can write an event. `repmon notify` and `repmon suspend-hook` take what
  they read for a hint and ask the store; a hook of your own asks `repmon.client` ([api.md](api.md#in-python)).

"""

TAIL = """## What changed

| field | before | now |
|---|---|---|
| `source` | the same in every installation: `/repmon/monitor`, `holds`, `incidents` | `/repmon/DEPLOYMENT/KIND` |
| `dataschema` | not there | the place of the schema of `data` |
| `type` on `reputation.alerts` | only `org.repmon.alert.…` | also `org.repmon.customer.…` |
| `type` on `reputation.holds` | `began` | also `confirmed`, `released`, `ended`; `ended_ms` and `decision` in `data` |
| `type` on `reputation.holds` | only `org.repmon.hold.…` | also `org.repmon.breaker.…` |
| `type` on `reputation.incidents` | `began`, `ended` | also `declared`, `dismissed`; a declared one ends, too |

Events from before are read as ever: what they lack has a default, and `source` is as it was sent. What a monitor had
stored as to be sent before its update goes out as it was stored.
"""

#: What makes each.
MEANINGS = {
    "org.repmon.alert.opened.v1": "a rate reached a threshold",
    "org.repmon.alert.reopened.v1": "what was resolved opened again, as the same alert",
    "org.repmon.alert.escalated.v1": "it reached a worse level",
    "org.repmon.alert.de-escalated.v1": "it fell to a lesser level, not to good",
    "org.repmon.alert.acknowledged.v1": "somebody acknowledged it",
    "org.repmon.alert.overridden.v1": "an operator's override of the rule began",
    "org.repmon.alert.override-ended.v1": "that override ended",
    "org.repmon.alert.held.v1": "nobody is to act on it until an operator decided",
    "org.repmon.alert.confirmed.v1": "an operator confirmed what was held, or others tell that it is the customer",
    "org.repmon.alert.resolved.v1": "no level holds any more, or an operator released what was held",
    "org.repmon.customer.suspended.v1": "`repmon suspend`, or a hook",
    "org.repmon.customer.unsuspended.v1": "`repmon unsuspend`",
    "org.repmon.customer.reinstated.v1": "a [fresh start](score.md#fresh-starts): mail from before does not count",
    "org.repmon.hold.began.v1": "more customers rose at once than the brake allows",
    "org.repmon.hold.confirmed.v1": "`repmon holds confirm`, of some or all",
    "org.repmon.hold.released.v1": "`repmon holds release`, of some or all",
    "org.repmon.hold.ended.v1": "nobody else comes into it, and nothing of it waits for a decision",
    "org.repmon.breaker.opened.v1": "more customers would be acted on at once than `[hook]` allows; nobody is any more",
    "org.repmon.breaker.closed.v1": "`repmon suspend-hook breaker close`",
    "org.repmon.incident.began.v1": "an incident was found, or is suspected",
    "org.repmon.incident.declared.v1": "`repmon incidents declare`",
    "org.repmon.incident.dismissed.v1": "`repmon incidents dismiss`",
    "org.repmon.incident.ended.v1": "what was found is over, or the time of a declared one is",
}
#: Of each kind its name, its source, what its subject is, and of what its id is made.
KINDS: dict[type[msgspec.Struct], tuple[str, str, str, str]] = {
    AlertEvent: (
        "Alerts",
        ALERT_SOURCE,
        "the customer; of small customers together the scope (`pool:NAME`)",
        "customer, scope, rule, episode, transition, level and, where those do not tell it, kind",
    ),
    CustomerEvent: ("Decisions on customers", CUSTOMER_SOURCE, "the customer", "kind, customer and time"),
    HoldEvent: (
        "Holds",
        HOLD_SOURCE,
        "the hold's id",
        "the hold's id and what happened; of a decision also its time and the customers",
    ),
    BreakerEvent: ("The breaker of a hook", BREAKER_SOURCE, "`suspend-hook`", "what happened and its time"),
    IncidentEvent: (
        "Incidents",
        INCIDENT_SOURCE,
        "the provider, pool or list; `*` for all mail",
        "the incident's id and what happened; of a decision also its time, of an end when it is",
    ),
}


def page() -> str:
    """The page as it is in its file."""
    found = {kind.message_type(): (topic, kind) for topic in load_topics().values() for kind in topic.kinds}
    parts = (part for event in TYPES for part in _section(event, *found[event]))
    return HEAD + "\n".join(parts) + "\n" + TAIL


def _section(event: type[msgspec.Struct], topic: Topic, kind: MessageKind) -> Iterator[str]:
    name, source, subject, made_of = KINDS[event]
    (schema,) = (each.default for each in msgspec.structs.fields(event) if each.name == "dataschema")
    yield f"## {name}\n"
    yield "| | |\n|---|---|"
    yield f"| topic | `{topic.topic}` (partitions: {topic.partitions}; kept for {topic.retention}) |"
    yield f"| key | the same as `subject`: {subject} |"
    yield f"| `source` | `{Deployment(id='DEPLOYMENT').source(source)}` |"
    yield f"| `id` | derived from {made_of} |"
    yield f"| `dataschema` | `{schema}` |"
    yield f"| schema | [{kind.schema}](../schemas/json/{kind.schema}) |"
    yield f"| examples | [schemas/examples/{kind.name}](../schemas/examples/{kind.name}/valid) |"
    yield "\n| `type` | sent when |\n|---|---|"
    for each in TYPES[event]:
        yield f"| `{each}` | {MEANINGS[each]} |"
    yield ""
