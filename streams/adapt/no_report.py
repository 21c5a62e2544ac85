"""Mails at an address for reports that are none: what programs send there besides (RFC 3834).

Answers and receipts, aggregate reports, mails about enrolments: they say nothing of a recipient's fate, and nobody need
mend them. They give no event and no dead letter.
"""

import re

from streams.adapt.mail_report import addresses
from streams.adapt.mime import MimePart, words

#: What answers and notifications by programs carry (RFC 3834 section 5), and what programs wrote before that.
_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-mail-autoreply")
_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})
#: How answers of people who are away, or left, begin.
_AWAY = re.compile(
    r"\s*(?:(?:re|aw|antw|sv)\s*:\s*)*(?:auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office"
    r"|abwesenheits(?:notiz|meldung)|automatische antwort|r[ée]ponse automatique|absence du bureau"
    r"|respuesta autom[áa]tica|risposta automatica|resposta autom[áa]tica|автоматический ответ|автоответ"
    r"|自動返信|自动回复)",
    re.IGNORECASE,
)
#: Notifications to a sender that something was read (RFC 8098), and reports on TLS (RFC 8460).
_OTHER_REPORTS = ("disposition-notification", "tlsrpt")
#: The subject of aggregate reports of DMARC and TLS (RFC 7489 section 7.2.1.1, RFC 8460 section 5.3).
_AGGREGATE = re.compile(r"\s*report domain:", re.IGNORECASE)
#: Subjects of mails by which an address is enrolled: with a feedback loop, one must prove that it is one's own.
_ENROLMENT = re.compile(
    r"\b(?:verif(?:y|ication|ied|ier)|confirm(?:ation|ed|er|ez)?|activat(?:e|ion)|authori[sz](?:e|ation)"
    r"|subscri(?:be|ption)|unsubscribe|welcome|enrol(?:l?ment|led)?|registration|approv(?:e|al|ed)"
    r"|access code|security code|best[äa]tig\w*)\b"
    r"|подтвержд|подтверди",
    re.IGNORECASE,
)


def is_no_report(mail: MimePart) -> bool:
    """Whether a mail that has no report in it is an automatic answer or about an enrolment.

    Automatic notifications that are neither (`Auto-Submitted: auto-generated`) may be reports that cannot be read.
    """
    headers = mail.headers
    submitted = headers.get("auto-submitted").lower().partition(";")[0].strip()
    if submitted in ("auto-replied", "auto-notified") or any(headers.get(name) for name in _MARKS):
        return True
    if headers.get("precedence").strip().lower() in _PRECEDENCE:
        return True
    if any(kind in headers.get("content-type").lower() for kind in _OTHER_REPORTS):
        return True
    subject = words(headers.get("subject"))
    return bool(
        _AWAY.match(subject) or _AGGREGATE.match(subject) or (_ENROLMENT.search(subject) and not _is_bounce(mail))
    )


def _is_bounce(mail: MimePart) -> bool:
    local = next(iter(addresses(mail.headers, "from")), "").partition("@")[0].lower()
    return local in ("mailer-daemon", "postmaster") or mail.headers.get("return-path") == "<>"
