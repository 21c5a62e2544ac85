"""What mail to customers says besides what happened, and where its templates are."""

from typing import Annotated

from msgspec import Meta

from schemas.secrets import Section

#: 0 says nothing. Longer than a year is a mistake.
HoursToAct = Annotated[float, Meta(ge=0, le=8_760, extra={"unit": "h"})]


class ActWithin(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Within which time a customer is asked to act, by kind of mail; 0 names no time."""

    watch: HoursToAct = 0.0
    """Mail for information."""
    warning: HoursToAct = 0.0
    """Warnings."""
    excessive: HoursToAct = 0.0
    """Mail about what is excessive."""
    critical: HoursToAct = 0.0
    """Mail about what is critical."""


class MailSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Mail to customers about their alerts and suspensions (docs/mail.md)."""

    language: str = "en"
    """The language of mail to customers of whom none is known (`repmon customers`)."""
    folder: str = ""
    """A folder of your own templates (`letter.txt`, `letter.html`) and languages (`en.toml`, `fr.toml`); for what is
    not there the built-in ones are taken."""
    signature: str = ""
    """Who writes, under the mail, such as `Example Mail, deliverability team`."""
    contact: str = ""
    """Whom to ask: an address or a page. Empty says to ask your support."""
    act_within_h: ActWithin = ActWithin()
    """Within which time a customer is asked to act, by kind of mail."""
