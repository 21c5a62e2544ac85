"""The SQL in the sources, and what is put into it otherwise than as a bound parameter."""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tests.support.root import ROOT

FOLDERS = ("api", "jobs", "streams", "dashboards")
#: What a statement begins with, in capitals as all of ours are.
_WORDS = (
    r"(?:WITH\s|SELECT\s|INSERT INTO\s|ALTER TABLE\s|DELETE FROM\s|CREATE (?:TABLE|DATABASE|VIEW|USER|MATERIALIZED)"
    r"|DROP (?:TABLE|DATABASE)|TRUNCATE\s|OPTIMIZE TABLE\s|KILL QUERY|SHOW\s|USE\s|SET\s|SYSTEM\s|BACKUP\s|RESTORE\s"
    r"|EXPLAIN\s|DESCRIBE\s|EXCHANGE\s)"
)
STATEMENT = re.compile(rf"^\s*{_WORDS}")
#: Only where there may be one is a file parsed.
MAY_STATE = re.compile(_WORDS)


MODULE = "module"


class Interpolated(NamedTuple):
    """A value that is written into a statement: where, and its source."""

    where: str
    expression: str


@cache
def statements() -> Sequence[tuple[str, ast.expr]]:
    """Every text that is a statement, with where it stands."""
    return tuple(_statements())


def _statements() -> Iterator[tuple[str, ast.expr]]:
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text(encoding="utf-8")
            if not MAY_STATE.search(source):
                continue
            for scope, node in _nodes(ast.parse(source), ""):
                text = _written(node)
                if text is not None and STATEMENT.match(text):
                    yield f"{file.relative_to(ROOT)}:{scope or MODULE}", node


def interpolated() -> Iterator[Interpolated]:
    """Every value that a function writes into a statement and that is not made of constants of the sources. What a
    module writes when it is imported is: nobody's input is there yet."""
    for where, node in statements():
        for each in () if where.endswith(f":{MODULE}") else _values(node):
            if not _is_constant(each):
                yield Interpolated(where, ast.unparse(each))


def _nodes(tree: ast.AST, scope: str) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inner = f"{scope}.{node.name}".lstrip(".") if named else scope  # type: ignore[attr-defined]
        if isinstance(node, ast.expr):
            yield scope, node
        yield from _nodes(node, inner)


def _written(node: ast.expr) -> str | None:
    """The text of a literal, an f-string, `"..." % x`, `"...".format(x)` or `"..." + x`; `{}` stands for a value."""
    match node:
        case ast.JoinedStr():
            return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
        case ast.BinOp(left=left, op=ast.Mod() | ast.Add()):
            return _written(left)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as text), attr="format")):
            return text
    return None


def _values(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.JoinedStr():
            yield from (each.value for each in node.values if isinstance(each, ast.FormattedValue))
        case ast.BinOp(left=left, right=right):
            yield from _values(left)
            if not isinstance(right, ast.Constant):
                yield right
        case ast.Call(args=args, keywords=keywords):
            yield from args
            yield from (each.value for each in keywords)


def _is_constant(node: ast.expr) -> bool:
    """Whether an expression is made of constants alone: names in capitals, of this module or another, literals, and
    variables of a comprehension over those."""
    bound = {
        name.id
        for each in ast.walk(node)
        if isinstance(each, ast.comprehension)
        for name in ast.walk(each.target)
        if isinstance(name, ast.Name)
    }
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - bound
    attributes = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    modules = {
        each.value.id for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)
    }
    plain = {"join", "items", "keys", "values", "format", "replace", "strip"}
    constants = all(
        name.upper() == name or name in {"str", "len", "sorted", "int", "map", "repr"} for name in names - modules
    )
    return constants and all(each.upper() == each or each in plain for each in attributes)
