"""Records whose fields are of other types than documented, made into those where that loses nothing. Pure.

Vendors and what stands between them and us write null or `[]` where an object is empty (PHP knows no difference), a
number for a text, a text for a number, one thing for a list of one. Only where a record cannot be read as it is comes
it here: what is still of another type then and must be there is an error, as before.
"""

import re
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

T = TypeVar("T")

#: What stands for a field that is not there, so that its default counts.
_LEFT_OUT = object()
#: Names of fields with an address in them, which no number is.
_ADDRESS = re.compile(r"mail(?!ing|_?id)|recipient|rcpt|address|^(?:to|from|sender)$", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


def convert(record: object, shape: type[T]) -> T:
    """As `msgspec.convert`, of a record that need not keep to its types.

    Raises:
        msgspec.ValidationError: it cannot be read; it says what is wrong with the record as it came.
        RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.convert(record, shape)
    except msgspec.ValidationError as error:
        try:
            return msgspec.convert(_fitted(record, _info(cast(Hashable, shape))), shape, strict=False)
        except msgspec.ValidationError:
            raise error from None


@lru_cache(maxsize=256)
def _info(shape: Hashable) -> inspect.Type:
    return inspect.type_info(shape)


def _fitted(value: object, wanted: inspect.Type) -> object:
    """The value as it is wanted, or `_LEFT_OUT`."""
    if isinstance(wanted, inspect.UnionType):
        return value if value is None else _fitted_to_any(value, wanted.types)
    if value is None:
        return _LEFT_OUT
    fit = _FITS.get(type(wanted))
    return fit(value, wanted) if fit is not None else value


def _fitted_to_any(value: object, types: tuple[inspect.Type, ...]) -> object:
    """A value that is of one of the types stays; else it is made the first that it can be, or null."""
    of_it = [each for each in types if isinstance(value, _PYTHON.get(type(each), object))]
    found = (_fitted(value, each) for each in (of_it or types) if not isinstance(each, inspect.NoneType))
    return next((each for each in found if each is not _LEFT_OUT), None)


def _object(value: object, wanted: inspect.StructType) -> object:
    value = _alone(value)
    if not isinstance(value, dict):
        return _unless_empty(value)
    found = dict(value)
    for each in wanted.fields:
        if each.encode_name in found and not (
            _ADDRESS.search(each.encode_name) and _is_number(value[each.encode_name])
        ):
            fitted = _fitted(found[each.encode_name], each.type)
            if fitted is not _LEFT_OUT:
                found[each.encode_name] = fitted
            elif not each.required:
                del found[each.encode_name]
    return found


def _alone(value: object) -> object:
    """What is in a list of one, and in one in that."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _list(value: object, wanted: inspect.ListType) -> object:
    items = value if isinstance(value, list) else [value] if value != "" else []
    return [found for each in items if (found := _fitted(each, wanted.item_type)) is not _LEFT_OUT]


def _text(value: object, _: inspect.Type) -> object:
    """A text; a number as it is written, a list of texts as one."""
    if isinstance(value, list):
        return " ".join(each for each in value if isinstance(each, str)) or _LEFT_OUT
    return str(value) if isinstance(value, str) or _is_number(value) else _LEFT_OUT


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _truth(value: object, _: inspect.Type) -> object:
    word = str(value).strip().lower()
    return word in _TRUE if word in _TRUE | _FALSE else _LEFT_OUT


def _number(value: object, _: inspect.Type) -> object:
    return value if isinstance(value, int | float | str) else _LEFT_OUT


def _fields(value: object, _: inspect.Type) -> object:
    value = _alone(value)
    return value if isinstance(value, dict) else _unless_empty(value)


def _unless_empty(value: object) -> object:
    """What stands where an object should: empty, it stands for none; else it stays and is an error."""
    return value if value or value == 0 else _LEFT_OUT


_FITS: dict[type[inspect.Type], Callable[[object, Any], object]] = {
    inspect.StructType: _object,
    inspect.ListType: _list,
    inspect.StrType: _text,
    inspect.BoolType: _truth,
    inspect.IntType: _number,
    inspect.FloatType: _number,
    inspect.DictType: _fields,
}
_PYTHON: dict[type[inspect.Type], type | tuple[type, ...]] = {
    inspect.StructType: dict,
    inspect.ListType: list,
    inspect.StrType: str,
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.FloatType: (int, float),
    inspect.DictType: dict,
    inspect.NoneType: type(None),
}
