"""What the operator says of a customer, in words that rules can go by."""

from typing import Annotated

import msgspec

from schemas.event import Name

#: A domain name of at least two labels, in lower case (RFC 1035 section 2.3.1; underscores are seen in mail).
DOMAIN = r"\A(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
Domain = Annotated[str, msgspec.Meta(pattern=DOMAIN)]
#: A mailbox as it stands in an envelope (RFC 5321 section 4.1.2), of plain ASCII and without quoted parts; or none.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
MAILBOX = rf"\A(?:(?=.{{3,254}}\Z)[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?:{_LABEL}\.)*{_LABEL})?\Z"
Mailbox = Annotated[str, msgspec.Meta(pattern=MAILBOX)]
#: A language as BCP 47 writes it, such as `de` or `pt-BR`; or none.
Language = Annotated[str, msgspec.Meta(pattern=r"\A(?:[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)?\Z")]
PlanName = Annotated[str, msgspec.Meta(pattern=r"\A(?:[A-Za-z0-9][A-Za-z0-9 ._-]{0,63})?\Z")]


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """One customer. `plan` is empty where it has none; `domains` are those it may send from, with all below them.
    `contact` is where mail about its alerts and suspensions goes, `language` the one it is written in; empty where
    nothing is said of it."""

    customer: Name
    plan: PlanName = ""
    domains: tuple[Domain, ...] = ()
    contact: Mailbox = ""
    language: Language = ""
