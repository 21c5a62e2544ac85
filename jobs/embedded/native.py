"""Blocks in ClickHouse's Native format as drivers expect them that name a revision of the protocol.

A server puts a header before each block once a client says `client_protocol_version`, and from revision 54454 on a
byte after the type of each column (ClickHouse, `NativeWriter.cpp`). The library writes neither, so both are put in
here; what a column holds is passed over, not read. clickhouse-go 2.51, and with it Grafana's plugin, asks for this.
"""

from collections.abc import Iterator
from itertools import accumulate

#: From this revision on a byte says whether a column is written in a way of its own.
CUSTOM_SERIALIZATION = 54_454
#: Not overflowing, of no bucket: the header of an ordinary block.
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"

_WIDTHS = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
_NESTED = frozenset({"Nullable", "Array", "Map", "Tuple", "SimpleAggregateFunction"})
#: The digits up to which a Decimal has so many bytes.
_DECIMALS = ((9, 4), (18, 8), (38, 16), (76, 32))


def framed(data: bytes, revision: int) -> bytes:
    """`data`, blocks as the library writes them, as a client of this `revision` reads them.

    Raises:
        ValueError: a column has a type that is not known here; the message names it.
    """
    return b"".join(_blocks(memoryview(data), revision))


def _blocks(data: memoryview, revision: int) -> Iterator[bytes | memoryview]:
    mark = b"\0" if revision >= CUSTOM_SERIALIZATION else b""
    at = 0
    while at < len(data):
        begin = at
        columns, at = _varint(data, at)
        rows, at = _varint(data, at)
        yield BLOCK_INFO
        yield data[begin:at]
        for _ in range(columns):
            begin = at
            at = _after_text(data, at)
            size, text = _varint(data, at)
            at = text + size
            yield data[begin:at]
            yield mark
            kind = bytes(data[text:at]).decode()
            # Before the data of a column stands the version of each dictionary in it, 8 bytes.
            versions = 8 * kind.count("LowCardinality(")
            end = _after(data, at + versions, kind, rows) if rows else at
            yield data[at:end]
            at = end


def _after(data: memoryview, at: int, kind: str, rows: int) -> int:
    """Where a column of so many rows ends."""
    name, _, rest = kind.partition("(")
    inner = _parts(rest[:-1]) if rest else []
    if name == "String":
        for _ in range(rows):
            at = _after_text(data, at)
        return at
    if name == "LowCardinality":
        return _after_dictionary(data, at, inner[0])
    if name in _NESTED:
        if name == "Nullable":
            at += rows
        elif name in ("Array", "Map"):  # where each row's part ends, as 8 bytes; the last is how many there are
            at += 8 * rows
            rows = int.from_bytes(data[at - 8 : at], "little")
        for each in inner[-1:] if name == "SimpleAggregateFunction" else inner:
            at = _after(data, at, each, rows) if rows else at
        return at
    return at + rows * _width(name, inner, kind)


def _after_dictionary(data: memoryview, at: int, kind: str) -> int:
    """Values, each once, and for each row the number of its value (`SerializationLowCardinality.cpp`)."""
    width = 1 << data[at]  # of the numbers; the other bits say what is true of all that is written here
    keys = int.from_bytes(data[at + 8 : at + 16], "little")
    at = _after(data, at + 16, kind.removeprefix("Nullable(").removesuffix(")") if "Nullable(" in kind else kind, keys)
    return at + 8 + width * int.from_bytes(data[at : at + 8], "little")


def _width(name: str, inner: list[str], kind: str) -> int:
    """How many bytes a value takes."""
    if name == "FixedString":
        return int(inner[0])
    if name == "Decimal":
        return next(width for digits, width in _DECIMALS if int(inner[0]) <= digits)
    if name not in _WIDTHS:
        raise ValueError(f"type {kind}: cannot be given to this driver; cast it in the query")
    return _WIDTHS[name]


def _parts(text: str) -> list[str]:
    """What stands between commas of the outermost level; of named elements the type."""
    quoted, depths = False, []
    for each in text:
        quoted ^= each == "'"
        depths.append(0 if quoted else (each == "(") - (each == ")"))
    cuts = [place for place, depth in enumerate(accumulate(depths)) if depth == 0 and text[place] == ","]
    parts = [text[begin:end].strip() for begin, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, None], strict=True)]
    return [_type_of(part) for part in parts]


def _type_of(element: str) -> str:
    """The type of an element of a Tuple, which may have its name before it."""
    name, _, kind = element.partition(" ")
    return kind if kind and "(" not in name and "'" not in name else element


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte (LEB128), and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _after_text(data: memoryview, at: int) -> int:
    size, at = _varint(data, at)
    return at + size
