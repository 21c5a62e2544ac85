"""Whose mail is judged: the words that scopes are, or begin with."""

from collections.abc import Mapping
from typing import Literal

#: All of a customer's mail.
CUSTOMER = "customer"
#: The scope of one stream of a customer, where it has several: `stream:NAME`.
STREAM_PREFIX = "stream:"
#: The scope of a customer's bulk or transactional mail, where it sends both: `class:bulk`.
CLASS = "class"
CLASS_PREFIX = f"{CLASS}:"
#: The scope of a customer's sub-account: of its streams whose names begin with `NAME/`.
SUB_ACCOUNT = "sub_account"
SUB_ACCOUNT_PREFIX = f"{SUB_ACCOUNT}:"

POOL = "pool"
FROM = "from"
PLAN = "plan"
#: What small customers may share, in words: `pool:NAME` is the scope of those together who use an IP pool and are too
#: small to be judged, and so on. No customer is meant by it.
SHARED: Mapping[str, str] = {POOL: "pool", FROM: "From domain", PLAN: "plan"}


#: What a policy may judge.
Scope = Literal["customer", "stream", "class", "sub_account", "pool", "from", "plan"]


def shared_by(scope: str) -> tuple[str, str] | None:
    """What the small customers of a scope share, and its name; None where the scope is a customer's own."""
    kind, _, name = scope.partition(":")
    return (kind, name) if kind in SHARED and name else None
