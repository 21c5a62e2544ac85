"""What the operator says of a customer, in words that rules can go by."""

from typing import Annotated

import msgspec

from schemas.event import Name

#: A domain name of at least two labels, in lower case (RFC 1035 section 2.3.1; underscores are seen in mail).
DOMAIN = r"\A(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
Domain = Annotated[str, msgspec.Meta(pattern=DOMAIN)]
PlanName = Annotated[str, msgspec.Meta(pattern=r"\A(?:[A-Za-z0-9][A-Za-z0-9 ._-]{0,63})?\Z")]


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """One customer. `plan` is empty where it has none; `domains` are those it may send from, with all below them."""

    customer: Name
    plan: PlanName = ""
    domains: tuple[Domain, ...] = ()
