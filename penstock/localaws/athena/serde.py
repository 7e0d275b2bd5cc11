"""Text files as Hive's SerDes read them, line by line: OpenCSVSerde, LazySimpleSerDe and the JSON ones."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.localaws.athena.errors import QueryFailed

Cells = list[str | None]
Reader = Callable[[str], Cells]
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BATCH = 20_000


def reader(library: str, parameters: Mapping[str, str], columns: Sequence[str]) -> Reader:
    """What turns one line into the columns' texts; a column the line lacks is None."""
    if library.endswith("OpenCSVSerde"):
        return _open_csv(
            parameters.get("separatorChar", ","),
            parameters.get("quoteChar", '"'),
            parameters.get("escapeChar", "\\"),
        )
    if "JsonSerDe" in library:
        return _json(columns, parameters)
    if library.endswith("LazySimpleSerDe"):
        return _lazy(parameters)
    raise QueryFailed(
        f"NOT_SUPPORTED: the embedded AWS reads no table with the SerDe {library}: use OpenCSVSerde, "
        "LazySimpleSerDe, JsonSerDe or ParquetHiveSerDe"
    )


def _open_csv(separator: str, quote: str, escape: str) -> Reader:
    """opencsv's parser: a doubled quote is one; an escape counts inside quotes only."""

    def read(line: str) -> Cells:
        if quote not in line and escape not in line:
            return list(line.split(separator))
        return _opened(line, separator, quote, escape)

    return read


def _opened(line: str, separator: str, quote: str, escape: str) -> Cells:
    cells: Cells = []
    cell: list[str] = []
    inside, place = False, 0
    while place < len(line):
        char, following = line[place], line[place + 1 : place + 2]
        if inside and (
            (char == escape and following in (quote, escape) and following) or char == following == quote
        ):
            cell.append(following)
            place += 1
        elif char == quote:
            _keep_inner(cell, line, place, separator, quote)
            inside = not inside
        elif char == separator and not inside:
            cells.append("".join(cell))
            cell = []
        elif char != escape:
            cell.append(char)
        place += 1
    return [*cells, "".join(cell)]


def _keep_inner(cell: list[str], line: str, place: int, separator: str, quote: str) -> None:
    """A quote in the middle of a value is part of it, as in opencsv 2.3; white space before quotes is not."""
    last = place + 1 >= len(line)
    if place > 2 and not last and line[place - 1] != separator != line[place + 1]:
        if cell and not "".join(cell).strip():
            cell.clear()
        else:
            cell.append(quote)


def _lazy(parameters: Mapping[str, str]) -> Reader:
    """Fields between delimiters, quotes being ordinary characters; `\\N` is NULL."""
    given = parameters.get("field.delim") or parameters.get("serialization.format", "1")
    delimiter = "\x01" if given == "1" else given
    escape, null = parameters.get("escape.delim"), parameters.get("serialization.null.format", "\\N")

    def read(line: str) -> Cells:
        cells = _escaped(line, delimiter, escape) if escape and escape in line else line.split(delimiter)
        return [None if cell == null else cell for cell in cells]

    return read


def _escaped(line: str, delimiter: str, escape: str) -> list[str]:
    cells = [""]
    characters = iter(line)
    for char in characters:
        if char == escape:
            cells[-1] += next(characters, "")
        elif char == delimiter:
            cells.append("")
        else:
            cells[-1] += char
    return cells


def _json(columns: Sequence[str], parameters: Mapping[str, str]) -> Reader:
    tolerant = parameters.get("ignore.malformed.json", "").lower() == "true"
    mapped = {name: parameters.get(f"mapping.{name}", name).lower() for name in columns}

    def read(line: str) -> Cells:
        try:
            document = {str(name).lower(): value for name, value in json.loads(line).items()}
        except (ValueError, AttributeError) as error:
            if tolerant:
                return [None] * len(columns)
            raise QueryFailed(f"HIVE_BAD_DATA: Error parsing a line as JSON: {error}") from error
        return [_json_text(document.get(mapped[name])) for name in columns]

    return read


def _json_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def lines(path: Path, name: str) -> Iterator[str]:
    """The lines of a text file, unpacked as its name says."""
    codec = next((codec for ending, codec in _COMPRESSED.items() if name.lower().endswith(ending)), None)
    with pa.input_stream(str(path), compression=codec) as stream:
        rest = b""
        while block := stream.read(1 << 20):
            *whole, rest = (rest + block).split(b"\n")
            yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)
        if rest:
            yield rest.rstrip(b"\r").decode("utf-8", "replace")


def stage(source: Path, name: str, target: Path, read: Reader, columns: Sequence[str], skip: int) -> None:
    """Write a text file's rows as a Parquet file of texts, columns `c0`, `c1`, …; a batch at a time.

    Args:
        source: the file
        name: its key, whose ending says how it is packed
        target: the Parquet file
        read: what splits a line
        columns: the table's columns
        skip: lines at the start that are no rows
    """
    width = len(columns)
    schema = pa.schema([(f"c{place}", pa.string()) for place in range(width)])
    with pq.ParquetWriter(target, schema) as writer:
        batch: list[Cells] = []
        for number, line in enumerate(lines(source, name)):
            if number < skip or not line:
                continue
            batch.append((read(line) + [None] * width)[:width])
            if len(batch) == _BATCH:
                writer.write_table(_table(batch, schema))
                batch = []
        writer.write_table(_table(batch, schema))


def _table(rows: list[Cells], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)
