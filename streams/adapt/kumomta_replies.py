"""What hosts last said of KumoMTA's mail: its record that it gave up has words of its own alone. Pure."""

from typing import Any

from schemas.event import MailEvent
from streams.adapt.bounded import keep
from streams.adapt.kumomta_record import LoggedRecord, LoggedResponse, status_of
from streams.adapt.postfix_queue import MAX_TEXT, Reply

#: Recipients whose last reply is remembered.
MAX_REPLIES = 100_000
#: The same of a worker that reads a topic, and characters of each: 25 MB at most.
MAX_KEPT_REPLIES, MAX_KEPT_TEXT = 50_000, 300
#: How texts begin that are KumoMTA's, not a host's.
_OWN_WORDS = "KumoMTA internal"


def recall(memory: dict[str, Reply], record: LoggedRecord, event: MailEvent, address: str) -> None:
    """Remember a temporary reply; where KumoMTA gave up, whose own words say nothing of it, take the last one."""
    if not memory and event.type != "deferred":
        return
    key = f"{record.id} {address}"
    if event.type == "deferred":
        # What no host said does not hide what one did; what no event may hold is not for a later one.
        text_is_good = "\0" not in event.diagnostic + event.mx_host
        if text_is_good and (key not in memory or not event.diagnostic.startswith(_OWN_WORDS)):
            reply = Reply(event.smtp_code, event.enhanced_status, event.diagnostic[:MAX_TEXT], event.mx_host)
            keep(memory, key, reply, MAX_REPLIES)
    elif (last := memory.pop(key, None)) and _says_nothing(record, event):
        last.put_into(event)


def forget(memory: dict[str, Reply], record: LoggedRecord) -> None:
    """Its one recipient was reached."""
    memory.pop(f"{record.id} {record.recipient}", None)


def recall_kept(replies: dict[str, Any], record: LoggedRecord, event: MailEvent, address: str) -> None:
    """The same where they are kept from message to message. Nothing is taken out: a message may be read twice, and
    deliveries, most of what there is, are not looked up."""
    if event.type == "deferred":
        keep_reply(replies, record, address)
    elif _says_nothing(record, event) and (last := replies.get(f"{record.id} {address}")) is not None:
        last.put_into(event)


def keep_reply(replies: dict[str, Any], record: LoggedRecord, address: str) -> None:
    """Keep the reply of a deferral, from message to message."""
    response, peer = record.response or LoggedResponse(), record.peer_address
    said, host = response.content or "", (peer.name or "") if peer is not None else ""
    key = f"{record.id} {address}"
    # What no host said does not hide what one did; what no event may hold is not for a later one.
    if "\0" in said or "\0" in host or (said.startswith(_OWN_WORDS) and key in replies):
        return
    code = response.code if 0 <= response.code <= 999 else 0
    keep(replies, key, Reply(code, status_of(response), said[:MAX_KEPT_TEXT], host), MAX_KEPT_REPLIES)


def _says_nothing(record: LoggedRecord, event: MailEvent) -> bool:
    """Whether KumoMTA gave up, whose own words say nothing of why."""
    return event.type == "expired" and (record.type == "Expiration" or record.peer_address is None)
