"""What single lines of Postfix say, after the queue id and the word that tells their kind (`SAID`).

The wordings are those of its source: `log_adhoc` (what became of a recipient), `smtpd` (who sent), `cleanup` (message
id, logged header fields), `qmgr` (sender, expiry), `pickup`, `bounce` (notifications).
"""

import re

import msgspec

#: A queue id, short (hexadecimal) or long (without vowels).
QUEUE_ID = re.compile(r"[0-9A-F]{5,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}")
#: Queue id, the word by which a line tells what it is about, and what follows.
SAID = (
    r"([0-9A-Za-z]{5,20}): (to=<|from=<|client=|message-id=|resent-message-id=|uid=|removed|info: header |"
    r"warning: header |sender |postmaster )(.*)"
)
#: An address as Postfix writes it: a local part with a bracket or a blank in it is in quotes (RFC 5321 section 4.1.2).
_ADDRESS = r'([^">]*+(?:"(?:[^"\\]|\\.)*+"[^">]*+)*+)'
_RECIPIENT = re.compile(rf"{_ADDRESS}>, (?:orig_to=<{_ADDRESS}>, )?(?=relay=|delay=|dsn=|status=)", re.DOTALL)
_SENDER = re.compile(rf"{_ADDRESS}>(?:, status=(\w{{1,20}}(?:-\w{{1,20}})?)\b| orig_id=(\w+)|, size=|$)")
#: The fields before the reason hold no round bracket.
_FIELDS = (
    r"relay=([^\s,\[]{1,255})(?:\[([^\]\s]{0,255})\])?(?::(\d{1,5}))?, (?:conn_use=\d{1,9}, )?"
    r"delay=(\d{1,9}(?:\.\d{1,6})?), (?:delays=[\d./]{1,80}, )?(?:[^(]{1,300}?, )??"
    r"dsn=([245]\.\d{1,3}\.\d{1,3}), status=([^\s,]{1,40})(?: \((.*))?"
)
_FATE = re.compile(rf"{_ADDRESS}>, (?:orig_to=<{_ADDRESS}>, )?" + _FIELDS, re.DOTALL)
_RELAY = re.compile(r"\brelay=([^\s,\[]{1,255})(?:\[([^\]]{0,255})\])?(?::(\d{1,5}))?")
_DSN = re.compile(r"\bdsn=([245]\.\d{1,3}\.\d{1,3})\b")
#: Seconds since the message came in (postconf(5), `delay_logging_resolution_limit`).
_DELAY = re.compile(r"\bdelay=(\d{1,9}(?:\.\d{1,6})?)\b")
#: Characters of the fields before the reason that are looked at.
_MAX_FIELDS = 2_000
#: A login may hold blanks and commas.
_LOGIN = re.compile(r"sasl_username=(.{1,400}?)(?:$|, (?:sasl_sender|orig_queue_id|orig_client)=| sasl_sender=)")
_ORIGIN = re.compile(r", orig_queue_id=(\w{5,20})(?:,|$)")
_QUEUED_AS = re.compile(r"\bqueued as (\w{5,20})\b")
_CONNECT = re.compile(r"(?:delivery temporarily suspended: )?connect to ([^\s\[]{1,255})\[([^\]\s]{1,255})\]:(\d{1,5})")


class Relay(msgspec.Struct, frozen=True, gc=False):
    """To whom a recipient's mail was given: name, address and port as Postfix writes them, each maybe empty. Of agents
    on this host the name is that of their service, of sockets the address is their path."""

    host: str = ""
    ip: str = ""
    port: str = ""


class Fate(msgspec.Struct, frozen=True, gc=False):
    """What became of a recipient at one attempt. `original` is the address before aliases, `delay_s` the seconds since
    the message came in, as text; `host`, `ip` and `port` are those of the relay."""

    address: str
    original: str
    host: str
    ip: str
    port: str
    delay_s: str
    dsn: str
    status: str
    text: str


class SubmittingClient(msgspec.Struct, frozen=True, gc=False):
    """Who sent a message: IP address, login, and the queue id that it had before a content filter; empty where there is
    none."""

    ip: str
    login: str
    origin: str


class EnvelopeSender(msgspec.Struct, frozen=True, gc=False):
    """The envelope sender, the status that the queue manager gives to the whole message, and the queue id that it had
    before it was queued again; empty where there is none."""

    address: str
    status: str
    origin: str


def read_fate(said: str) -> Fate | None:
    """What follows `to=<`; None for a line without a status."""
    if found := _FATE.match(said):
        return Fate(*found.groups(""))
    return _read_older(said)


def _read_older(said: str) -> Fate | None:
    """A line without some of the fields, or with an address that is not in quotes."""
    if found := _RECIPIENT.match(said):
        address, original = found[1], found[2] or ""
        rest = said[found.end() :]
    else:
        # Before Postfix 3.5 a local part is not in quotes, whatever is in it.
        head, mark, rest = said.partition(">, relay=")
        if not mark:
            return None
        address, _, original = head.partition(">, orig_to=<")
        rest = "relay=" + rest
    fields, mark, rest = rest.partition("status=")
    if not mark:
        return None
    fields = fields[:_MAX_FIELDS]
    found = _RELAY.search(fields)
    host, ip, port = found.groups("") if found else ("", "", "")
    delayed, code = _DELAY.search(fields), _DSN.search(fields)
    status, _, text = rest.partition(" (")
    delay, dsn = delayed[1] if delayed else "", code[1] if code else ""
    return Fate(address, original, host, ip, port, delay, dsn, status.rstrip(","), text)


def read_sender(said: str) -> EnvelopeSender | None:
    """What follows `from=<`; None for a line of another shape."""
    address, usual, _ = said.partition(">, size=")
    if usual and '"' not in address:
        return EnvelopeSender(address, "", "")
    if found := _SENDER.match(said):
        return EnvelopeSender(found[1], found[2] or "", found[3] or "")
    return EnvelopeSender(address, "", "") if usual else None


def read_pickup(said: str) -> EnvelopeSender | None:
    """What follows `uid=`; None for a line of another shape."""
    return read_sender(said.partition(" from=<")[2])


def read_client(said: str) -> SubmittingClient:
    """What follows `client=`."""
    ip = said.partition("[")[2].partition("]")[0]
    _, known, login = said.partition("sasl_username=")
    if not known and "orig_queue_id=" not in said:
        return SubmittingClient(ip, "", "")
    if ", " not in login and known:
        return SubmittingClient(ip, login.strip(), "")
    if known and (ended := _LOGIN.search(said)):
        login = ended[1]
    origin = _ORIGIN.search(said)
    return SubmittingClient(ip, login.strip(), origin[1] if origin else "")


def read_message_id(said: str) -> str:
    """What follows `message-id=`."""
    return said.strip().removeprefix("<").removesuffix(">")


def read_header(said: str) -> tuple[str, str]:
    """Name, in lower case, and value of a header field that a rule logged: what follows `info: header`."""
    name, _, rest = said.partition(": ")
    return name.lower(), rest.rpartition(" from ")[0].strip()


def queued_as(text: str) -> list[str]:
    """The queue ids that the next host says it gave."""
    return _QUEUED_AS.findall(text[:_MAX_FIELDS]) if "queued as " in text else []


def not_reached(text: str) -> Relay:
    """Whom no connection could be made to."""
    found = _CONNECT.match(text)
    return Relay(found[1], found[2], found[3]) if found else Relay()


def proxied_login(text: str) -> tuple[list[str], str]:
    """The queue ids that a filter before the queue got, and who logged in (`proxy-accept`, without a queue id)."""
    reply, _, rest = text.partition("; from=<")
    login = _LOGIN.search(rest) if "sasl_username=" in rest else None
    return queued_as(reply), login[1].strip().removeprefix("<").removesuffix(">") if login else ""
