"""Prepare on Glue: Spark 3.5. Executors fetch, check, parse and write; S3 is reached by boto3, as on one machine.

The parser is the same (data/rows.py), in `mapInArrow`, so both engines see the same rows. One file is read by one task,
as Spark does with any CSV whose values may hold line breaks; files are spread over the executors.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession  # type: ignore[import-not-found,unused-ignore]

from data import rows, store
from data.fetching import fetch
from data.files import Source, check
from data.spec import Spec
from data.store import Drop

ROWS_A_PART = 1_000_000
THREADS = 8  # downloads at once, of each task
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.adaptive.enabled": "true",
}


class SparkEngine:
    """The session Glue gives, or a local one when there is none."""

    name = "spark"
    keeps_order = False

    def __init__(self) -> None:
        """Start or find the session; executors import our modules from where the driver does."""
        root = str(Path(__file__).resolve().parents[1])
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        self._own = SparkSession.getActiveSession() is None
        self._spark = SparkSession.builder.appName("prepare").getOrCreate()
        self._context = self._spark.sparkContext
        for name, value in _SETTINGS.items():
            self._spark.conf.set(name, value)
        # Spark's default of 200 costs small datasets a minute in empty tasks.
        self._spark.conf.set("spark.sql.shuffle.partitions", str(4 * self._context.defaultParallelism))
        self._ibis = ibis.pyspark.connect(self._spark)
        self._kept: list[DataFrame] = []

    def look(self, drops: Sequence[Drop], spec: Spec) -> list[Source]:
        """Each executor checks its share; the files are fetched again to be read, as executors share no disk."""
        if not drops:
            return []
        spread = self._context.parallelize(list(drops), min(len(drops), 4 * self._context.defaultParallelism))
        found = spread.mapPartitions(_checker(spec)).collect()
        return sorted(found, key=lambda source: source.drop.ordinal)

    def read(self, sources: Sequence[Source], names: Sequence[str]) -> ir.Table:
        """One task a file, then spread."""
        pickled = [(source.drop.ordinal, pickle.dumps(source)) for source in sources]
        tasks = min(len(sources), 32 * self._context.defaultParallelism)
        listed = self._spark.createDataFrame(pickled, "ordinal long, source binary").repartition(
            tasks, "ordinal"
        )
        frame = listed.mapInArrow(_parser(tuple(names)), _ddl(names))
        return self._named(frame, "dropped")

    def keep(self, table: ir.Table, name: str) -> ir.Table:
        """Cached, in memory and then on the executors' disks."""
        frame = self._frame(table).persist()
        self._kept.append(frame)
        return self._named(frame, name)

    def small(self, table: pa.Table) -> ir.Table:
        """Through pandas, as Spark 3.5 takes no Arrow."""
        frame = self._spark.createDataFrame(table.to_pandas())
        return self._named(frame, f"small_{len(self._kept)}")

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """By collect: no pandas in between that would turn a null number into NaN."""
        return [row.asDict() for row in self._frame(table).collect()]

    def write(self, table: ir.Table, uri: str) -> None:
        """One file a partition, each uploaded whole by its executor: there is no committing of renames to go wrong."""
        frame = self._frame(table)
        parts = max(1, -(-frame.count() // ROWS_A_PART))
        shape = self._arrow_schema(table)
        written = frame.coalesce(parts).mapInArrow(_writer(uri, shape), "part long").collect()
        if not written:
            _upload(pa.Table.from_batches([], shape), f"{uri}part-0.parquet")

    def close(self) -> None:
        """Release what was kept; a session that was there before is not ours to stop."""
        for frame in self._kept:
            frame.unpersist()
        if self._own:
            self._spark.stop()

    def _frame(self, table: ir.Table) -> DataFrame:
        return self._spark.sql(self._ibis.compile(table))

    def _named(self, frame: DataFrame, name: str) -> ir.Table:
        frame.createOrReplaceTempView(name)
        return self._ibis.table(name)

    def _arrow_schema(self, table: ir.Table) -> pa.Schema:
        return table.schema().to_pyarrow()


def _ddl(names: Sequence[str]) -> str:
    types = {"int64": "long", "string": "string"}
    fields = [(field.name, types[str(field.type)]) for field in rows.schema(names)]
    return ", ".join(f"`{name.replace('`', '``')}` {kind}" for name, kind in fields)


def _checker(spec: Spec) -> Callable[[Iterable[Drop]], Iterator[Source]]:
    def checked(drops: Iterable[Drop]) -> Iterator[Source]:
        s3 = store.client(THREADS)

        def look(drop: Drop) -> Source:
            with tempfile.TemporaryDirectory(prefix="penstock-look-") as folder:
                return replace(check(s3, drop, folder, spec), path="")

        with ThreadPoolExecutor(THREADS) as pool:  # most of the time is waiting for S3
            yield from pool.map(look, drops)

    return checked


def _parser(names: tuple[str, ...]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def parsed(listed: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        s3 = store.client()
        for batch in listed:
            for pickled in batch.column("source").to_pylist():
                # Pickled by the driver of this very job a moment ago; it never left the cluster.
                source: Source = pickle.loads(pickled)  # noqa: S301
                if not source.header:
                    continue  # a file of deletes that deletes nothing
                with tempfile.TemporaryDirectory(prefix="penstock-read-") as folder:
                    path = os.path.join(folder, "rows")
                    fetch(s3, source.drop, path, source.limits)
                    yield from rows.batches(source, path, names)

    return parsed


def _writer(uri: str, shape: pa.Schema) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def written(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        context = TaskContext.get()
        part = context.partitionId() if context else 0
        some = False
        with tempfile.TemporaryDirectory(prefix="penstock-write-") as folder:
            path = os.path.join(folder, "part.parquet")
            with pq.ParquetWriter(path, shape, compression="zstd") as file:
                for batch in batches:
                    some = some or batch.num_rows > 0
                    file.write_batch(_as(batch, shape))
            if some or part == 0:
                store.upload(store.client(), path, f"{uri}part-{part}.parquet")
                yield pa.RecordBatch.from_pydict({"part": [part]})

    return written


def _as(batch: pa.RecordBatch, shape: pa.Schema) -> pa.RecordBatch:
    columns = [batch.column(place).cast(field.type) for place, field in enumerate(shape)]
    return pa.RecordBatch.from_arrays(columns, schema=shape)


def _upload(table: pa.Table, uri: str) -> None:
    with tempfile.TemporaryDirectory(prefix="penstock-write-") as folder:
        path = os.path.join(folder, "part.parquet")
        pq.write_table(table, path)
        store.upload(store.client(), path, uri)
