"""The stage's data in SQL: its tables in the Glue catalog, and questions to them through Athena."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import boto3
import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp

from penstock.client import stored
from penstock.errors import PenstockError

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0  # seconds between two looks at a query: soon at first, then less often
_READ: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("double", "float"), float),
    "boolean": lambda text: text == "true",
}
Column = tuple[str, str]
"""A name and a type."""


@dataclass(frozen=True)
class Table:
    """One table of the catalog."""

    name: str
    description: str
    columns: Sequence[Column]
    partitions: Sequence[Column]
    newest: int | None
    """The newest version it can show, if it has versions."""


@dataclass(frozen=True)
class Answer:
    """What a query gave: values in Python's types, None for NULL. `more` says that rows were left out."""

    query_id: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    more: bool
    scanned_bytes: int
    seconds: float
    uri: str
    """Where the whole result lies, as CSV (as text for statements that are no query)."""


class Lake:
    """One stage's database and workgroup."""

    def __init__(self, stage: str) -> None:
        self.database = f"penstock_{stage}"
        self.workgroup = f"penstock-{stage}"
        self._stage = stage

    def tables(self) -> dict[str, Table]:
        """Every table, by name."""
        pages = boto3.client("glue").get_paginator("get_tables").paginate(DatabaseName=self.database)
        return {one["Name"]: _table(one) for page in pages for one in page["TableList"]}

    def ask(self, sql: str, limit: int) -> Answer:
        """Run a statement; at most `limit` rows of its result.

        Raises:
            PenstockError: Athena refuses it, or it fails; says what there is instead of what is not.
        """
        athena = boto3.client("athena")
        try:
            begun = athena.start_query_execution(
                QueryString=sql,
                QueryExecutionContext={"Database": self.database},
                WorkGroup=self.workgroup,
            )
        except ClientError as error:
            raise self._not_begun(error) from error
        run = _ended(athena, begun["QueryExecutionId"])
        if run["Status"]["State"] != "SUCCEEDED":
            raise self._failed(sql, run["Status"].get("StateChangeReason", run["Status"]["State"]))
        return _read(athena, run, limit)

    def _not_begun(self, error: ClientError) -> Exception:
        said = error.response["Error"]
        if said["Code"] != "InvalidRequestException":
            return error
        if "WorkGroup" in said["Message"]:
            return PenstockError(
                f"workgroup {self.workgroup}",
                said["Message"],
                f"Bring the stage up to date: penstock deploy --stage {self._stage}",
            )
        return PenstockError("your query", said["Message"], "Athena speaks Trino's SQL: docs/sql.md.")

    def _failed(self, sql: str, reason: str) -> PenstockError:
        return PenstockError("your query", reason, _advice(sql, reason, self.tables()))


def _table(found: Mapping[str, Any]) -> Table:
    parameters = found.get("Parameters") or {}
    ends = [re.fullmatch(r"projection\._*version\.range", name) for name in parameters]
    ranges = [str(parameters[end.string]) for end in ends if end]
    return Table(
        name=found["Name"],
        description=found.get("Description") or "",
        columns=_pairs(found["StorageDescriptor"].get("Columns", [])),
        partitions=_pairs(found.get("PartitionKeys", [])),
        newest=int(ranges[0].rpartition(",")[2]) if ranges else None,
    )


def _pairs(columns: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [(column["Name"], column.get("Type", "string")) for column in columns]


def _ended(athena: Any, query_id: str) -> dict[str, Any]:
    """Wait for a query; one whose asker goes away is stopped: it costs money."""
    pause = _FIRST_LOOK
    try:
        while True:
            run: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if run["Status"]["State"] in _ENDED:
                return run
            time.sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK)
    except BaseException:
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise


def _read(athena: Any, run: Mapping[str, Any], limit: int) -> Answer:
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=run["QueryExecutionId"])
    columns: list[Column] = []
    rows: list[list[Any]] = []
    headed = run["StatementType"] == "DML"
    for page in pages:
        info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        columns = [(column["Name"], column["Type"]) for column in info]
        texts = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
        if headed and texts and texts[0] == [name for name, _ in columns]:
            texts.pop(0)  # the header, on the first page only
        headed = False
        rows += [list(_values(row, columns)) for row in texts]
        if len(rows) > limit:
            break
    statistics = run["Statistics"]
    return Answer(
        query_id=run["QueryExecutionId"],
        columns=columns,
        rows=rows[:limit],
        more=len(rows) > limit,
        scanned_bytes=int(statistics.get("DataScannedInBytes", 0)),
        seconds=int(statistics.get("TotalExecutionTimeInMillis", 0)) / 1000,
        uri=run["ResultConfiguration"]["OutputLocation"],
    )


def _values(row: Sequence[str | None], columns: Sequence[Column]) -> Iterator[Any]:
    for text, (_, kind) in zip(row, columns, strict=False):
        yield None if text is None else _READ.get(kind, str)(text)


def save(answer: Answer, file: Path) -> None:
    """Fetch the whole result, however large, as the CSV that Athena wrote."""
    bucket, key = stored.place(answer.uri)
    boto3.client("s3").download_file(bucket, key, str(file))


def _advice(sql: str, reason: str, tables: Mapping[str, Table]) -> str:
    """What there is instead: the tables, or the columns of those the query names."""
    missing = re.search(r"Table (?:'|not found )(?:[\w-]+\.)*([\w-]+)|Column '([^']+)'", reason)
    if not tables or missing is None:
        return (
            "`penstock sql` lists the tables and their columns." if tables else "No table yet: drop a file."
        )
    if missing[1]:
        near = get_close_matches(missing[1].lower(), tables, n=1, cutoff=0)[0]
        return f"The tables are {', '.join(sorted(tables))}. {_told(tables[near])}"
    named = [
        table for name, table in tables.items() if re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE)
    ]
    every = {column for table in named for column, _ in (*table.columns, *table.partitions)}
    near_ones = get_close_matches(missing[2].lower(), every, n=1, cutoff=0.6)
    meant = f"Did you mean {near_ones[0]}? " if near_ones else ""
    return meant + " ".join(map(_told, named))


def _told(table: Table) -> str:
    return f"{table.name} has {', '.join(name for name, _ in (*table.columns, *table.partitions))}."


def at_version(sql: str, version: int, tables: Mapping[str, Table]) -> str:
    """The query with every `<project>_prepared` in it showing an older version.

    Raises:
        PenstockError: it names no such table, or there is no such version.
    """
    try:
        tree = sqlglot.parse_one(sql, read="athena")
    except sqlglot.errors.SqlglotError as error:
        raise PenstockError("your query", str(error).splitlines()[0], "--version takes a SELECT.") from error
    shown = [node for node in tree.find_all(exp.Table) if _every(node.name, tables)]
    if not shown:
        every = sorted(name for name in tables if _every(name, tables))
        raise PenstockError(
            "--version",
            "your query names no table of prepared data",
            f"Those are {', '.join(every) or 'none yet'}.",
        )
    for node in shown:
        node.replace(_older(node, _every(node.name, tables), version))
    return str(tree.sql("athena"))


def _every(name: str, tables: Mapping[str, Table]) -> Table | None:
    """The table of all versions that belongs to a table of prepared data."""
    project, kind = name.lower().rpartition("_")[::2]
    return tables.get(f"{project}_versions") if kind == "prepared" else None


def _older(node: exp.Table, every: Table | None, version: int) -> exp.Expr:
    if every is None or not 1 <= version <= (every.newest or 0):
        last = every.newest if every else 0
        raise PenstockError(
            "--version", f"{node.name} has no version {version}", f"Its versions are 1 to {last}."
        )
    key, side = (name for name, _ in every.partitions)
    wanted = [exp.column(name, quoted=True) for name in (*(name for name, _ in every.columns), side)]
    rows = exp.select(*wanted).from_(exp.to_table(every.name)).where(exp.column(key).eq(version))
    return rows.subquery(node.alias or node.name)
