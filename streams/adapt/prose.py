"""Bounce mails without a report that a program could read: whom they name as not reached, and why (`prose_phrases`).

Recipients are taken from four places, and only these, so that nobody is invented:

- `X-Failed-Recipients`, a header of Exim (https://www.exim.org/exim-html-current/doc/html/spec_html/) and Google;
- fields of RFC 3464 in a text, where a host took the parts apart or spoilt their boundary;
- lines that begin with an address, as QSBMF has them (https://cr.yp.to/proto/qsbmf.txt), and words like `Unable to
  deliver message to:`;
- where the text names none, the one address for which a host had taken the returned mail in (`for` in `Received`), or
  the one in `To`, if it is at the domain that the text speaks of.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.adapt.base import AdaptError
from streams.adapt.mail_report import addresses
from streams.adapt.mime import MAX_VALUE, Headers, MimePart, groups, words
from streams.adapt.notice_text import ADDRESS, REPLY, NoticeText
from streams.adapt.prose_phrases import (
    ANSWERS,
    ASKS,
    DELAYED,
    DELIVERED,
    GAVE_UP,
    LEADS,
    OPENINGS,
    PEOPLE,
    QUESTIONS,
    ROLES,
    SUBJECTS,
    SYSTEMS,
    TO_OPERATORS,
)

MAX_NAMED = 1_000
#: So many are believed to be all, where the text is longer than what is looked through.
MAX_NAMED_OF_CUT = 100
#: What is looked at of the text for the words that say what a mail is.
MAX_OPENING = 4_000

#: What each group of fields about a recipient has once (RFC 3464 section 2.3).
ONCE = frozenset({"final-recipient", "original-recipient", "action", "status"})
_FIRST_FIELD = re.compile(r"^(?:Reporting-MTA|Original-Recipient|Final-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_BEGIN = re.compile(rf"^[\s<\"'*>:.|\[-]{{0,40}}({ADDRESS.pattern})")
#: What may follow such an address: the end of the line, a mark, or a reply.
_FOLLOWS = re.compile(
    r"[>\"'\]]{0,2}\s*(?:$|:|- |\.\.\.|<|\[|\(|,|;|on (?:\w{3},|\d)|(?:Invalid Address|Error),|\W{0,3}[45]\d\d\b)"
)
#: `Iris <iris@shop.example>: 550 5.1.1 User unknown`.
_WITH_NAME = re.compile(rf"^[\s*-]{{0,20}}[^<>@:]{{1,80}}\s<({ADDRESS.pattern})>\s{{0,5}}[:-]?\s{{0,5}}\(?[45]\d\d\b")
_LEAD = re.compile(
    rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(LEADS, key=len, reverse=True)))})(?![\w.+-])"
    rf"(?:\(e?s\))?(?: is| are| was)?,?[ \t]*[:=\uff1a-]{{0,2}}[ \t]*[<\"'(\[\uff08]{{0,2}}(?:SMTP:)?"
    rf"({ADDRESS.pattern})",
    re.IGNORECASE,
)
#: `550 5.1.1 <iris@shop.example>... User unknown`: a transcript of sendmail.
_TRANSCRIPT = re.compile(rf"^(?:<<< )?[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}} )?<({ADDRESS.pattern})>\.\.\.")
_TO = re.compile(rf"^\s{{0,8}}To:\s{{0,8}}<?({ADDRESS.pattern})>?\s*$", re.IGNORECASE)
_FOR = re.compile(rf"\bfor <?({ADDRESS.pattern})>?")
_ANSWERING = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-auto-response", "x-mail-autoreply")


@dataclass(frozen=True, slots=True)
class Prose:
    """Groups of fields as RFC 3464 has them, and the header fields of the returned mail as far as the text has them."""

    groups: list[Headers]
    returned: Headers


def is_notice(mail: MimePart, text: NoticeText) -> bool:
    """Whether a mail says of itself that it tells of others that were not delivered."""
    local = _from(mail)
    if local in SYSTEMS - PEOPLE or mail.headers.get("x-failed-recipients"):
        return True
    if words(mail.headers.get("subject")).lower().startswith(SUBJECTS):
        return True
    opening = " ".join(" ".join(text.lines)[:MAX_OPENING].lower().split())
    return any(phrase in opening for phrase in OPENINGS) and (local in SYSTEMS or not _person(mail))


def is_answer(mail: MimePart, text: NoticeText) -> bool:
    """Whether a machine answers a mail, or asks about it: vacation notices, receipts, verification (RFC 3834); or tells
    the operator of something else."""
    headers = mail.headers
    subject = words(headers.get("subject")).lower()
    if subject.startswith(TO_OPERATORS):
        return True
    if subject.startswith(SUBJECTS) or headers.get("x-failed-recipients"):
        return False
    if any(headers.get(name) for name in _ANSWERING) or "auto" in headers.get("precedence").lower():
        return True
    if "vacation" in headers.get("auto-submitted").lower() or subject.startswith(ANSWERS):
        return True
    said = " ".join(" ".join(text.lines).lower().split())
    return any(phrase in said for phrase in QUESTIONS) and not REPLY.search(said)


def prose(
    mail: MimePart, parts: Sequence[MimePart], text: NoticeText, original: Headers, *, notice: bool
) -> Prose | None:
    """What a bounce mail without a report tells; None where it names nobody. No groups: it tells a success. `original`
    are the header fields of the returned mail. A mail that does not say that it is a `notice` is only looked through
    where a mail system quotes a reply in it.

    Raises:
        AdaptError: over a bound.
    """
    failed = addresses(mail.headers, "x-failed-recipients")
    if any(len(value) > MAX_VALUE for value in mail.headers.all("x-failed-recipients")):
        raise AdaptError(f"field `X-Failed-Recipients` has more than {MAX_VALUE:,} characters")
    said = " ".join(" ".join(text.lines).lower().split())
    if not failed and not notice and not (_from(mail) in SYSTEMS and REPLY.search(said)):
        return None
    if not failed and (found := _fields(mail, parts)) is not None:
        return found
    subject = words(mail.headers.get("subject")).lower()
    if not failed and any(phrase in said for phrase in DELIVERED) and not REPLY.search(said):
        return Prose([], original)
    named = failed or named_in(mail, text) or _of_returned(mail, text, original, notice=notice)
    if not named:
        return None
    late = any(phrase in said for phrase in DELAYED) or "delay)" in subject or "delayed" in subject
    action = "delayed" if late else "failed"
    gave_up = not late and not REPLY.search(said) and any(phrase in said for phrase in GAVE_UP)
    everybody = frozenset(each.lower() for each in named)
    made = []
    for each in named:
        # What is said of one recipient alone is no word on the others.
        of_all = gave_up and (len(named) == 1 or not text.of({each.lower()}, everybody, guess=False))
        made.append(Headers({"final-recipient": [f"rfc822;{each}"], "action": ["expired" if of_all else action]}))
    return Prose(made, original)


def _from(mail: MimePart) -> str:
    """The local part of the sender, in lower case; of a null one that of mail systems."""
    value = mail.headers.get("from")
    local, _, _ = next(iter(addresses(mail.headers, "from")), "").partition("@")
    if not local and ("<>" in value or value.strip('" <>').lower().startswith("mailer-daemon")):
        return "mailer-daemon"
    return (local or value.strip().lower()).lower()


def _person(mail: MimePart) -> bool:
    """Whether a mail has an envelope sender: notifications have none (RFC 3461 section 6.1)."""
    path = mail.headers.get("return-path").strip()
    return bool(path) and path != "<>"


def _fields(mail: MimePart, parts: Sequence[MimePart]) -> Prose | None:
    """The fields of RFC 3464 in a text part, or anywhere in a mail whose parts cannot be told apart."""
    if _from(mail) not in SYSTEMS:
        return None
    texts: list[Callable[[], str]] = [part.text for part in parts if part.content_type.startswith("text/")]
    for text in [*texts, mail.text]:
        whole = text()
        found = _FIRST_FIELD.search(whole)
        if found is None:
            continue
        read = groups(whole[found.start() :].encode(), ONCE)
        if any(each.get("final-recipient") or each.get("original-recipient") for each in read):
            original = next((each for each in read if each.get("message-id") or each.get("received")), Headers())
            return Prose(read, original)
    return None


def named_in(mail: MimePart, text: NoticeText) -> list[str]:
    """The recipients that the text names as not reached."""
    return _named(text, _senders(mail))


def _senders(mail: MimePart) -> set[str]:
    """Who is not named as a recipient in passing: who got the notification, and who wrote it."""
    return {
        each.lower() for name in ("to", "from", "envelope-to", "reply-to") for each in addresses(mail.headers, name)
    }


def _named(text: NoticeText, senders: set[str]) -> list[str]:
    """The recipients that the text names, in its order, each once.

    Raises:
        AdaptError: there are more than are read.
    """
    found: dict[str, str] = {}
    led: dict[str, str] = {}
    quoted: dict[str, str] = {}
    for number, line in enumerate(text.lines):
        if "@" not in line:
            continue
        begin = _BEGIN.match(line)
        if begin and _FOLLOWS.match(line, begin.end()) and not _is_asked(text.lines, number, begin[1]):
            found.setdefault(begin[1].lower(), begin[1])
        elif with_name := _WITH_NAME.match(line):
            found.setdefault(with_name[1].lower(), with_name[1])
        for lead in (*_LEAD.finditer(" ".join(line.replace("\u2019", "'").split())), *_TRANSCRIPT.finditer(line)):
            if lead[1].lower() not in senders:
                passing = lead.re is _LEAD and REPLY.search(line)
                (quoted if passing else led).setdefault(lead[1].lower(), lead[1])
    # The list of those who failed; what else the text says of others is in passing, and replies say it last.
    named = list((found or led or quoted).values())
    if len(named) > (MAX_NAMED_OF_CUT if text.cut else MAX_NAMED):
        raise AdaptError(f"the text names more recipients than are read of one mail ({len(named):,})")
    return named


def _is_asked(lines: Sequence[str], number: int, address: str) -> bool:
    """Whether an address is whom to ask: it goes on a sentence like `please contact`."""
    before = lines[number - 1].rstrip().lower() if number else ""
    last = before.rpartition(" ")[2]
    role = address.partition("@")[0].lower() in ROLES
    return last in ASKS or (role and bool(before) and not before.endswith((":", "-", "=", "*")))


def _to_in(text: NoticeText) -> list[str]:
    """The field `To` of the returned mail, where a gateway for telephones wrote it into its text."""
    found = [_TO.match(line) for line in text.lines]
    return list(dict.fromkeys(each[1] for each in found if each is not None))


def _of_returned(mail: MimePart, text: NoticeText, returned: Headers, *, notice: bool) -> list[str]:
    """The one recipient of the returned mail, where the text names none."""
    said = " ".join(text.lines).lower()
    if not notice and not REPLY.search(said):
        return []
    taken = {
        found[1].lower(): found[1] for value in returned.all("received")[:10] for found in _FOR.finditer(value[:500])
    }
    if len(taken) == 1:
        return list(taken.values())
    to = addresses(returned, "to") or _to_in(text)
    if len(to) != 1 or addresses(returned, "cc"):
        return []
    domain = to[0].rpartition("@")[2].lower()
    host = next(iter(addresses(mail.headers, "from")), "").rpartition("@")[2].lower()
    return to if domain and (domain in said or host == domain or host.endswith(f".{domain}")) else []
