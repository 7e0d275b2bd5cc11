"""Small frames on one of the engines, as Prepare has them: judged rows that queries can be asked of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ibis
import pyarrow as pa
from data import contract, rows, spec, split

Rows = list[dict[str, Any]]


class Bench:
    """The half of an engine that queries need: `keep` and `rows`."""

    def __init__(self, spark: Any = None) -> None:
        self.spark = spark
        self.ibis: Any = ibis.pyspark.connect(spark) if spark else ibis.duckdb.connect()
        self._kept = 0

    def judged(self, document: dict[str, Any], given: Sequence[dict[str, Any]]) -> Any:
        """Rows (text cells) judged and dealt to sides by a project document."""
        raw = _raw(document, given)
        self._kept += 1
        name = f"raw_{self._kept}"
        if self.spark:
            kinds = {"int64": "long", "string": "string"}
            shape = ", ".join(f"`{field.name}` {kinds[str(field.type)]}" for field in raw.schema)
            values = [tuple(row.values()) for row in raw.to_pylist()]
            self.spark.createDataFrame(values, shape).createOrReplaceTempView(name)
        else:
            self.ibis.con.register(name, raw)
        meaning = spec.parse(document)
        with _quiet():
            table = split.fingerprint(self.ibis.table(name), meaning)
        return self.keep(split.apply(contract.apply(table, meaning), meaning), f"judged_{self._kept}")

    def keep(self, table: Any, name: str) -> Any:
        """Compute it once."""
        if not self.spark:
            with _quiet():
                return self.ibis.create_table(f"{name}_{self._kept}", table)
        frame = self.spark.sql(self.ibis.compile(table)).persist()
        frame.createOrReplaceTempView(f"{name}_{self._kept}")
        return self.ibis.table(f"{name}_{self._kept}")

    def rows(self, table: Any) -> Rows:
        """A small result."""
        sql = self.ibis.compile(table)
        if self.spark:
            return [row.asDict(recursive=True) for row in self.spark.sql(sql).collect()]
        found = self.ibis.con.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def close(self) -> None:
        """Give back what was taken; a Spark session is not ours."""
        if not self.spark:
            self.ibis.disconnect()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Ibis 12 calls what DuckDB 2 has deprecated; nothing of ours can change that.
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        yield


def _raw(document: dict[str, Any], given: Sequence[dict[str, Any]]) -> pa.Table:
    names = list(
        dict.fromkeys([*document["columns"], *(name for row in given for name in row if name[0] != "_")])
    )
    filled = [
        {"_row": place, "_source": "a.csv", "_number": place, **row} for place, row in enumerate(given, 1)
    ]
    return pa.Table.from_pylist(filled, schema=rows.schema(names))
