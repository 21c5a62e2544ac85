"""Failures and complaints in answers, recipient by recipient."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.routes.models.pages import Page, PageQuery, Since, Until


class OutcomesQuery(PageQuery):
    """Which outcomes."""

    stream: Annotated[str | None, Field(max_length=256, description="Only of this stream.")] = None
    campaign: Annotated[str | None, Field(max_length=998, description="Only of this campaign.")] = None
    provider: Annotated[str | None, Field(max_length=64, description="Only of this mailbox provider.")] = None
    start: Since = None
    end: Until = None


class FailuresQuery(OutcomesQuery):
    """Which failures."""

    kind: Annotated[
        Literal["hard", "block", "soft", "expired", "all"],
        Field(
            description="`hard`: nobody can be reached there, for suppression lists; `block`: refused for reputation, "
            "policy or content; `soft`: other bounces; `expired`: given up after many tries."
        ),
    ] = "hard"
    bounce_class: Annotated[
        str | None, Field(max_length=64, description="Only of this class, such as `invalid_recipient`.")
    ] = None


class ComplaintsQuery(OutcomesQuery):
    """Which complaints."""

    unsubscribed: Annotated[
        bool, Field(description="Also include those who unsubscribed: they are to be left in peace as well.")
    ] = False


class Outcome(BaseModel):
    """What became of one message for one recipient. Empty text means that it is not known."""

    time: datetime = Field(description="When it was reported.")
    sent: datetime | None = Field(description="When the message was sent, as far as that is known.")
    stream: str = Field(description="The stream of the mail.")
    message_id: str = Field(
        description="The message, by the id that its mail server gave it; it leads to the recipient."
    )
    recipient_hash: str = Field(
        description="The recipient, as a keyed hash that is the same in every answer: addresses are not stored."
    )
    recipient_domain: str = Field(description="The domain of the recipient's address.")
    provider: str = Field(description="Whose mailbox it is.")
    sending_ip: str = Field(description="The address that it was sent from.")
    from_domain: str = Field(description="The domain in the From header.")
    campaign: str = Field(description="The campaign that the message was part of.")


class Failure(Outcome):
    """A message that did not reach its recipient."""

    kind: Literal["hard", "block", "soft", "expired"] = Field(description="How it failed, as in the parameter `kind`.")
    bounce_class: str = Field(description="Why: `invalid_recipient`, `mailbox_full`, and so on.")
    smtp_code: int = Field(description="The reply code of the receiving host (RFC 5321); 0 where there was none.")
    enhanced_status: str = Field(description="Its enhanced status code (RFC 3463).")
    diagnostic: str = Field(description="What the receiving host said.")
    asynchronous: bool = Field(description="Whether it came after the message had been reported delivered.")


class Failures(Page):
    """Failures, the latest first."""

    failures: list[Failure] = Field(description="One for each message and recipient.")


class Complaint(Outcome):
    """A recipient who complained, or unsubscribed."""

    type: Literal["complained", "unsubscribed"] = Field(description="What the recipient did.")
    feedback_type: str = Field(description="The kind of report (RFC 5965); empty where none is named.")


class Complaints(Page):
    """Complaints, the latest first."""

    complaints: list[Complaint] = Field(description="One for each message and recipient.")
