"""What of the settings is secret: said once, by the type of a field, and kept out of whatever shows settings.

`Secret` is hidden as a whole. Of an `Address` user, password and query are hidden. `ClientOptions` go to a client under
its own names, so there nothing is shown but what is known to be harmless: a list of what is secret would miss the next.
"""

import re
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec import inspect as types

HIDDEN = "***"
_SECRET, _ADDRESS, _OPTIONS = "secret", "address", "options"

Secret = Annotated[str, Meta(extra={_SECRET: True})]
Address = Annotated[str, Meta(extra={_ADDRESS: True})]
ClientOptions = Annotated[dict[str, str], Meta(extra={_OPTIONS: True})]

#: Options of librdkafka without a secret in them, besides those that end in a unit.
HARMLESS_OPTIONS = frozenset(
    {
        "acks",
        "allow.auto.create.topics",
        "auto.offset.reset",
        "bootstrap.servers",
        "broker.address.family",
        "broker.address.ttl",
        "check.crcs",
        "client.id",
        "client.rack",
        "compression.codec",
        "compression.level",
        "compression.type",
        "debug",
        "enable.auto.commit",
        "enable.idempotence",
        "enable.ssl.certificate.verification",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.remote.assignor",
        "https.ca.location",
        "isolation.level",
        "log_level",
        "max.in.flight.requests.per.connection",
        "metadata.broker.list",
        "partition.assignment.strategy",
        "partitioner",
        "retries",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.username",
        "security.protocol",
        "socket.keepalive.enable",
        "socket.nagle.disable",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.cipher.suites",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
    }
)
HARMLESS_ENDINGS = (".ms", ".bytes", ".kbytes", ".messages")
#: Options that are an address.
ADDRESS_OPTIONS = frozenset({"sasl.oauthbearer.token.endpoint.url"})


class Section(msgspec.Struct, frozen=True):
    """A part of the settings: it never shows a secret of its own."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each field, for `rich` and for `repr`."""
        return [
            (name, value if isinstance(value := getattr(self, name), Section) else _shown(value, info))
            for name, info in _fields(type(self))
        ]


def shown(section: Section) -> dict[str, Any]:
    """A section as plain data, with `***` for each secret that is set."""
    config = section.__struct_config__
    which = {} if config.tag is None else {str(config.tag_field): config.tag}
    return which | {name: _shown(getattr(section, name), info) for name, info in _fields(type(section))}


def without_user(address: str) -> str:
    """An address with `***` for the user and password in it, and for its query, where tokens are.

    A password with a `/` or `?` cannot be told from a path or query with an `@`: then all is hidden but the scheme.
    """
    found = re.fullmatch(r"([^:/@?#]*://|)([^/?#]*)([^?#]*)(.*)", address, re.DOTALL)
    if found is None:
        return HIDDEN
    scheme, server, path, query = found.groups()
    if "@" in path or "@" in query:
        return scheme + HIDDEN
    if "@" in server:
        server = f"{HIDDEN}@{server.rpartition('@')[2]}"
    return f"{scheme}{server}{path}{f'?{HIDDEN}' if query else ''}"


@cache
def _fields(section: type[Section]) -> list[tuple[str, Any]]:
    """Each field with what its type says of it."""
    return [(each.name, types.type_info(each.type)) for each in msgspec.structs.fields(section)]


def _shown(value: Any, info: Any) -> Any:
    if isinstance(value, Section):
        return shown(value)
    if isinstance(value, dict) and isinstance(info, types.DictType):
        return {key: _shown(each, info.value_type) for key, each in value.items()}
    if isinstance(value, tuple) and isinstance(info, types.VarTupleType):
        return [shown(each) if isinstance(each, Section) else _shown(each, info.item_type) for each in value]
    extra = (info.extra or {}) if isinstance(info, types.Metadata) else {}
    if _OPTIONS in extra:
        return {name: _option(name, each) for name, each in value.items()}
    if _SECRET in extra:
        return HIDDEN if value else value
    return without_user(value) if _ADDRESS in extra else msgspec.to_builtins(value)


def _option(name: str, value: str) -> str:
    if name in ADDRESS_OPTIONS:
        return without_user(value)
    return value if name in HARMLESS_OPTIONS or name.endswith(HARMLESS_ENDINGS) else HIDDEN
