"""`information_schema`: the catalog as tables, which is how SQL tools look around."""

from collections.abc import Iterator, Sequence
from typing import Any

from penstock.localaws.athena.ports import World
from penstock.localaws.athena.types import quoted

SCHEMA = "information_schema"
HERE = "_information_schema"
"""What DuckDB calls ours: it has one of its own."""
CATALOG = "awsdatacatalog"
_COLUMNS = {
    "schemata": ("catalog_name", "schema_name"),
    "tables": ("table_catalog", "table_schema", "table_name", "table_type"),
    "columns": ("table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "column_default",
                "is_nullable", "data_type", "comment", "extra_info"),
}  # fmt: skip
_TRINO = {"string": "varchar", "int": "integer", "binary": "varbinary", "float": "real"}


def has(table: str) -> bool:
    """Whether there is such a table in the schema."""
    return table in _COLUMNS


def fill(connection: Any, world: World) -> None:
    """Make the schema's tables from the catalog as it is now."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {HERE}")
    rows = {"schemata": _schemata(world), "tables": _tables(world), "columns": _columns(world)}
    for table, columns in _COLUMNS.items():
        typed = (
            f"{quoted(name)} {'BIGINT' if name == 'ordinal_position' else 'VARCHAR'}" for name in columns
        )
        connection.execute(f"CREATE OR REPLACE TABLE {HERE}.{table} ({', '.join(typed)})")
        found = list(rows[table])
        if found:
            marks = ", ".join("?" for _ in columns)
            connection.executemany(f"INSERT INTO {HERE}.{table} VALUES ({marks})", found)  # noqa: S608  our own names


def _schemata(world: World) -> Iterator[Sequence[Any]]:
    for database in world.databases():
        yield CATALOG, database


def _tables(world: World) -> Iterator[Sequence[Any]]:
    for database in world.databases():
        for table in world.tables(database):
            yield CATALOG, database, table, "BASE TABLE"


def _columns(world: World) -> Iterator[Sequence[Any]]:
    for database in world.databases():
        for name in world.tables(database):
            table = world.table(database, name) or {}
            plain = (table.get("StorageDescriptor") or {}).get("Columns") or []
            keys = table.get("PartitionKeys") or []
            for place, column in enumerate((*plain, *keys), 1):
                kind = str(column.get("Type", "string")).lower()
                extra = "partition key" if place > len(plain) else None
                yield (CATALOG, database, name, str(column["Name"]).lower(), place, None, "YES",
                       _TRINO.get(kind, kind), column.get("Comment"), extra)  # fmt: skip
