"""docs/settings.md, from the types of schemas/settings.py: what each field is for stands below it in the source."""

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types

from schemas.settings import Settings
from schemas.settings_file import ENV_PREFIX

HEAD = """# Settings

Every setting, from the code that reads them (`make docs`). Settings come from `repmon.toml` in the working folder, or
from the file named with `--config`, and then from the environment: a variable replaces one field of a section, lists
and tables in it are written as JSON. With `_FILE` at its end a variable names a file that holds the value, as
container platforms hand over secrets: `REPMON_CLICKHOUSE__PASSWORD_FILE=/run/secrets/clickhouse`. `repmon config show`
prints what is in force and where each value comes from, with secrets hidden.

```toml
# repmon.toml
[kafka]
bootstrap = "broker-1:9092,broker-2:9092"

[ingest.mapping.sendgrid]
customer = "unique_args.customer"
```

Units: s, ms, min, h and d are times, MB is 1,000,000 bytes, a ratio of 0.2 is 20 %. A setting that does not say since
when it is there came with 0.1.0.
"""

#: A bound that only keeps the infinite out.
NO_BOUND = 1e9
FILE = re.compile(r"\bdocs/([a-z-]+\.md)|\bschemas/[a-z_]+\.(?:toml|md)")


#: In which version each setting came, by version.
SINCE = Path(__file__).parents[1] / "since.toml"
FIRST = "0.1.0"


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a section. `variable` is empty where only its table as a whole can be set from the environment."""

    name: str
    kind: str
    unit: str
    default: str
    variable: str
    meaning: str


def page() -> str:
    """The page, Markdown."""
    versions = since()
    return HEAD + "".join(_section(path, kind, versions) for path, kind in sections())


def sections() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every table of the settings by its path in the file, those within others after them; in a path FORMAT and NAME
    stand for any."""
    for each in msgspec.structs.fields(Settings):
        yield from _with_inner(each.name, each.type)


def settings_of(path: str, section: type[msgspec.Struct]) -> list[Setting]:
    """The settings of one table."""
    said = meanings(section)
    found = []
    for each in msgspec.structs.fields(section):
        kind, unit = _kind(types.type_info(each.type))
        variable = f"{ENV_PREFIX}{path}__{each.name}".upper() if "." not in path else ""
        found.append(Setting(each.name, kind, unit, _default(each), variable, said.get(each.name, "")))
    return found


def meanings(section: type[msgspec.Struct]) -> dict[str, str]:
    """What stands below each field in the source, by the field's name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            found[field.target.id] = " ".join(str(text).split())
    return found


def _with_inner(path: str, section: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    yield path, section
    for each in msgspec.structs.fields(section):
        info = types.type_info(each.type)
        if isinstance(info, types.StructType):
            yield from _with_inner(f"{path}.{each.name}", info.cls)
        if isinstance(info, types.VarTupleType) and isinstance(info.item_type, types.StructType):
            yield from _with_inner(f"{path}.{each.name}", info.item_type.cls)
        if isinstance(info, types.UnionType):
            for kind in info.types:
                if isinstance(kind, types.StructType):
                    kinds = f", {kind.tag}" if kind.tag is not None else ""
                    yield f"{path}.{each.name}{kinds}", kind.cls
        if isinstance(info, types.DictType) and isinstance(info.value_type, types.StructType):
            key = "FORMAT" if each.name == "mapping" else "NAME"
            yield from _with_inner(f"{path}.{each.name}.{key}", info.value_type.cls)


def since() -> dict[str, str]:
    """The version in which each setting came, by its path and name."""
    listed = tomllib.loads(SINCE.read_text(encoding="utf-8"))["settings"]
    return {name: str(version) for version, names in listed.items() for name in names}


def _section(path: str, section: type[msgspec.Struct], versions: Mapping[str, str]) -> str:
    lead = " ".join((section.__doc__ or "").split())

    def said(each: Setting) -> str:
        version = versions.get(f"{path}.{each.name}", FIRST)
        return _linked(each.meaning) + (f" Since {version}." if version != FIRST else "")

    rows = [
        "| "
        + " | ".join((f"`{each.name}`", each.kind, each.unit, each.default, said(each), _code(each.variable)))
        + " |"
        for each in settings_of(path, section)
    ]
    head = "| setting | type | unit | default | meaning | variable |\n|---|---|---|---|---|---|\n"
    return f"\n## `[{path}]`\n\n{_linked(lead)}\n\n{head}" + "\n".join(rows) + "\n"


def _kind(info: Any) -> tuple[str, str]:
    """The type in words, with its bounds, and the unit."""
    unit = ""
    if isinstance(info, types.Metadata):
        unit = str((info.extra or {}).get("unit", ""))
        info = info.type
    if isinstance(info, types.UnionType):
        some = [_kind(each) for each in info.types if not isinstance(each, types.NoneType)]
        return " or ".join(kind for kind, _ in some).replace(" or one of ", " or "), unit or some[0][1]
    return _words(info), unit


def _words(info: Any) -> str:
    words = "text"
    match info:
        case types.IntType():
            words = "whole number" + _bounds(info)
        case types.FloatType():
            words = "number" + _bounds(info)
        case types.BoolType():
            words = "true or false"
        case types.LiteralType():
            words = "one of " + ", ".join(f"`{each}`" for each in info.values)
        case types.ListType():
            words = f"list of {_kind(info.item_type)[0]}"
        case types.VarTupleType():
            words = f"list of {_kind(info.item_type)[0]}"
        case types.DictType():
            words = f"table of {_kind(info.value_type)[0]}".replace("table of table", "table of tables")
        case types.StructType():
            words = "table"
    return words


def _bounds(info: Any) -> str:
    low = (
        f"at least {_number(info.ge)}"
        if info.ge is not None
        else f"above {_number(info.gt)}"
        if info.gt is not None
        else ""
    )
    high = f"at most {_number(info.le)}" if info.le is not None and info.le < NO_BOUND else ""
    both = " and ".join(each for each in (low, high) if each)
    return f", {both}" if both else ""


def _default(field: Any) -> str:
    if field.required:
        return "must be given"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None or value == "" or value in ({}, []):
        return "empty"
    if isinstance(value, msgspec.Struct):
        return "as below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value:_}`" if value >= 10_000 else f"`{_number(value)}`"
    return f"`{msgspec.json.encode(value).decode()}`"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def _linked(text: str) -> str:
    """With files of the project as links from docs/."""
    return FILE.sub(lambda found: f"[{found[0]}]({found[1] or '../' + found[0]})", text)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
