"""What a key may do. Pure."""

from collections.abc import Iterable
from typing import Literal, get_args

from schemas.errors import InvalidInputError

#: `read`: what the interface answers. `act`: decide about a customer (acknowledge, override, suspend, release).
#: `policy`: check, try and apply policies. `keys`: make, rotate and revoke keys. None implies another.
Scope = Literal["read", "act", "policy", "keys"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: All that a customer's key can have: what is decided is the operators'.
OF_CUSTOMERS: frozenset[Scope] = frozenset({"read"})


class ScopeError(InvalidInputError):
    """Scopes that a key cannot have; the message says which and why."""


def checked(scopes: Iterable[str], *, operator: bool) -> tuple[Scope, ...]:
    """The scopes in their usual order, each once.

    Raises:
        ScopeError: none, one that there is not, or one that a customer's key cannot have.
    """
    asked = set(scopes)
    if unknown := asked.difference(SCOPES):
        raise ScopeError(f"no such scope: {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    found = tuple(each for each in SCOPES if each in asked)
    if not found:
        raise ScopeError(f"a key has at least one scope of {', '.join(SCOPES)}")
    if not operator and (more := [each for each in found if each not in OF_CUSTOMERS]):
        raise ScopeError(f"a customer's key can only read, not {', '.join(more)}: that is the operators'")
    return found
