"""What single lines of Exim's main log say, after the message id. Pure.

The order of their fields is that of its source (`receive.c` for arrivals, `deliver.c` for deliveries, `retry.c` for
expiry), their meaning that of its specification, chapter "Log files". What a client or an author chose (HELO name,
ident, subject) cannot pass for another field: fields are read in their order, quoted texts as a whole.
"""

import re
from typing import NamedTuple

from streams.adapt.postfix_lines import Relay

#: A message id, up to Exim 4.96 and since 4.97.
MESSAGE_ID = r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"

#: Of the fields of a line so many characters are looked through: each of many that nothing ends costs a pass.
_MOST_FIELDS = 20_000

_QUOTED = r'"(?:[^"\\]|\\.)*+"'
#: An address ends before a blank, or before a colon with a blank behind it; its local part may be quoted.
_ADDRESS = rf'((?:{_QUOTED}|[^\s":]|:(?!\s|$))++)'
_ARRIVED = re.compile(
    rf"(?:<>|{_ADDRESS})(?: R=([\w-]{{1,40}}))?(?: DS)?"
    r"(?: H=(?:[^\s(\[]\S{0,255} )?(?:\([^()\s]{0,255}\) )?\[([^\]\s]{1,64})\](?::\d{1,5})?)?"
    r"(?: I=\[[^\]\s]{1,64}\](?::\d{1,5})?)?(?: TFO\S{0,2})?(?: U=(\S{1,255}))?(?: Ci=\S{1,40})?(?: P=(\S{1,64}))?"
    rf"((?: (?!A=|H=|S=)(?:[A-Z]\w{{0,11}}=)?(?:{_QUOTED}|[^\s\"])++)*+)"
    r"(?: A=([^\s:]{1,64})(?::(.{1,400}?))?)?(?= PRDR| PRX=| K | S=\d)"
)
_ID = re.compile(r" id\*?=(\S{1,998})")
#: What became of a recipient: its address, those it came from, the fields, the error.
_RECIPIENT = re.compile(
    rf'{_ADDRESS}(?: \([^)]{{0,2000}}\))?(?: <((?:{_QUOTED}|[^>"])*+)>)?'
    rf'((?:{_QUOTED}|[^":]|:(?!\s|$))*+)(?::\s(.*))?',
    re.DOTALL,
)
_DEFERRAL = re.compile(r" defer \((-?\d{1,6})\)")
#: `DS` is of the selector dnssec.
_HOST = re.compile(r" H=(\S{1,255})(?: DS)? \[([^\]\s]{1,64})\](?::(\d{1,5}))?")
_INTERFACE = re.compile(r" I=\[([^\]\s]{1,64})\]")
_TRANSPORT = re.compile(r" T=(\S{1,64})")
_SENDER = re.compile(rf" F=<((?:{_QUOTED}|[^>\"])*+)>")
_CONFIRMATION = re.compile(r' C="((?:[^"\\]|\\.)*+)"')
_QUEUED = re.compile(r" QT=(\S{1,40})")
_TOOK = re.compile(r" DT=[\d.]{1,20}[\dwdhms.]{0,40}(?=$|:|\s)")
_SPANS = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([wdhms])")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
#: Before the reply of a server; older releases name its host there too.
_ASKED = re.compile(
    r"(?:(?:SMTP|LMTP) error )?(?:from remote (?:mail server|mailer) )?"
    r"after (?:pipelined )?[^:]{1,80}(?::<[^>]{0,400}>[^:]{0,200})?: "
    r"(?:host \S{1,255} \[[^\]]{1,64}\]: )?(?=[245]\d\d[ -])"
)
_GAVE_UP = re.compile(r"retry timeout exceeded|failing for a long time|after a long failure period|message timed out")
_NOT_TRIED = re.compile(
    r"retry time not reached|(?:SMTP|remote|local) deliver(?:y|ies) (?:explicitly queued|suppressed)"
    r"|connection limit reached for all hosts|domain is held|Spool file"
)
#: `ERRNO_RETRY_BASE` and below: put off without an attempt.
_RETRY_BASE = -51
_PASSED_AS = re.compile(rf"\bid=({MESSAGE_ID})\b")


#: What an ACL logs: `logwrite = X-Customer: $h_X-Customer:`, or with `warn log_message` behind who sends.
_HEADER_NAME = re.compile(r"([A-Za-z]\w{0,40}(?:-\w{1,40}){1,10}):", re.ASCII)
_WARNED = re.compile(r"(?:\S{1,300} ){0,12}?Warning: ([A-Za-z]\w{0,40}(?:-\w{1,40}){1,10}): (.{1,998})", re.ASCII)


class Arrival(NamedTuple):
    """A message came in (`<=`). `sender` is empty for notifications and the like, `about` is the message that one is
    about; `ip` is that of the client, `user` a local one, `login` who logged in, each maybe empty."""

    sender: str
    about: str
    ip: str
    user: str
    protocol: str
    login: str
    message_id: str


class Attempt(NamedTuple):
    """What became of a recipient. `original` is the address before aliases, where it is another; `text` the error, or
    what the host confirmed; `queued_s` how long it was in the queue, None where that is not logged."""

    address: str
    original: str
    sender: str | None
    transport: str
    relay: Relay
    interface: str
    text: str
    queued_s: float | None
    tried: bool

    @property
    def gave_up(self) -> bool:
        """Whether it was given up after retries: Exim has several wordings for it."""
        return _GAVE_UP.search(self.text) is not None

    @property
    def cancelled(self) -> bool:
        """Whether an administrator removed the message."""
        return self.text.startswith("delivery cancelled by administrator")


def read_arrival(said: str) -> Arrival | None:
    """What is behind `<= `; None where it is no arrival."""
    found = _ARRIVED.match(said)
    if found is None:
        # At least the sender: whoever is behind it is not believed.
        begin = re.match(rf"(?:<>|{_ADDRESS})(?= |$)", said)
        return Arrival(begin[1] or "", "", "", "", "", "", "") if begin else None
    sender, about, ip, user, protocol, _, _, login = found.groups()
    if login and ":" in login and "@" in login.partition(":")[2]:
        login = login.partition(":")[0]  # Selector smtp_mailauth: AUTH= of the client behind it.
    if ip and user:
        login = ""  # An ident (RFC 1413) is the client's own text and may hold what looks like other fields.
    named = _ID.search(said, found.end())
    return Arrival(
        sender or "", about or "", ip or "", user or "", protocol or "", login or "", named[1] if named else ""
    )


def read_attempt(said: str, *, deferred: bool = False) -> Attempt | None:
    """What is behind `=> `, `** ` or (`deferred`) `== `; None where no recipient is named."""
    found = _RECIPIENT.match(said)
    if found is None:
        return None
    address, original, fields, error = found[1], found[2] or "", found[3][:_MOST_FIELDS], found[4] or ""
    tried = True
    if deferred:
        put_off = _DEFERRAL.search(fields)
        if put_off is None:
            return None
        tried = int(put_off[1]) > _RETRY_BASE
        # Behind the number are the system's error, the host, and what that said.
        host = _HOST.search(error)
        if host is not None:
            fields, error = fields + host[0], error[: host.start()] + error[host.end() :]
    error = _TOOK.sub("", error)
    error = re.sub(_INTERFACE, "", error, count=1).strip(" :") if deferred else error.strip()
    host, interface, transport = _HOST.search(fields), _INTERFACE.search(fields), _TRANSPORT.search(fields)
    sender, queued, confirmed = _SENDER.search(fields), _QUEUED.search(fields), _CONFIRMATION.search(fields)
    text = error or (re.sub(r"\\(.)", r"\1", confirmed[1].replace("\\n", " ")) if confirmed else "")
    return Attempt(
        address,
        original,
        sender[1] if sender else None,
        transport[1] if transport else "",
        Relay(host[1], host[2], host[3] or "") if host else Relay(),
        interface[1] if interface else "",
        _ASKED.sub("", text.replace("\\n", " "), count=1),
        _seconds(queued[1]) if queued else None,
        tried and _NOT_TRIED.match(error) is None,
    )


def passed_as(text: str) -> str:
    """The message id that an Exim says it gave; empty where it says none."""
    found = _PASSED_AS.search(text)
    return found[1] if found else ""


def _seconds(text: str) -> float | None:
    parts = _SPANS.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def read_header(flag: str, said: str) -> tuple[str, str] | None:
    """Name (lower case) and value of a header field that an ACL logged of a message; None for another line."""
    if found := _HEADER_NAME.fullmatch(flag):
        return (found[1].lower(), said.strip()[:998]) if said.strip() else None
    if flag.startswith(("H=", "U=", "Warning:")) and (warned := _WARNED.match(f"{flag} {said}")):
        return warned[1].lower(), warned[2].strip()
    return None
