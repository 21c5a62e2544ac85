"""The read-only user of the embedded store: SELECT of the tables that dashboards show, and nothing else.

The library has one user, who may do everything. So what this one asks is parsed by the engine first, as one statement
that can stand as a subquery (which only a SELECT can), its tables and functions are looked at, and it then runs in the
engine's read-only mode with limits that it cannot change (`readonly = 1`; ClickHouse documentation, "Permissions for
Queries"). The mode alone is not enough: in it one may still read files with the function `file`, write them with
INTO OUTFILE, and end others' queries (chDB 4.4).
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import InvalidInputError

READER = "grafana"
#: What dashboards show. Keys, secrets' hashes, notifications and dead letters are not among them.
TABLES = frozenset(
    {
        "alert_states",
        "alerts",
        "audit",
        "blocklist_looks",
        "blocklist_trust",
        "counts",
        "events",
        "fleet_incidents",
        "holds",
        "listing_causes",
        "listing_events",
        "policies",
        "policy_levels",
        "scores",
        "standings",
        "suspensions",
    }
)
#: What drivers and the editor of queries ask about the server; of tables it names, not what is in them.
SYSTEM = frozenset({f"system.{name}" for name in ("one", "numbers", "databases", "tables", "columns", "functions")})
#: Tables that are made of their arguments alone.
MADE = frozenset({"numbers", "zeros", "values", "SQLStandardValues", "generateSeries", "generate_series"})
#: Functions that reach beyond the tables of a query, or only keep it busy.
REFUSED = re.compile(
    r"(?<![\w.])[`\"]?(file|catboostEvaluate|reverseDNSQuery|sleep\w*|generateSerialID|dict(?:Get|Has|IsIn)\w*"
    r"|joinGet\w*|ai[A-Z]\w*|AI[A-Z]\w*|getMacro|getServerSetting|getClientHTTPHeader)\b"
)
LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.S)
FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*$", re.I)
IDENTIFIER = re.compile(r"\{\s*\w+\s*:\s*Identifier\s*\}")
IN = re.compile(r"(?:global)?(?:not)?(?:Null)?in(?:IgnoreSet)?", re.I)
NODE = re.compile(r"^( *)(\w+)(?: (.*?))?(?: \(alias .*?\))?(?: \(children \d+\))?$")

ONE_STATEMENT = "SELECT formatQuerySingleLine({}) FORMAT RawBLOB"
TREE = "EXPLAIN AST SELECT * FROM ({})"
#: Of some names, those of tables there are.
REAL = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ({})"
#: How many of its statements run at once; others wait their turn.
AT_ONCE = 3


class RefusedStatementError(InvalidInputError):
    """Not what this user may ask; the message is the engine's in form: code, then the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Code: 497. DB::Exception: {READER}: {reason}. (ACCESS_DENIED)")


@dataclass(frozen=True)
class ReaderAccess:
    """What the read-only user gives as its password, and how much one of its statements may take: `seconds`, `rows` of
    the answer, `bytes` of memory."""

    password: str
    seconds: int = 30
    rows: int = 100_000
    bytes: int = 1_000_000_000
    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around each of its statements."""
        with self._turns:
            yield

    def limits(self, asked: Mapping[str, str]) -> str:
        """The statement that bounds what follows on this handle. Of the settings that a client sends only a shorter
        time counts."""
        wanted = asked.get("max_execution_time", "")
        seconds = min(self.seconds, int(wanted) or self.seconds) if wanted.isdigit() else self.seconds
        return (
            f"SET max_execution_time = {seconds}, timeout_overflow_mode = 'throw', max_result_rows = {self.rows}, "
            f"result_overflow_mode = 'throw', max_memory_usage = {self.bytes}, readonly = 1"
        )


def checked(handle: Any, statement: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """The statement as it is to run, without its FORMAT, and that FORMAT ("" where it has none). `handle` is chDB's,
    with the database chosen.

    Raises:
        RefusedStatementError: the read-only user may not ask it.
        RuntimeError: the engine does not understand it.
    """
    text = _answer(handle, ONE_STATEMENT.format(_quoted(statement)))
    form = FORMAT.search(text)
    text = text[: form.start()] if form else text
    bare = LITERAL.sub("''", text)
    if IDENTIFIER.search(bare):
        raise RefusedStatementError("names may not be given as parameters")
    if refused := REFUSED.search(bare):
        raise RefusedStatementError(f"the function {refused[1]} may not be used")
    try:
        tree = _answer(handle, TREE.format(text), parameters)
    except RuntimeError as error:
        if "SYNTAX_ERROR" in str(error):
            raise RefusedStatementError("only SELECT is allowed") from error
        raise
    _check(handle, tree)
    return text, form[1] if form else ""


def _check(handle: Any, tree: str) -> None:
    """Look at the tables of a parsed statement."""
    unknown: set[str] = set()
    nodes = [(len(found[1]), found[2], found[3] or "") for line in tree.splitlines() if (found := NODE.match(line))]
    for place, (depth, kind, name) in enumerate(nodes):
        if kind == "TableIdentifier":
            unknown |= {name} - SYSTEM - TABLES
        elif kind == "TableExpression" and nodes[place + 1][1] == "Function" and nodes[place + 1][2] not in MADE:
            raise RefusedStatementError(f"the table function {nodes[place + 1][2]} may not be used")
        elif kind == "Function" and IN.fullmatch(name):
            _check_set(nodes, place, depth)
    if not unknown:
        return
    database = _answer(handle, "SELECT currentDatabase()").strip()
    short = {name.removeprefix(f"{database}.") for name in unknown} - TABLES
    if foreign := sorted(name for name in short if "." in name):
        raise RefusedStatementError(f"no right to read {foreign[0]}")
    # What is left is named in the statement itself (WITH name AS), or is a table, or is nothing.
    real = _answer(handle, REAL.format(", ".join(map(_quoted, sorted(short))))).splitlines()
    if real:
        raise RefusedStatementError(f"no right to read {real[0]}")


def _check_set(nodes: list[tuple[int, str, str]], place: int, depth: int) -> None:
    """`x IN name` may read a table of that name."""
    arguments = []
    for below, kind, name in nodes[place + 1 :]:
        if below <= depth:
            break
        if below == depth + 2:
            arguments.append((kind, name))
    if len(arguments) > 1 and arguments[1][0] in ("Identifier", "TableIdentifier"):
        raise RefusedStatementError(f"write IN (SELECT ... FROM {arguments[1][1]}), not IN {arguments[1][1]}")  # noqa: S608


def _answer(handle: Any, statement: str, parameters: Mapping[str, str] | None = None) -> str:
    return (handle.query(statement, "TSVRaw", params=parameters or {}).bytes() or b"").decode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
