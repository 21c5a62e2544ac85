"""Which subjects of its customer a piece of mail belongs to: all mail, its stream, its class, its sub-account."""

from schemas.scope import CLASS_PREFIX, CUSTOMER, STREAM_PREFIX, SUB_ACCOUNT_PREFIX

#: The scopes of a row that has `stream` and `class`. A sub-account without a name is nobody's scope.
SCOPES = f"""[
    '{CUSTOMER}',
    concat('{STREAM_PREFIX}', stream),
    concat('{CLASS_PREFIX}', toString(class)),
    concat('{SUB_ACCOUNT_PREFIX}', extract(stream, '^([^/]+)/'))
]"""


def sub_account(stream: str) -> str:
    """The sub-account that a stream belongs to: of `eu/news` it is `eu`; empty where it belongs to none."""
    account, slash, _ = stream.partition("/")
    return account if slash else ""


def scopes_of(stream: str) -> tuple[str, ...]:
    """The scopes of a stream's mail, whatever its class."""
    account = sub_account(stream)
    own = (CUSTOMER, STREAM_PREFIX + stream)
    return (*own, SUB_ACCOUNT_PREFIX + account) if account else own
