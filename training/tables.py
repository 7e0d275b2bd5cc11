"""Reads a split's Parquet files into columns, without pandas: numbers and dates as arrays, texts as lists."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from learners.errors import BadData
from learners.problem import Dataset

Columns = dict[str, list[Any] | npt.NDArray[Any]]


def read(directory: Path) -> Columns:
    """Return the rows of every .parquet file below `directory`, files in name order; raise BadData if unreadable."""
    import pyarrow as pa  # noqa: PLC0415 - after ensure_requirements
    import pyarrow.parquet as pq  # noqa: PLC0415

    paths = sorted(directory.rglob("*.parquet"))
    if not paths:
        raise BadData(f"There is no .parquet file in {directory.name}/: has Prepare written this split?")
    try:
        tables = [pq.ParquetFile(path).read() for path in paths]
        table = pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise BadData(f"The Parquet files of {directory.name}/ cannot be read: {error}") from error
    return {name: _values(table.column(name)) for name in table.column_names}


def read_dataset(place: Path) -> Dataset:
    """Return dataset.json, given its path or the directory it is in; raise BadData."""
    path = place / "dataset.json" if place.is_dir() else place
    if not path.is_file():
        raise BadData("There is no dataset.json in the dataset channel: pass the object Prepare wrote.")
    return Dataset.read(json.loads(path.read_text(encoding="utf-8")))


def _values(column: Any) -> list[Any] | npt.NDArray[Any]:
    import pyarrow.types as kinds  # noqa: PLC0415

    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kinds.is_integer(column.type) and column.null_count == 0:
        return column.to_numpy()  # type: ignore[no-any-return]
    if kinds.is_floating(column.type) or kinds.is_integer(column.type):
        return column.cast("float64").to_numpy().astype(np.float64)  # type: ignore[no-any-return]
    if kinds.is_timestamp(column.type) or kinds.is_date(column.type):
        return column.to_numpy().astype("datetime64[s]")  # type: ignore[no-any-return]
    return column.to_pylist()  # type: ignore[no-any-return]
