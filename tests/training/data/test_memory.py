"""No file is read whole: ten times the bytes take no more memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[3]
NOTE = "a few words as people write them, "
ROWS = 1_750_000  # 200 MB of CSV
NAMES = ["id", "size", "note", "kind"]


def lines(first: int, count: int) -> Iterator[tuple[str, ...]]:
    return (
        (f"key{place}", f"{place / 7:.6f}", f"{NOTE * 2}{place}", "ab"[place % 2])
        for place in range(first, first + count)
    )


def as_csv(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("id;size;note;kind\n")
        file.writelines(";".join(row) + "\n" for row in lines(0, count))


def as_utf16(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-16") as file:
        file.write("id;size;note;kind\n")
        file.writelines(";".join(row) + "\n" for row in lines(0, count))


def as_zstd(path: Path, count: int) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(b"id;size;note;kind\n")
        for row in lines(0, count):
            file.write((";".join(row) + "\n").encode())


def as_json_lines(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in lines(0, count))


def as_parquet(path: Path, count: int) -> None:
    shape = pa.schema([(name, pa.string()) for name in NAMES])
    with pq.ParquetWriter(path, shape) as file:
        for first in range(0, count, 50_000):
            columns = zip(*lines(first, min(50_000, count - first)), strict=True)
            file.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=shape))


def peak(path: Path, count: int) -> int:
    """Peak memory in MB of a process that reads it."""
    command = [sys.executable, str(Path(__file__).with_name("measure.py")), str(ROOT / "training"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, memory = map(int, done.stdout.split())
    assert rows == count
    return memory


@pytest.mark.slow
@pytest.mark.parametrize("write", [as_csv, as_utf16, as_zstd, as_json_lines, as_parquet])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, write: Callable[[Path, int], None]) -> None:
    found = []
    for count in (ROWS // 10, ROWS):
        path = tmp_path / str(count)
        write(path, count)
        found.append(peak(path, count))
        path.unlink()
    small, large = found
    # Arrow reads ahead of what it parses, a file of 20 MB not as far as one of 200.
    assert large < small + 120, found
    assert large < 400, found
