"""Policies in answers, and bodies of requests about them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.routes.models.decisions import Body, Reason
from api.routes.models.pages import Page
from schemas.levels import Level

#: Characters of a policy in a body; a body may have a few more bytes (`api.http.frame`).
MOST_CHARACTERS = 100_000
Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, description="The policy: a TOML file, whole.")]


class PolicyBody(Body):
    """A policy."""

    text: Text


class TryBody(PolicyBody):
    """A policy, and over what it is tried."""

    days: Annotated[int, Field(ge=1, le=90, description="Over so many days until now.")] = 7
    level: Annotated[Level, Field(description="Flagged is who stands at this level or worse.")] = "watch"


class ApplyBody(Reason):
    """A policy, and why."""

    text: Text


class Mistake(BaseModel):
    """A mistake in a policy."""

    line: int = Field(description="The line, from 1.")
    said: str = Field(description="What is wrong, with rule and field.")


class CheckedPolicy(BaseModel):
    """What a policy comes to."""

    usable: bool = Field(description="Whether it can be used.")
    version: str | None = Field(description="Its name and the hash of what it says; null with mistakes.")
    mistakes: list[Mistake] = Field(description="Every mistake, by line; none where it can be used.")
    differences: list[str] = Field(description="What it would change, line by line, against the one in force.")


class PolicyInForce(BaseModel):
    """The policy that customers are judged by now."""

    version: str = Field(description="Its name and the hash of what it says.")
    source: str = Field(description="Where it is from: applied, a file that the settings name, or built in.")
    applied: datetime | None = Field(description="When it was applied; null where it was not.")
    applied_by: str | None = Field(description="Who applied it.")
    why: str | None = Field(description="Why.")
    described: list[str] = Field(description="Its rules in words, line by line.")
    text: str | None = Field(description="The TOML file as it was applied; null where it was not.")


class AppliedPolicy(BaseModel):
    """A policy that was applied."""

    version: str = Field(description="Its name and the hash of what it says.")
    applied: datetime = Field(description="When.")
    applied_by: str = Field(description="Who applied it.")
    why: str = Field(description="Why.")


class AppliedPolicies(Page):
    """Policies that were applied, the latest first."""

    policies: list[AppliedPolicy] = Field(description="Each with who and why.")


class Application(BaseModel):
    """What came of applying a policy."""

    version: str = Field(description="The policy that is in force now.")
    before: str = Field(description="The one before; empty where none was applied.")
    changed: bool = Field(description="Whether anything was changed: the very text may have been in force already.")
    published: bool = Field(description="Whether it was sent to `reputation.policy`; if not, apply it again.")
    notes: list[str] = Field(description="What to know about it, such as a file in the settings that takes precedence.")


class TriedSpan(BaseModel):
    """Since when, and how long, a policy would have flagged somebody."""

    rule: str = Field(description="The rule of the policy.")
    level: Level = Field(description="The worst level.")
    start: datetime = Field(alias="from", description="From when on.")
    end: datetime | None = Field(alias="to", description="Until when; null where it lasted.")


class TriedSide(BaseModel):
    """What one of the two policies would have done."""

    policy_version: str = Field(description="The policy.")
    flagged: int = Field(description="How many customers and parts of their mail were flagged at some time.")
    flagged_at_end: int = Field(description="How many were at the end.")


class Treated(BaseModel):
    """A customer whom the two policies treat differently."""

    customer: str = Field(description="The customer; empty for small ones together.")
    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")
    tried: list[TriedSpan] = Field(description="When the tried policy would have flagged it.")
    in_force: list[TriedSpan] = Field(description="When the one in force would have.")


class Trial(BaseModel):
    """Both policies over the same hours, and whom they treat differently."""

    start: datetime = Field(alias="from", description="The first full hour.")
    end: datetime = Field(alias="to", description="The last one.")
    level: Level = Field(description="Flagged is who stands at this level or worse.")
    customers: int = Field(description="How many customers had mail.")
    tried: TriedSide = Field(description="The policy that is tried.")
    in_force: TriedSide = Field(description="The policy in force.")
    differences: list[Treated] = Field(description="Whom they treat differently, at most 1,000.")
    more: int = Field(description="How many more there are.")
    not_replayed: list[str] = Field(description="What of the past is not known, in words.")
