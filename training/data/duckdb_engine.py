"""Prepare on one machine: DuckDB, in bounded memory, with its scratch space in a temporary directory. No Java."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from data import results, rows, store
from data.files import Source, check
from data.spec import Spec
from data.split import LABELLED
from data.store import Drop

THREADS = 16  # downloads at once


class DuckDbEngine:
    """Files are streamed to disk, parsed in blocks, and kept in a DuckDB file: memory does not grow with the data."""

    name = "duckdb"
    keeps_order = True  # preserve_insertion_order

    def __init__(self, memory: str = "1GB") -> None:
        """Take a temporary directory. `memory` is DuckDB's own limit; Python and the parser add about 300 MB."""
        self._folder = tempfile.mkdtemp(prefix="penstock-prepare-")
        self._s3 = store.client(THREADS)
        self._ibis = ibis.duckdb.connect(
            os.path.join(self._folder, "prepare.duckdb"),
            temp_directory=os.path.join(self._folder, "spill"),
            memory_limit=memory,
            preserve_insertion_order=True,
        )
        self._ibis.raw_sql("PRAGMA disable_checkpoint_on_shutdown")  # the file is thrown away
        self._known: set[str] = set()
        self._know("_side", [LABELLED, *results.ROWS])

    def look(self, drops: Sequence[Drop], spec: Spec) -> list[Source]:
        """Fetch with a small pool of threads: most of the time is waiting for S3."""
        if drops:
            self._know("_source", [drop.key for drop in drops])
        with ThreadPoolExecutor(min(THREADS, max(1, len(drops)))) as pool:
            return list(pool.map(lambda drop: check(self._s3, drop, self._folder, spec), drops))

    def read(self, sources: Sequence[Source], names: Sequence[str]) -> ir.Table:
        """All files as one stream of batches; each file is deleted once it is read."""
        reader = pa.RecordBatchReader.from_batches(rows.schema(names), _stream(sources, names))
        self._ibis.con.register("dropped", reader)
        return self._ibis.table("dropped")

    def keep(self, table: ir.Table, name: str) -> ir.Table:
        """A temporary table: in memory while it fits, then spilt. Compressing it costs more than writing it.

        A column of which all words are known is kept as their numbers: every later query filters by its side.
        """
        query = self._query(table, {column: f"words{column}" for column in self._known})
        self._ibis.con.execute(f'CREATE TEMP TABLE "{name}" AS {query}')
        return self._ibis.table(name, database=("temp", "main"))

    def _know(self, column: str, words: Iterable[str]) -> None:
        """All words there may be in a column."""
        listed = ", ".join(_quoted(word) for word in dict.fromkeys(words))
        self._ibis.con.execute(f"CREATE TYPE words{column} AS ENUM ({listed})")
        self._known.add(column)

    def _query(self, table: ir.Table, kinds: Mapping[str, str]) -> str:
        """SQL of a table, some columns of which, if it has them, become of another type."""
        sql = self._ibis.compile(table)
        found = {column: kind for column, kind in kinds.items() if column in table.columns}
        casts = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in found.items())
        return f"SELECT * REPLACE ({casts}) FROM ({sql})" if casts else sql  # noqa: S608  # of our own names

    def small(self, table: pa.Table) -> ir.Table:
        """As it is, in memory."""
        self._ibis.con.register("small", table)
        return self._ibis.table("small")

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """By DuckDB itself: Ibis's own way imports pandas, 0.4 s of a job that needs 3."""
        found = self._ibis.con.execute(self._ibis.compile(table))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def write(self, table: ir.Table, uri: str) -> None:
        """One file, written locally and then uploaded, so S3 never holds half of it."""
        path = os.path.join(self._folder, "part-0.parquet")
        query = self._query(table, dict.fromkeys(self._known, "VARCHAR"))
        self._ibis.con.execute(f"COPY ({query}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
        store.upload(self._s3, path, f"{uri}part-0.parquet")
        os.unlink(path)

    def close(self) -> None:
        """Remove the temporary directory."""
        self._ibis.disconnect()
        shutil.rmtree(self._folder, ignore_errors=True)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _stream(sources: Sequence[Source], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for source in sources:
        if not source.header:
            continue  # a file of deletes that deletes nothing
        yield from rows.batches(source, source.path, names)
        os.unlink(source.path)
