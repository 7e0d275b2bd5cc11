"""Small files given as rows of text, assembled by either engine: its own reading is the only part left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from data import rows, spec, store
from data.assemble import Assembly
from data.duckdb_engine import DuckDbEngine
from data.files import Source

Cells = Sequence[Mapping[str, str | None]]
Files = Sequence[tuple[str, Cells]]
KEPT = ("train", "validation", "test", "unlabelled")


class OfTables(DuckDbEngine):
    """DuckDB, reading Arrow tables where files would be."""

    tables: Mapping[int, Cells]

    def read(self, sources: Sequence[Source], names: Sequence[str]) -> Any:
        """As the engine's own, from memory."""
        self._ibis.con.register("dropped", raw(self.tables, sources, names))
        return self._ibis.table("dropped")


def raw(tables: Mapping[int, Cells], sources: Sequence[Source], names: Sequence[str]) -> pa.Table:
    """The batches data/rows.py would make of them."""
    found = [
        {
            **{name: row.get(name) for name in names},
            "_row": (source.drop.ordinal << rows.FILES) + number,
            "_source": source.drop.key,
            "_number": number,
            "_problem": row.get("_problem"),
        }
        for source in sources
        for number, row in enumerate(tables[source.drop.ordinal], 1)
    ]
    return pa.Table.from_pylist(found, schema=rows.schema(names))


def looked_at(project: str, files: Files) -> list[Source]:
    """The files in the order they were dropped."""
    found = []
    for ordinal, (name, cells) in enumerate(files):
        drop = store.Drop(ordinal, "b", f"drop/{project}/{name}", None, "e", f"{ordinal:X}", 1, True)
        header = dict.fromkeys(column for row in cells for column in row if not column.startswith("_"))
        found.append(Source(drop, header=tuple(header)))
    return found


class Assembled:
    """What an assembly made of files: `sides` of every row by (file, number), and the dataset's rows."""

    def __init__(self, engine: Any, document: Mapping[str, Any], files: Files) -> None:
        engine.tables = {ordinal: cells for ordinal, (_, cells) in enumerate(files)}
        assembly = Assembly(engine, spec.parse(document), looked_at(document["project"], files))
        table = assembly.rows()
        self.columns = assembly.columns.every
        self.unmatched = assembly.unmatched
        self.faults: dict[tuple[int, int], list[Any]] = {}
        self.sides: dict[tuple[int, int], str] = {}
        self.rows: list[dict[str, Any]] = []
        for one in (table, *assembly.others):
            for row in engine.rows(one):
                place = (row["_row"] >> rows.FILES, row["_number"])
                assert place not in self.sides, "a row has two sides"
                self.sides[place] = row["_side"]
                self.faults[place] = row["_faults"]
                if row["_side"] in KEPT:
                    self.rows.append({"_side": row["_side"], **{name: row[name] for name in self.columns}})
        assert len(self.sides) == sum(len(cells) for _, cells in files), "a row has no side"

    @property
    def table(self) -> list[tuple[Any, ...]]:
        """The dataset without where its rows came from."""
        return sorted(tuple(str(value) for value in row.values()) for row in self.rows)


Assemble = Callable[[Mapping[str, Any], Files], Assembled]


def on_duckdb(document: Mapping[str, Any], files: Files) -> Assembled:
    """Assemble on DuckDB."""
    with warnings.catch_warnings():
        # Ibis 12 calls what DuckDB 2 has deprecated; nothing of ours can change that.
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        engine = OfTables("256MB")
        try:
            return Assembled(engine, document, files)
        finally:
            engine.close()


def on_spark(session: Any) -> Assemble:
    """Assemble on a Spark session."""
    from data.spark_engine import SparkEngine  # noqa: PLC0415  # only where it is installed

    class SparkOfTables(SparkEngine):
        tables: Mapping[int, Cells]

        def read(self, sources: Sequence[Source], names: Sequence[str]) -> Any:
            table = raw(self.tables, sources, names)
            kinds = {"int64": "long", "string": "string"}
            shape = ", ".join(f"`{field.name}` {kinds[str(field.type)]}" for field in table.schema)
            frame = session.createDataFrame([tuple(row.values()) for row in table.to_pylist()], shape)
            return self._named(frame, "dropped")

    def assemble(document: Mapping[str, Any], files: Files) -> Assembled:
        engine = SparkOfTables()
        engine._own = False  # the session is the tests'
        session.conf.set("spark.sql.shuffle.partitions", "2")
        try:
            return Assembled(engine, document, files)
        finally:
            engine.close()

    return assemble
