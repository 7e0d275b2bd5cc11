"""Types: Hive's in the catalog, DuckDB's while computing, Athena's in a result; and values as Athena writes them."""

import datetime
import math
import re
from decimal import Decimal
from typing import Any

_DUCKDB = {
    "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INTEGER", "integer": "INTEGER",
    "bigint": "BIGINT", "float": "FLOAT", "real": "FLOAT", "double": "DOUBLE", "date": "DATE", "string": "VARCHAR",
    "timestamp": "TIMESTAMP", "binary": "BLOB", "varbinary": "BLOB", "decimal": "DECIMAL(10,0)",
}  # fmt: skip
_ATHENA = {
    "HUGEINT": "bigint", "UBIGINT": "bigint", "UINTEGER": "bigint", "BLOB": "varbinary", "UUID": "varchar",
    "TIMESTAMP_NS": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_S": "timestamp", '"NULL"': "unknown",
}  # fmt: skip
_HIVE = {"varchar": "string", "integer": "int", "varbinary": "binary", "unknown": "string"}
PRECISION = {"integer": 10, "bigint": 19, "smallint": 5, "tinyint": 3, "double": 17, "float": 17, "timestamp": 3,
             "varchar": 2147483647, "varbinary": 1073741824}  # fmt: skip


def duckdb_type(hive: str) -> str:
    """DuckDB's type for a type of the catalog, nested ones too."""
    text = hive.strip().lower()
    nested = re.fullmatch(r"(array|map|struct)<(.*)>", text, re.DOTALL)
    if nested:
        kind, inner = nested.groups()
        parts = _split(inner)
        if kind == "array":
            return f"{duckdb_type(inner)}[]"
        if kind == "map":
            return f"MAP({duckdb_type(parts[0])}, {duckdb_type(parts[1])})"
        fields = (part.partition(":") for part in parts)
        return f"STRUCT({', '.join(f'{quoted(name.strip())} {duckdb_type(of)}' for name, _, of in fields)})"
    return text.upper() if text.startswith("decimal(") else _DUCKDB.get(text.split("(")[0], "VARCHAR")


def _split(inner: str) -> list[str]:
    """The parts between commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(inner):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append(inner[start:place])
            start = place + 1
    return [*parts, inner[start:]]


def athena_type(duckdb: str) -> tuple[str, int, int]:
    """The type, precision and scale a result's column shows for a type of DuckDB's."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb)
    if decimal:
        return "decimal", int(decimal[1]), int(decimal[2])
    if duckdb.endswith("]"):
        return "array", 0, 0
    for start, name in (("STRUCT", "row"), ("MAP", "map"), ("INTERVAL", "interval day to second")):
        if duckdb.startswith(start):
            return name, 0, 0
    name = _ATHENA.get(duckdb, duckdb.lower())
    return name, PRECISION.get(name, 0), 0


def hive_type(duckdb: str) -> str:
    """The catalog's type for a column that CREATE TABLE AS computes."""
    if duckdb.endswith("[]"):
        return f"array<{hive_type(duckdb[:-2])}>"
    name, precision, scale = athena_type(duckdb)
    return f"decimal({precision},{scale})" if name == "decimal" else _HIVE.get(name, name)


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def text_of(value: Any) -> str | None:
    """A value as Athena prints it; None for NULL."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java(value)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + (" UTC" if value.tzinfo else "")
    return value.hex(" ") if isinstance(value, bytes) else _nested(value)


def _nested(value: Any) -> str:
    def part(item: Any) -> str:
        return "null" if item is None else str(text_of(item))

    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(part, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{part(name)}={part(item)}" for name, item in value.items()) + "}"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _java(value: float) -> str:
    """A double as Java writes it: 0.5, 1.0E7, NaN, Infinity."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        whole = f"{Decimal(repr(value)):f}"
        return whole if "." in whole else f"{whole}.0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"
