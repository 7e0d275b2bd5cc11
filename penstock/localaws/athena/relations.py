"""A Glue table as a view of DuckDB's: its files fetched, its columns typed, its partition columns beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.localaws.athena import serde
from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.partitions import Place, Wanted, places
from penstock.localaws.athena.ports import Record, Stored, World
from penstock.localaws.athena.types import duckdb_type, literal, quoted

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_PLAIN = ("VARCHAR", "BOOLEAN", "DOUBLE", "FLOAT", "DATE", "TIMESTAMP", *_INTEGERS)
# Spark writes moments with a zone (UTC); Athena reads them as timestamps all the same.
_READ_AS = (("FLOAT", "DOUBLE"), ("TIMESTAMP_NS", "TIMESTAMP"), ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"))


@dataclass
class Scan:
    """What a query reads: where copies of objects go, and how many bytes they have."""

    world: World
    folder: Path
    connection: Any
    bytes: int = 0
    files: int = 0

    def view(self, database: str, table: Record, wanted: Wanted) -> None:
        """Make `"database"."table"` a view of the folders the query has to read."""
        name = str(table["Name"])
        found = places(table, self.world.partitions(database, name), wanted)
        parts = [part for place in found if (part := self._part(table, place))] or [_empty(table)]
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(database)}")
        body = "\nUNION ALL\n".join(parts)
        self.connection.execute(f"CREATE OR REPLACE VIEW {quoted(database)}.{quoted(name)} AS {body}")

    def _part(self, table: Record, place: Place) -> str:
        """SELECT over one folder; empty when there is no object."""
        stored = self.world.listing(place.uri)
        if not stored:
            return ""
        library = str((table["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary", ""))
        self.bytes += sum(one.size for one in stored)
        if "parquet" in library.lower():
            fields, files = self._parquet(table, stored)
        else:
            fields, files = self._text(table, stored, library)
        for key in table.get("PartitionKeys") or []:
            value = literal(place.values[str(key["Name"]).lower()])
            fields.append(f"CAST({value} AS {duckdb_type(key['Type'])}) AS {quoted(key['Name'].lower())}")
        return f"SELECT {', '.join(fields)} FROM {files}"  # noqa: S608  every name and text in it is quoted

    def _parquet(self, table: Record, stored: Sequence[Stored]) -> tuple[list[str], str]:
        listed = ", ".join(literal(str(self._fetched(one))) for one in stored)
        files = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        described = self.connection.execute(f"DESCRIBE FROM {files}").fetchall()
        there = {str(name).lower(): str(kind) for name, kind, *_ in described}
        return [_from_parquet(column, there, stored[0]) for column in _columns(table)], files

    def _text(self, table: Record, stored: Sequence[Stored], library: str) -> tuple[list[str], str]:
        columns = [str(column["Name"]).lower() for column in _columns(table)]
        parameters = table["StorageDescriptor"]["SerdeInfo"].get("Parameters") or {}
        read = serde.reader(library, parameters, columns)
        skip = int((table.get("Parameters") or {}).get("skip.header.line.count", 0))
        staged = []
        for one in stored:
            source = self._fetched(one)
            target = source.with_suffix(".parquet")
            serde.stage(source, one.key, target, read, columns, skip)
            source.unlink()
            staged.append(literal(str(target)))
        lenient = library.endswith("LazySimpleSerDe")
        fields = [_from_text(column, place, lenient) for place, column in enumerate(_columns(table))]
        return fields, f"read_parquet([{', '.join(staged)}])"

    def _fetched(self, stored: Stored) -> Path:
        self.files += 1
        path = self.folder / f"{self.files}.object"
        self.world.fetch(stored, path)
        return path


def _columns(table: Record) -> Sequence[Record]:
    found: Sequence[Record] = table["StorageDescriptor"].get("Columns") or []
    return found


def _from_parquet(column: Record, there: dict[str, str], example: Stored) -> str:
    """By name, as Athena reads Parquet; NULL where a file lacks the column; another type is bad data, as there."""
    name, wanted = str(column["Name"]).lower(), duckdb_type(column["Type"])
    kind = there.get(name)
    alike = kind in (None, wanted) or wanted not in _PLAIN or {kind, wanted} <= set(_INTEGERS)
    if not alike and (kind, wanted) not in _READ_AS:
        raise QueryFailed(
            f"HIVE_BAD_DATA: Field {name}'s type {kind} in parquet file s3://{example.bucket}/{example.key} is "
            f"incompatible with type {column['Type']} defined in table schema"
        )
    value = quoted(name) if kind else "NULL"
    return f"CAST({value} AS {wanted}) AS {quoted(name)}"


def _from_text(column: Record, place: int, lenient: bool) -> str:
    """A text as its column's type. LazySimpleSerDe makes NULL of what does not fit, the others fail."""
    wanted = duckdb_type(column["Type"])
    value = f"c{place}"
    if wanted not in _PLAIN and not wanted.startswith("DECIMAL"):
        value = f"CAST({value} AS JSON)"
    cast = "TRY_CAST" if lenient else "CAST"
    return f"{cast}({value} AS {wanted}) AS {quoted(str(column['Name']).lower())}"


def _empty(table: Record) -> str:
    columns = [*_columns(table), *(table.get("PartitionKeys") or [])]
    fields = (f"CAST(NULL AS {duckdb_type(c['Type'])}) AS {quoted(c['Name'].lower())}" for c in columns)
    return f"SELECT {', '.join(fields)} WHERE FALSE"
