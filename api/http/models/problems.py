"""What is answered where nothing else is: health, and what is wrong with a request."""

from typing import Literal

from pydantic import BaseModel, Field


class FailingPart(BaseModel):
    """A part that fails: what is seen of it, and what operators can do."""

    part: str = Field(description="The part, such as `store`.")
    what: str = Field(description="What is seen of it.")
    mend: str = Field(description="What operators can do.")


class HealthAnswer(BaseModel):
    """Whether everything works that is needed here."""

    status: Literal["ok", "unwell"] = Field(description="Whether all is well.")
    stage: str = Field(description="Who answers.")
    failing: list[FailingPart] = Field(description="What fails; empty where all is well.")


class ParameterProblem(BaseModel):
    """What is wrong with one parameter."""

    parameter: str = Field(description="The parameter, or the field of the body.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(
        default="about:blank", description="Always `about:blank`: the status says what kind of problem it is."
    )
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What is wrong, and how to mend it.")
    errors: list[ParameterProblem] | None = Field(
        default=None, description="Which parameters are wrong; left out where none is."
    )
