"""What operators look after: dead letters, blocklists, keys and the audit, in answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.http.scopes import Scope
from api.routes.models.pages import USUAL, CursorText, Limit, Page, PageQuery, Since, Until


class ReasonsQuery(BaseModel):
    """Which dead letters, of which reasons are counted. A parameter that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = USUAL
    topic: Annotated[str | None, Field(max_length=249, description="Only those of this topic.")] = None
    reason: Annotated[
        str | None,
        Field(max_length=1_000, description="Only those with this text in the reason, numbers as they are or N."),
    ] = None
    start: Since = None


class LettersQuery(ReasonsQuery):
    """A page of them."""

    cursor: CursorText = None


class Letter(BaseModel):
    """What could not be read."""

    id: str = Field(description="Its id: topic, topic's id, partition and offset.")
    short: str = Field(description="A short id made from it.")
    topic: str = Field(description="The topic that it came by.")
    time: datetime = Field(description="When it was refused.")
    reason: str = Field(description="Why.")
    bytes: int = Field(description="How large it is.")
    replayed: datetime | None = Field(description="When it was sent again last; null where it never was.")
    replayed_by: str | None = Field(description="Who did.")


class Letters(Page):
    """Dead letters, the latest first."""

    letters: list[Letter] = Field(description="Without their content.")


class LetterReplay(BaseModel):
    """One time that a letter was sent again."""

    time: datetime = Field(description="When.")
    by: str = Field(description="Who did.")
    mended: bool = Field(description="Whether it was changed before.")
    forced: bool = Field(description="Whether it had been sent again before.")


class WholeLetter(Letter):
    """A dead letter with what is in it."""

    payload: str | None = Field(description="Its text; null where it is not UTF-8.")
    payload_base64: str | None = Field(description="Its bytes in Base64, where it is not UTF-8.")
    replays: list[LetterReplay] = Field(description="When it was sent again, the first time first.")


class LetterReason(BaseModel):
    """How many letters have one reason."""

    topic: str = Field(description="The topic.")
    reason: str = Field(description="The reason, with N for each number.")
    letters: int = Field(description="How many.")
    replayed: int = Field(description="How many of them were sent again.")
    last: datetime = Field(description="When the last was refused.")
    example: str = Field(description="The short id of the last one.")


class LetterReasons(BaseModel):
    """Why letters were refused, most frequent first."""

    reasons: list[LetterReason] = Field(description="By topic and reason.")


class Zone(BaseModel):
    """A blocklist."""

    zone: str = Field(description="Its DNS zone.")
    holds: list[str] = Field(description="What can be looked up there.")
    weight: str = Field(description="What a listing there means for delivery.")
    asked: bool = Field(description="Whether it is asked; one that needs a key is not without.")
    key: str | None = Field(description="The name of the key that it takes, in `blocklists.keys`.")
    policy: str = Field(description="Who may ask, and how much.")
    delisting: str | None = Field(description="The page on which to look a listing up and ask for its removal.")


class Zones(BaseModel):
    """Blocklists, as the table has them."""

    zones: list[Zone] = Field(description="All that are asked or could be.")


class Key(BaseModel):
    """A key of this interface. The key itself is nowhere."""

    id: str = Field(description="Its id, by which it is rotated or revoked.")
    customer: str | None = Field(description="Whose it is; null for an operator's.")
    label: str = Field(description="What it is for.")
    scopes: list[Scope] = Field(description="What it may do.")
    created: datetime = Field(description="When it was made.")
    expires: datetime | None = Field(description="Until when it is good; null for ever.")
    revoked: bool = Field(description="Whether it is refused.")
    last_used: datetime | None = Field(description="When it was used last, to the minute; null where it never was.")


class Keys(Page):
    """Keys, by id."""

    keys: list[Key] = Field(description="Revoked ones too.")


class AuditQuery(PageQuery):
    """What of the audit."""

    start: Since = None
    end: Until = None
    verdicts: Annotated[bool, Field(description="Also include changes of alerts, as the monitor's verdicts.")] = False
    reads: Annotated[bool, Field(description="Also include what operators read over this interface.")] = False


class AuditEntry(BaseModel):
    """One thing that is on record."""

    time: datetime = Field(description="When.")
    who: str = Field(description="Who; empty of the monitor's verdicts.")
    action: str = Field(description="What was done.")
    customer: str = Field(description="Whom it concerns; empty where that is nobody, or several.")
    subject: str = Field(description="What it was done to: an id, a version, a route.")
    why: str = Field(description="Why.")
    detail: dict[str, Any] = Field(description="What else is known, by name.")


class Audit(Page):
    """What is on record, the latest first."""

    entries: list[AuditEntry] = Field(description="Each with who and why.")
