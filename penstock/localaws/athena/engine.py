"""Run one query in a DuckDB of its own: bounded memory, a folder of its own, no other file or network in reach."""

import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from penstock.localaws.athena import information, query, words
from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.ports import World
from penstock.localaws.athena.relations import Scan
from penstock.localaws.athena.types import athena_type, duckdb_type, hive_type, literal, quoted, text_of

_BATCH = 10_000
_MEMORY = "1GB"
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
# What sqlglot leaves as Trino spells it and DuckDB lacks.
_MACROS = (
    "CREATE MACRO to_iso8601(x) AS strftime(x, if(typeof(x) = 'DATE', '%Y-%m-%d', '%Y-%m-%dT%H:%M:%S.%g'))",
    "CREATE MACRO at_timezone(x, zone) AS timezone(zone, x)",
    "CREATE MACRO normalize(x) AS nfc_normalize(x)",
    "CREATE MACRO zip(a, b) AS list_zip(a, b)",
)
Column = tuple[str, str, int, int]
"""Name, Athena's type, precision, scale."""


@dataclass
class Answer:
    """What a statement gives; rows are texts, None for NULL."""

    columns: list[Column]
    rows: Iterator[list[str | None]]
    scanned: int = 0
    files: list[str] = field(default_factory=list)  # what CREATE TABLE AS and INSERT INTO wrote


class Query:
    """One query, from its connection to its last row; use it in a `with`."""

    def __init__(self, sql: str, tree: exp.Expr, world: World, database: str, output: str) -> None:
        self.sql, self.tree, self.world, self.database, self.output = sql, tree, world, database, output
        self.connection = duckdb.connect(":memory:", config={"memory_limit": _MEMORY})
        self._over = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-athena-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> "Query":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.connection.close()
        self._folder.cleanup()

    def cancel(self) -> None:
        """Stop what DuckDB computes, now or when it begins to; from another thread, which need not wait."""
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        while not self._over.is_set():
            self.connection.interrupt()  # it stops what runs at this moment; the statement may only just come
            self._over.wait(0.05)

    def run(self) -> Answer:
        """The answer; its rows must be read before the query is closed.

        Raises:
            QueryFailed: with Athena's reason.
        """
        scan = Scan(self.world, self.folder, self.connection)
        try:
            self._prepare(scan)
            if isinstance(self.tree, exp.Create | exp.Insert):
                answer = self._written()
            else:
                answer = self._asked(query.for_duckdb(self.tree))
        except duckdb.Error as error:
            raise QueryFailed(words.reason(self.sql, self.tree, str(error))) from error
        answer.scanned = scan.bytes
        return answer

    def _prepare(self, scan: Scan) -> None:
        """The tables as views; then the doors are shut: a query reads what the catalog shows, nothing else."""
        execute = self.connection.execute
        execute("SET integer_division = true")
        execute("SET TimeZone = 'UTC'")
        execute(f"SET temp_directory = {literal(str(self.folder / 'spill'))}")
        for macro in _MACROS:
            execute(macro)
        reading = self.tree if not isinstance(self.tree, exp.Create | exp.Insert) else self.tree.expression
        found = query.sources(self.sql, reading, self.world, self.database)
        if any(node.db == information.HERE for node in reading.find_all(exp.Table)):
            information.fill(self.connection, self.world)
        for source in found:
            scan.view(source.database, source.table, query.wanted(found, source))
        execute(f"SET allowed_directories = [{literal(str(self.folder))}]")
        execute("SET enable_external_access = false")
        execute("SET lock_configuration = true")

    def _asked(self, sql: str) -> Answer:
        result = self.connection.execute(sql)
        columns = [(name, *athena_type(str(kind))) for name, kind, *_ in result.description or []]
        return Answer(columns, self._rows(result))

    def _rows(self, result: Any) -> Iterator[list[str | None]]:
        try:
            while batch := result.fetchmany(_BATCH):
                for row in batch:
                    yield [text_of(value) for value in row]
        except duckdb.Error as error:
            raise QueryFailed(words.reason(self.sql, self.tree, str(error))) from error

    # ── CREATE TABLE AS and INSERT INTO ─────────────────────────────────────────────────────────────────────────
    def _written(self) -> Answer:
        create = self.tree if isinstance(self.tree, exp.Create) else None
        if create is not None and create.kind != "TABLE":
            raise QueryFailed(
                f"NOT_SUPPORTED: the embedded AWS creates no {create.kind}; use CREATE TABLE AS"
            )
        where = query.target(self.tree, self.database)
        inner = query.for_duckdb(self.tree.expression)
        columns = [
            (str(name).lower(), hive_type(str(of)))
            for name, of, *_ in self.connection.execute(f"DESCRIBE {inner}").fetchall()
        ]
        if create is None:
            return self._inserted(where, inner)
        return self._created(create, where, inner, columns)

    def _created(
        self, create: exp.Create, where: tuple[str, str], inner: str, columns: list[tuple[str, str]]
    ) -> Answer:
        given = query.properties(create)
        form = str(getattr(given.get("format"), "name", "") or "PARQUET").upper()
        if form != "PARQUET":
            raise QueryFailed(f"NOT_SUPPORTED: the embedded AWS writes PARQUET, not {form}")
        if self.world.table(*where) is not None:
            if create.args.get("exists"):
                return Answer([], iter([]))
            raise QueryFailed(f"TABLE_ALREADY_EXISTS: Table '{'.'.join(where)}' already exists")
        keys = [item.name.lower() for item in getattr(given.get("partitioned_by"), "expressions", [])]
        if keys and [name for name, _ in columns][-len(keys) :] != keys:
            raise QueryFailed(
                "INVALID_TABLE_PROPERTY: Partition columns must be the last columns of the query"
            )
        location = given.get("external_location")
        base = str(location.name) if location is not None else self.output
        if location is not None and self.world.listing(base):
            raise QueryFailed(
                f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{'.'.join(where)}' already exists: {base}. "
                f"You may need to manually clean the data at location '{base}' before retrying."
            )
        answer = self._copied(inner, base, keys)
        self._register(where, base, columns, keys)
        return answer

    def _copied(self, inner: str, base: str, keys: list[str]) -> Answer:
        """Write the query's rows as Parquet below `base`."""
        out = self.folder / "out"
        split = f", PARTITION_BY ({', '.join(map(quoted, keys))})" if keys else ""
        out.mkdir()
        target = out if keys else out / "part-0.parquet"
        counted = self.connection.execute(
            f"COPY ({inner}) TO {literal(str(target))} (FORMAT parquet{split})"
        ).fetchall()
        written = []
        for path in sorted(out.rglob("*.parquet")):
            folder = path.parent.relative_to(out).as_posix()
            below = "" if folder == "." else f"{folder}/"
            uri = f"{base.rstrip('/')}/{below}{self.output.rstrip('/').rsplit('/', 1)[-1]}_{path.name}"
            self.world.put(uri, path.read_bytes())
            written.append(uri)
        rows: list[list[str | None]] = [[str(counted[0][0])]]
        return Answer([("rows", "bigint", 19, 0)], iter(rows), files=written)

    def _register(
        self, where: tuple[str, str], base: str, columns: list[tuple[str, str]], keys: list[str]
    ) -> None:
        """The table in the catalog, and its partitions."""
        plain = [{"Name": name, "Type": of} for name, of in columns if name not in keys]
        storage = {
            "Columns": plain,
            "Location": base,
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
        }
        table = {
            "Name": where[1],
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": name, "Type": of} for name, of in columns if name in keys],
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
            "StorageDescriptor": storage,
        }
        self.world.glue("create_table", DatabaseName=where[0], TableInput=table)
        if keys:
            self._register_partitions(where, storage, len(keys))

    def _register_partitions(self, where: tuple[str, str], storage: dict[str, Any], depth: int) -> None:
        """Every `key=value` folder of a new table."""
        base = str(storage["Location"])
        folders = {
            tuple(re.findall(r"([^/=]+)=([^/]*)/", one.key))[-depth:] for one in self.world.listing(base)
        }
        for values in sorted(folders):
            folder = "".join(f"/{key}={value}" for key, value in values)
            there = {**storage, "Location": base.rstrip("/") + folder}
            partition = {"Values": [value for _, value in values], "StorageDescriptor": there}
            self.world.glue(
                "create_partition", DatabaseName=where[0], TableName=where[1], PartitionInput=partition
            )

    def _inserted(self, where: tuple[str, str], inner: str) -> Answer:
        table = self.world.table(*where)
        if table is None:
            raise QueryFailed(
                f"TABLE_NOT_FOUND: Table '{information.CATALOG}.{where[0]}.{where[1]}' does not exist"
            )
        library = str((table["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary", ""))
        if "parquet" not in library.lower() or table.get("PartitionKeys"):
            raise QueryFailed(
                "NOT_SUPPORTED: the embedded AWS inserts into Parquet tables without partitions only"
            )
        columns = table["StorageDescriptor"]["Columns"]
        names = ", ".join(quoted(str(column["Name"]).lower()) for column in columns)
        typed = ", ".join(
            f"CAST({quoted(str(c['Name']).lower())} AS {duckdb_type(c['Type'])}) AS {quoted(str(c['Name']).lower())}"
            for c in columns
        )
        location = str(table["StorageDescriptor"]["Location"])
        cast = f"SELECT {typed} FROM ({inner}) AS t({names})"  # noqa: S608  names are quoted, the query is the caller's
        return self._copied(cast, location, [])
