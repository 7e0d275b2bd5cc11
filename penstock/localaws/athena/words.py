"""DuckDB's errors in Athena's words: the same code and sentence a caller would look for on AWS."""

import re
from collections.abc import Callable

from sqlglot import exp

from penstock.localaws.athena import query
from penstock.localaws.athena.errors import position

Saying = Callable[[str, exp.Expr, "re.Match[str]"], str]

_TYPES = {"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INTEGER", "INT64": "BIGINT"}


def _column(sql: str, tree: exp.Expr, found: "re.Match[str]") -> str:
    name = found[1].rpartition(".")[2].strip('"')
    at = query.column_position(sql, tree, name)
    return (
        f"COLUMN_NOT_FOUND: {at}: Column '{name}' cannot be resolved or requester is not authorized to access "
        "requested resources"
    )


def _function(sql: str, _: exp.Expr, found: "re.Match[str]") -> str:
    at = position(sql, max(0, sql.lower().find(found[1].lower())))
    return f"FUNCTION_NOT_FOUND: {at}: Function '{found[1]}' not registered"


def _ambiguous(sql: str, tree: exp.Expr, found: "re.Match[str]") -> str:
    return f"AMBIGUOUS_NAME: {query.column_position(sql, tree, found[1])}: Column '{found[1]}' is ambiguous"


_SAYINGS: tuple[tuple[str, Saying], ...] = (
    (r'Referenced column "([^"]+)" (?:not found|was not found)', _column),
    (r'Table "[^"]+" does not have a column named "([^"]+)"', _column),
    (r'Values list "[^"]+" does not have a column named "([^"]+)"', _column),
    (r'Ambiguous reference to column name "([^"]+)"', _ambiguous),
    (r"Function with name (\w+) does not exist", _function),
    (
        r"Could not convert string '(.*?)' to (\w+)",
        lambda _, __, found: (
            f"INVALID_CAST_ARGUMENT: Cannot cast '{found[1]}' to {_TYPES.get(found[2], found[2])}"
        ),
    ),
    (
        r'column "([^"]+)" must appear in the GROUP BY clause',
        lambda sql, tree, found: (
            f"EXPRESSION_NOT_AGGREGATE: {query.column_position(sql, tree, found[1])}: "
            f"'{found[1]}' must be an aggregate expression or appear in GROUP BY clause"
        ),
    ),
    (r"INTERRUPT", lambda *_: "Query was cancelled by user"),
    (
        r"No function matches the given name and argument types '?([^'.\n]+)",
        lambda _, __, found: f"TYPE_MISMATCH: no such function: {found[1]}",
    ),
    (
        r"Could not choose a best candidate function for the function call \"?([^\n]+?)\"?\. In",
        lambda _, __, found: f"TYPE_MISMATCH: Cannot apply {found[1]}",
    ),
    (
        r"Out of Memory Error",
        lambda *_: "EXCEEDED_LOCAL_MEMORY_LIMIT: the query needs more memory than it may have",
    ),
)


def reason(sql: str, tree: exp.Expr, said: str) -> str:
    """The StateChangeReason for an error of DuckDB's; one nobody foresaw keeps its first line."""
    for pattern, saying in _SAYINGS:
        found = re.search(pattern, said)
        if found:
            return saying(sql, tree, found)
    first = said.partition("\n")[0]
    return f"GENERIC_USER_ERROR: {re.sub(r'^[A-Z][A-Za-z ]*Error: ', '', first)}"
