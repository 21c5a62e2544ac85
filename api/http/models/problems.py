"""What is answered where nothing else is: health, and what is wrong with a request."""

from typing import Literal

from pydantic import BaseModel


class StoreHealth(BaseModel):
    """The store answers."""

    status: Literal["ok"]


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
