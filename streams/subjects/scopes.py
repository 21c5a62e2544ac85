"""Which subjects of its customer a piece of mail belongs to: all mail, its stream, its class, its sub-account."""

from collections.abc import Collection, Mapping

from schemas.scope import CLASS, CLASS_PREFIX, CUSTOMER, STREAM_PREFIX, SUB_ACCOUNT, SUB_ACCOUNT_PREFIX

#: The scopes of a row that has `stream` and `class`, by kind. A sub-account without a name is nobody's scope.
_OF_KIND: Mapping[str, str] = {
    CUSTOMER: f"'{CUSTOMER}'",
    STREAM_PREFIX.removesuffix(":"): f"concat('{STREAM_PREFIX}', stream)",
    CLASS: f"concat('{CLASS_PREFIX}', toString(class))",
    SUB_ACCOUNT: f"concat('{SUB_ACCOUNT_PREFIX}', extract(stream, '^([^/]+)/'))",
}
#: What of a customer's own may be judged.
KINDS: Collection[str] = tuple(_OF_KIND)


def scopes_sql(kinds: Collection[str] = KINDS) -> str:
    """The scopes of these kinds of a row, as an array."""
    return f"[{', '.join(sql for kind, sql in _OF_KIND.items() if kind in kinds)}]"


#: All of them.
SCOPES = scopes_sql()


def sub_account(stream: str) -> str:
    """The sub-account that a stream belongs to: of `eu/news` it is `eu`; empty where it belongs to none."""
    account, slash, _ = stream.partition("/")
    return account if slash else ""


def scopes_of(stream: str) -> tuple[str, ...]:
    """The scopes of a stream's mail, whatever its class."""
    account = sub_account(stream)
    own = (CUSTOMER, STREAM_PREFIX + stream)
    return (*own, SUB_ACCOUNT_PREFIX + account) if account else own
