"""One answer as JSON, CSV or Arrow, as the request accepts.

JSON is the whole answer; the other two are its rows alone, with nested fields as columns of their own (`window_rate`),
and `Link` leads to the next page (RFC 8288). Text in CSV that a spreadsheet would take for a formula begins with an
apostrophe (OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin
from urllib.parse import urlencode

import msgspec
from fastapi import Request, Response
from pydantic import BaseModel

from api.http.accepting import JSON, wanted

CSV, ARROW = "text/csv", "application/vnd.apache.arrow.stream"
#: The first one where all are as good.
KINDS = (JSON, CSV, ARROW)
#: No part of the answer may be kept by caches, nor be given to another key or as another type.
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept, Authorization, X-API-Key"}
#: The last four are the wide forms of the first four.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

#: For `responses` of a route that answers with rows.
TABLES: dict[int | str, dict[str, Any]] = {
    200: {"content": {CSV: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string", "format": "binary"}}}},
}


class TableColumn(NamedTuple):
    """A column: its name, the fields that lead to it, and the type of its values (text where they are lists)."""

    name: str
    path: tuple[str, ...]
    kind: type


def answer(request: Request, found: BaseModel, rows: str) -> Response:
    """The answer; `rows` is the field that has its rows.

    Raises:
        ApiError: 406, see `api.http.accepting.wanted`.
    """
    kind = wanted(request.headers.get("accept"), KINDS)
    headers = dict(HEADERS)
    if following := getattr(found, "next", None):
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        headers["Link"] = f'<{request.url.path}?{urlencode([*others, ("cursor", following)])}>; rel="next"'
    if kind == JSON:
        return Response(found.model_dump_json(by_alias=True), headers=headers, media_type=JSON)
    (item,) = get_args(type(found).model_fields[rows].annotation)
    return table(kind, item, getattr(found, rows), headers)


def table(
    kind: str, item: type[BaseModel], rows: Sequence[BaseModel], headers: Mapping[str, str] = HEADERS
) -> Response:
    """Rows as CSV or Arrow."""
    columns = list(columns_of(item))
    values = [[_value(each, column.path) for column in columns] for each in rows]
    if kind == CSV:
        return Response(_csv(columns, values), headers=dict(headers), media_type=f"{CSV}; header=present")
    return Response(_arrow(columns, values), headers=dict(headers), media_type=ARROW)


def columns_of(model: type[BaseModel], path: tuple[str, ...] = (), prefix: str = "") -> Iterator[TableColumn]:
    """The columns of a model's rows, whatever is in them. Pure."""
    for name, field in model.model_fields.items():
        shown = prefix + (field.alias or name)
        kind = _plain(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from columns_of(kind, (*path, name), f"{shown}_")
        else:
            yield TableColumn(shown, (*path, name), kind)


def _plain(annotation: Any) -> type:
    """The type of what is not null; of lists and unions of several it is text."""
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        others = [each for each in get_args(annotation) if each is not NoneType]
        return _plain(others[0]) if len(others) == 1 else str
    if isinstance(annotation, type) and issubclass(annotation, bool | int | float | datetime | date | BaseModel):
        return annotation
    return str


def _value(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if row is None:
            return None
        row = getattr(row, name)
    if isinstance(row, list | tuple):
        plain = [each.model_dump(mode="json", by_alias=True) if isinstance(each, BaseModel) else each for each in row]
        return msgspec.json.encode(plain).decode()
    return row


def _csv(columns: Sequence[TableColumn], rows: Iterable[Sequence[Any]]) -> bytes:
    written = io.StringIO(newline="")
    into = csv.writer(written)
    into.writerow([each.name for each in columns])
    into.writerows([_cell(each) for each in row] for row in rows)
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _arrow(columns: Sequence[TableColumn], rows: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow as pa  # takes a quarter of a second, and JSON has no use for it

    kinds = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("us", "UTC"),
        date: pa.date32(),
        str: pa.string(),
    }
    schema = pa.schema([(each.name, kinds[each.kind]) for each in columns])
    arrays = [pa.array([row[place] for row in rows], kinds[each.kind]) for place, each in enumerate(columns)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(pa.table(arrays, schema=schema))
    return bytes(sink.getvalue().to_pybytes())
