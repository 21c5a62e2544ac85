"""What is answered where nothing else is: health, and what is wrong with a request."""

from typing import Literal

from pydantic import BaseModel


class FailingPart(BaseModel):
    """A part that fails: what is seen of it, and what operators can do."""

    part: str
    what: str
    mend: str


class HealthAnswer(BaseModel):
    """Whether everything works that is needed here."""

    status: Literal["ok", "unwell"]
    stage: str
    failing: list[FailingPart]


class ParameterProblem(BaseModel):
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ParameterProblem] | None = None
