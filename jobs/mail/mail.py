"""Mail to a customer, made of what is known: subject, text, HTML, and the whole message."""

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import NamedTuple

import msgspec

from jobs.mail.examples import trials
from jobs.mail.facts import MailFacts
from jobs.mail.languages import fitting, load_languages, page_of
from jobs.mail.letter import CustomerLetter, LetterSender, letter
from jobs.mail.page_phrases import PagePhrases
from jobs.mail.phrases import Language
from jobs.mail.templates import Templates
from jobs.mail.writing import clean
from schemas.mail import MailSettings
from schemas.settings import SettingsError
from schemas.times import utc_time


class CustomerMail(NamedTuple):
    """What a customer is sent; `language` is the one it is written in, as BCP 47 writes it."""

    subject: str
    text: str
    html: str
    language: str


class MailWriter:
    """Writes mail as the settings say. Reads files when it is made and none after.

    `delisting` are the pages of blocklists, by zone. All templates and languages are tried with made-up facts at once,
    so that one that fails is known before anybody is to be told.

    Raises:
        SettingsError: a template or language cannot be used; naming file and line.
    """

    def __init__(self, settings: MailSettings, delisting: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._languages = load_languages(settings.folder)
        self._templates = Templates(settings.folder)
        self._delisting = dict(delisting or {})
        hours = msgspec.structs.asdict(settings.act_within_h)
        self._sender = LetterSender(signature=settings.signature, contact=settings.contact, act_within_h=hours)
        if settings.language not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise SettingsError(f"mail.language: there is no language {settings.language!r}; known are {known}")
        for facts in trials():
            for tag in self._languages:
                self._try(facts, tag)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that can be written."""
        return tuple(sorted(self._languages))

    def mail(self, facts: MailFacts, language: str = "") -> CustomerMail:
        """The mail about what is known, in a customer's language; where there is none such, in that of the settings.

        Raises:
            SettingsError: a template fails with these facts, though it did not with others.
        """
        written = self.letter(facts, language)
        return CustomerMail(
            subject=written.subject,
            text=self._templates.text(written),
            html=self._templates.html(written),
            language=written.language,
        )

    def _try(self, facts: MailFacts, tag: str) -> None:
        try:
            self.mail(facts, tag)
        except SettingsError as error:
            about = "no alert" if facts.alert is None else facts.alert.metric
            tried = f"a made-up mail of kind {facts.kind} about {about}, language {tag}"
            raise SettingsError(f"{error} (tried with {tried})") from error

    def letter(self, facts: MailFacts, language: str = "") -> CustomerLetter:
        """The same in words, before it is text or HTML."""
        tag, phrases = self._language(language)
        return letter(facts, tag, phrases, self._sender, lambda zone: self._delisting.get(zone, ""))

    def page(self, language: str = "") -> tuple[str, Language, PagePhrases]:
        """What a customer's own page says in a language, chosen as for mail: its tag and its phrases."""
        return page_of(self._languages, language, self._settings.language)

    def _language(self, tag: str) -> tuple[str, Language]:
        tag = fitting(tag, self._languages) or self._settings.language
        return tag, self._languages[tag]


def message(
    mail: CustomerMail, *, sender: str, recipient: str, now_ms: int, message_id: str = "", sender_name: str = ""
) -> EmailMessage:
    """The whole message (RFC 5322, multipart/alternative), as it is sent. `now_ms` (epoch ms) is its date.

    It says that no person wrote it (RFC 3834 section 5), so that no holiday notice answers it. `sender` and `recipient`
    are addresses that were checked; without them it is a draft.
    """
    found = EmailMessage(policy=SMTP)
    found["Subject"] = clean(mail.subject, 900)
    if sender:
        found["From"] = formataddr((clean(sender_name), sender)) if sender_name else sender
    if recipient:
        found["To"] = recipient
    found["Date"] = format_datetime(utc_time(now_ms))
    if message_id:
        found["Message-ID"] = message_id
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(mail.text)
    found.add_alternative(mail.html, subtype="html")
    found["Content-Language"] = mail.language  # `set_content` takes away what begins with Content-
    return found
