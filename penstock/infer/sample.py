"""Read a bounded, repeatable sample of a table as text, so that every later guess sees the file's own words."""

import gzip
import shlex
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas

from penstock.errors import PenstockError

SAMPLE_ROWS = 50_000
DELIMITERS = (",", "\t", ";", "|")
_LONGEST_NAME = 10_000  # of a column: what is longer is a text
_SQL_QUOTE = "'"


@dataclass(frozen=True)
class Sample:
    """Up to SAMPLE_ROWS rows of a file; every cell is text or None (an empty cell)."""

    file: Path
    frame: pandas.DataFrame
    total_rows: int
    headless: bool = False

    @property
    def rows(self) -> int:
        """Rows in the sample."""
        return len(self.frame)

    @property
    def is_everything(self) -> bool:
        """Whether the sample is the whole file."""
        return self.rows >= self.total_rows


def read(file: Path, limit: int = SAMPLE_ROWS) -> Sample:
    """Sample `file` (CSV, TSV, Parquet or JSON lines), or raise a PenstockError that says what is wrong with it."""
    if not file.is_file():
        raise PenstockError(
            str(file), "there is no such file", "Give the path of a CSV, Parquet or JSON-lines file."
        )
    source = _source(file)
    connection = duckdb.connect()
    try:
        # One thread makes the reservoir repeatable; the limit keeps a 100 GB file from filling this machine.
        connection.execute("SET threads = 1; SET memory_limit = '1GB'")
        counted = connection.execute(f"SELECT count(*) FROM {source}").fetchone()  # noqa: S608 - quoted by _source
        total = int(counted[0]) if counted else 0
        clause = f" USING SAMPLE reservoir({limit} ROWS) REPEATABLE (42)" if total > limit else ""
        frame = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {source}{clause}").df()  # noqa: S608
    except duckdb.Error as error:
        raise _unreadable(file, str(error).splitlines()[0]) from error
    finally:
        connection.close()
    return Sample(file, _cleaned(file, frame), total, "header=false" in source)


def column_names(file: Path) -> list[str]:
    """The columns of `file`, from its head alone; raises PenstockError when it is no table."""
    if not file.is_file():
        raise _unreadable(file, "there is no such file")
    connection = duckdb.connect()
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {_source(file)}").fetchall()  # noqa: S608
    except duckdb.Error as error:
        raise _unreadable(file, str(error).splitlines()[0]) from error
    finally:
        connection.close()
    return [str(row[0]) for row in described]


def _source(file: Path) -> str:
    """The DuckDB table function that reads `file`, with the path quoted."""
    path = _quoted(str(file))
    suffix = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in {"parquet", "pq"}:
        return f"read_parquet({path})"
    if suffix in {"json", "jsonl", "ndjson"}:
        return f"read_json_auto({path})"
    delimiter, width = _delimiter(file)
    # A file without names is as a machine wrote it: its quotes are part of the text.
    names = ", ".join(f"'column_{number}': 'VARCHAR'" for number in range(1, width + 1))
    head = (
        f"header=false, quote='', escape='', columns={{{names}}}"
        if width
        else "header=true, quote='\"', escape='\"'"
    )
    return (
        f"read_csv({path}, all_varchar=true, {head}, delim={_quoted(delimiter)}, "
        "strict_mode=false, null_padding=true, ignore_errors=true)"
    )


def _quoted(text: str) -> str:
    return _SQL_QUOTE + text.replace(_SQL_QUOTE, _SQL_QUOTE * 2) + _SQL_QUOTE


def _delimiter(file: Path) -> tuple[str, int]:
    """The separator that cuts the first line into the most columns, and their number if it is a row already, else 0."""
    header = _header(file)
    counts = {mark: _outside_quotes(header).count(mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    if not counts[best]:
        if len(header) > _LONGEST_NAME:
            raise _one_line(file)
        return best, 0  # one column: texts, perhaps
    names = [name.strip().strip('"') for name in header.split(best)]
    headless = sum(_is_data(name) for name in names) >= 2
    return best, len(names) if headless else 0


def _header(file: Path) -> str:
    if file.name.lower().endswith(".gz"):
        with gzip.open(file) as packed:
            start = packed.read(65536)
    else:
        with file.open("rb") as plain:
            start = plain.read(65536)
    if b"\0" in start:
        raise _unreadable(file, "it holds binary data, not text")
    lines = start.decode("utf-8-sig", errors="replace").splitlines()
    if "\ufffd" in "".join(lines[:-1]):
        raise PenstockError(
            str(file), "it is not UTF-8 text", f"Save it as UTF-8: iconv -t UTF-8 '{file.name}'."
        )
    if not lines or not lines[0].strip():
        raise _unreadable(file, "it is empty or its first line is")
    return lines[0]


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _is_data(name: str) -> bool:
    """A header cell that is an address or a number other than a year is a value, not a name."""
    return "://" in name or (name.replace(".", "", 1).isdigit() and not (len(name) == 4 and name.isdigit()))


def _cleaned(file: Path, frame: pandas.DataFrame) -> pandas.DataFrame:
    """Trim cells and turn blank ones into None."""
    if frame.empty:
        raise _unreadable(file, "it has a header but no rows")
    frame = frame.astype(object)
    for column in frame.columns:
        trimmed = frame[column].astype("string").str.strip()
        frame[column] = trimmed.where(trimmed.ne("").fillna(False), None).astype(object)
    return frame.where(frame.notna(), None)


def _one_line(file: Path) -> PenstockError:
    """A corpus in one piece, such as text8: nothing of it could be held out."""
    return PenstockError(
        str(file),
        f"it is text in lines of more than {_LONGEST_NAME:,} characters, and words are learned from many short texts",
        f"Cut it: (echo text; fold -s -w 1000 {shlex.quote(str(file))}) > texts.csv; then: penstock init texts.csv.",
    )


def one_column(file: Path) -> PenstockError:
    """A file of one column that is no text: there is nothing to learn from."""
    return _unreadable(file, "its first line has one column only, and that holds no texts")


def _unreadable(file: Path, what: str) -> PenstockError:
    return PenstockError(
        str(file),
        f"it cannot be read as a table: {what}",
        "Give a CSV with a header line, Parquet or JSON lines.",
    )
