"""Values reach the store as bound parameters: no function writes into a statement what it was given.

Statements are read out of the sources. What is filled into constants by `format` is the sources' own (streams/windows/
pool_queries.py and others); that no name changes what a command asks is shown by test_hostile_names.py.
"""

import ast

from tests.support import sql_texts

#: Functions that do, and why nobody's input is in it.
ALLOWED = {
    "jobs/data/erasure_plan.py:change_sql": "tables and conditions are those of the plan; whose they are is bound",
    "jobs/data/erasure_plan.py:count_sql": "the same",
    "jobs/data/erasure_plan.py:project_sql": "the same",
    "jobs/data/erasure_plan.py:purge_sql": "the same",
    "jobs/embedded/reader.py:ReaderAccess.limits": "numbers",
    "jobs/embedded/store_server.py:_insert": "what its own client sends, who may do everything; names are checked",
    "jobs/embedded/store_server.py:_run": "the same",
    "streams/intake/remembered.py:_remembered": "columns and table of our own, by the kind that is asked for",
    "streams/intake/remembered.py:_reaches_room": "columns and table of our own, by the kind asked for",
}


def test_every_statement_is_made_of_constants() -> None:
    assert {each.where for each in sql_texts.interpolated()} <= ALLOWED.keys()


def test_what_is_allowed_is_there() -> None:
    assert {where.split(":")[0] for where in ALLOWED} <= {where.split(":")[0] for where, _ in sql_texts.statements()}


def test_statements_are_found() -> None:
    assert len(list(sql_texts.statements())) > 50


def test_value_in_a_statement_is_noticed_in_each_form() -> None:
    def found(source: str) -> list[str]:
        node = ast.parse(source, mode="eval").body
        return [ast.unparse(each) for each in sql_texts._values(node) if not sql_texts._is_constant(each)]

    assert found('f"SELECT 1 FROM counts WHERE customer = {customer!r}"') == ["customer"]
    assert found('"SELECT 1 FROM {}".format(table)') == ["table"]
    assert found("\"SELECT 1 WHERE a = '%s'\" % name") == ["name"]
    assert found('"SELECT 1 WHERE a = " + name') == ["name"]
    assert found('f"SELECT {COLUMNS} FROM counts WHERE {counts.FINISHED}"') == []
    assert found("f\"SELECT {', '.join(f'sum({n})' for n in MEASURES)}\"") == []
