"""Small frames on both engines: DuckDB always, Spark where it is installed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ibis
import pyarrow as pa
import pytest
from data import contract, rows, spec, split

from tests.training.data.bench import Bench

Rows = list[dict[str, Any]]
Judge = Callable[[dict[str, Any], Rows], Rows]


def _raw(document: dict[str, Any], given: Rows) -> pa.Table:
    names = list(
        dict.fromkeys([*document["columns"], *(name for row in given for name in row if name[0] != "_")])
    )
    filled = [{"_row": place, "_source": "a", "_number": place, **row} for place, row in enumerate(given, 1)]
    return pa.Table.from_pylist(filled, schema=rows.schema(names))


def _judged(raw: Any, document: dict[str, Any]) -> Any:
    meaning = spec.parse(document)
    return split.apply(contract.apply(split.fingerprint(raw, meaning), meaning), meaning).order_by("_row")


def _on_duckdb(document: dict[str, Any], given: Rows) -> Rows:
    backend = ibis.duckdb.connect()
    backend.con.register("raw", _raw(document, given))
    with warnings.catch_warnings():
        # Ibis 12 calls what DuckDB 2 has deprecated; nothing of ours can change that.
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        found: Rows = backend.to_pyarrow(_judged(backend.table("raw"), document)).to_pylist()
    backend.disconnect()
    return found


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: it is Glue's, and needs Java")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = (
        builder.config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    yield session
    session.stop()


# Warnings of PySpark's own: sockets it leaves to the collector, pandas calls it makes.
QUIET = [
    pytest.mark.filterwarnings(f"ignore::{kind}")
    for kind in ("ResourceWarning", "DeprecationWarning", "FutureWarning")
]


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=QUIET)])
def judge(request: pytest.FixtureRequest) -> Judge:
    """Judge rows (text cells) by a project document; the rows with `_side` and `_faults`, in order."""
    if request.param == "duckdb":
        return _on_duckdb
    session = request.getfixturevalue("spark")
    backend = ibis.pyspark.connect(session)

    def on_spark(document: dict[str, Any], given: Rows) -> Rows:
        raw = _raw(document, given)
        kinds = {"int64": "long", "string": "string"}
        shape = ", ".join(
            f"`{field.name.replace('`', '``')}` {kinds[str(field.type)]}" for field in raw.schema
        )
        session.createDataFrame(
            [tuple(row.values()) for row in raw.to_pylist()], shape
        ).createOrReplaceTempView("raw")
        found = session.sql(backend.compile(_judged(backend.table("raw"), document))).collect()
        return [row.asDict(recursive=True) for row in found]

    return on_spark


@pytest.fixture(scope="session")
def judge_on_duckdb() -> Judge:
    """As `judge`, on DuckDB alone: for properties tried on many examples."""
    return _on_duckdb


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=QUIET)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Queries on both engines."""
    made = Bench(request.getfixturevalue("spark") if request.param == "spark" else None)
    yield made
    made.close()


@pytest.fixture
def duckdb_bench() -> Iterator[Bench]:
    """Queries on DuckDB alone."""
    made = Bench()
    yield made
    made.close()
