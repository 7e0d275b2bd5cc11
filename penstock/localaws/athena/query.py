"""A Trino statement as sqlglot reads it: its tables, the partitions it asks for, and the same question for DuckDB."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.localaws.athena import information
from penstock.localaws.athena.errors import Malformed, QueryFailed, position
from penstock.localaws.athena.partitions import INTEGERS, Wanted
from penstock.localaws.athena.ports import Record, World

_STARTS = (
    "'ALTER', 'CREATE', 'DESCRIBE', 'DROP', 'INSERT', 'MSCK', 'SELECT', 'SHOW', 'VALUES', 'WITH', <query>"
)
_KNOWN = frozenset({"select", "with", "values", "insert", "create", "("})


@dataclass(frozen=True)
class Source:
    """One table a statement names."""

    database: str
    table: Record
    node: exp.Table


def parse(sql: str, parameters: Sequence[str] = ()) -> exp.Expr:
    """The statement, its `?` replaced by `parameters` (SQL literals).

    Raises:
        Malformed: no statement of Trino's; Athena refuses it when it is submitted.
    """
    first = re.match(r"\s*(\w+|\S|$)", sql)
    word = first.group(1) if first else ""
    if word.lower() not in _KNOWN:
        raise Malformed(f"line 1:1: mismatched input '{word or '<EOF>'}'. Expecting: {_STARTS}")
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
        if len(trees) != 1:
            raise Malformed(f"Only one sql statement is allowed. Got: {sql}")
        tree = _bound(trees[0], parameters)
    except SqlglotError as error:
        raise Malformed(_mismatch(error)) from error
    if writes(tree) and not isinstance(tree.expression, exp.Query | exp.Values):
        raise Malformed(f"{position(sql, len(word) + 1)}: mismatched input. Expecting: a query after AS")
    if not isinstance(tree, exp.Query | exp.Values | exp.Create | exp.Insert):
        raise Malformed(f"line 1:1: mismatched input '{word}'. Expecting: {_STARTS}")
    return tree


def _mismatch(error: SqlglotError) -> str:
    told = (getattr(error, "errors", None) or [{}])[0]
    if not told.get("line"):
        return f"line 1:1: {str(error).splitlines()[0]}"
    word = str(told.get("highlight") or "").strip() or "<EOF>"
    column = max(1, int(told["col"]) - len(word) + 1)
    return f"line {told['line']}:{column}: mismatched input '{word}'"


def _bound(tree: exp.Expr, parameters: Sequence[str]) -> exp.Expr:
    marks = list(tree.find_all(exp.Placeholder))
    if len(marks) != len(parameters):
        raise Malformed(f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}")
    for mark, parameter in zip(sorted(marks, key=_start), parameters, strict=True):
        mark.replace(sqlglot.parse_one(parameter, read="athena"))
    return tree


def _start(node: exp.Expr) -> int:
    return int(node.meta.get("start", 0))


def sources(sql: str, tree: exp.Expr, world: World, database: str) -> list[Source]:
    """The tables of the catalog a query reads; each node is rewritten to `"database"."table"`.

    Raises:
        QueryFailed: a table or its database is not there.
    """
    shadowed = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found = []
    for node in list(tree.find_all(exp.Table)):
        if (not node.db and node.name.lower() in shadowed) or isinstance(node.this, exp.Func):
            continue
        where, name = (node.db or database).lower(), node.name.lower()
        if where == information.SCHEMA and information.has(name):
            node.set("catalog", None)
            node.set("db", exp.to_identifier(information.HERE))
            continue
        table = world.table(where, name)
        if table is None:
            raise QueryFailed(_missing(sql, node, world, where, name))
        node.set("catalog", None)
        node.set("db", exp.to_identifier(where, quoted=True))
        node.set("this", exp.to_identifier(name, quoted=True))
        found.append(Source(where, table, node))
    for column in tree.find_all(exp.Column):
        column.set("catalog", None)
    return found


def _missing(sql: str, node: exp.Table, world: World, database: str, name: str) -> str:
    at = position(sql, int((node.parts[0]).meta.get("start", 0)))
    if database not in world.databases():
        return f"SCHEMA_NOT_FOUND: {at}: Schema '{database}' does not exist"
    return f"TABLE_NOT_FOUND: {at}: Table '{information.CATALOG}.{database}.{name}' does not exist"


def wanted(sources: Sequence[Source], source: Source) -> Wanted:
    """The partition values that can match the query everywhere it names the table.

    Only `column = constant` and `column IN (constants)` that the WHERE beside the table requires count.
    """
    every = [_wanted(one) for one in sources if one.table is source.table]
    common = set.intersection(*(set(one) for one in every)) if every else set()
    return {name: frozenset().union(*(one[name] for one in every)) for name in common}


def _wanted(source: Source) -> dict[str, frozenset[str]]:
    select = source.node.parent_select
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    if where is None or select is None:
        return {}
    alone = len(select.args.get("joins") or []) == 0
    keys = {
        str(key["Name"]).lower(): str(key["Type"]).lower() for key in source.table.get("PartitionKeys") or []
    }
    found: dict[str, frozenset[str]] = {}
    for column, literals in _comparisons(where.this):
        name = column.name.lower()
        ours = column.table.lower() == source.node.alias_or_name.lower() if column.table else alone
        values = _values(literals, keys.get(name, ""))
        if ours and values is not None:
            found[name] = found.get(name, values) & values
    return found


def _values(literals: Sequence[exp.Literal], kind: str) -> frozenset[str] | None:
    """The texts of constants of a partition column's type; None when they are not to be compared as texts."""
    if kind == "string" and all(one.is_string for one in literals):
        return frozenset(str(one.this) for one in literals)
    if kind in INTEGERS and all(not one.is_string and one.this.isdigit() for one in literals):
        return frozenset(str(int(one.this)) for one in literals)
    return None


def _comparisons(condition: exp.Expr) -> Iterator[tuple[exp.Column, list[exp.Literal]]]:
    """The conjuncts that compare a column with constants."""
    condition = condition.unnest()  # out of its brackets
    if isinstance(condition, exp.And):
        yield from _comparisons(condition.left)
        yield from _comparisons(condition.right)
    elif isinstance(condition, exp.EQ):
        for column, value in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(column, exp.Column) and isinstance(value, exp.Literal):
                yield column, [value]
    elif isinstance(condition, exp.In) and isinstance(condition.this, exp.Column):
        values = [value for value in condition.expressions if isinstance(value, exp.Literal)]
        if values and len(values) == len(condition.expressions):
            yield condition.this, values


def writes(tree: exp.Expr) -> bool:
    """Whether the statement writes a table."""
    return isinstance(tree, exp.Create | exp.Insert)


def for_duckdb(tree: exp.Expr) -> str:
    """The query in DuckDB's words, unnamed columns named as Trino names them."""
    query = tree
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    if isinstance(query, exp.Select):
        query.set("expressions", [_named(place, item) for place, item in enumerate(query.expressions)])
    return tree.sql("duckdb", identify=True)


def _named(place: int, item: exp.Expr) -> exp.Expr:
    plain = item.alias or isinstance(item, exp.Column | exp.Star | exp.Alias | exp.Aliases)
    return item if plain else exp.alias_(item.copy(), f"_col{place}", quoted=True)


def column_position(sql: str, tree: exp.Expr, name: str) -> str:
    """Where a column is named first."""
    starts = [_start(c.parts[0]) for c in tree.find_all(exp.Column) if c.name.lower() == name.lower()]
    return position(sql, min(starts, default=0))


def target(tree: exp.Expr, database: str) -> tuple[str, str]:
    """Database and name of the table a CREATE TABLE AS or INSERT INTO writes."""
    node = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return str(node.db or database).lower(), str(node.name).lower()


def properties(create: exp.Create) -> dict[str, exp.Expr]:
    """The WITH (…) of a CREATE TABLE AS, names in lower case."""
    found: dict[str, exp.Expr] = {}
    given = create.args.get("properties")
    for one in given.expressions if given is not None else []:
        if isinstance(one, exp.FileFormatProperty):
            found["format"] = one.this
        elif isinstance(one, exp.PartitionedByProperty):
            found["partitioned_by"] = one.this
        elif isinstance(one, exp.LocationProperty):
            found["external_location"] = one.this
        else:
            found[str(one.name).lower()] = one.args.get("value")
    return found
