"""Hive's statements about the catalog: SHOW, DESCRIBE, MSCK REPAIR, databases, partitions."""

import fnmatch
import re
from collections.abc import Callable, Sequence

from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.ports import Record, World

Lines = list[str]
Work = Callable[["re.Match[str]", World, str], Lines]
_NAME = r"""(?:`[^`]+`|"[^"]+"|[\w-]+)"""
_TABLE = rf"(?P<table>{_NAME}(?:\.{_NAME})?)"
_NOT_FOUND = "FAILED: SemanticException [Error 10001]: Table not found {}"
_FAILED = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {}"


def find(sql: str) -> tuple[str, Callable[[World, str], Lines]] | None:
    """A statement's result columns, and its work (world, database) → lines; None when it is no such statement."""
    text = re.sub(r"^(\s*--[^\n]*\n)+", "", sql).strip().rstrip(";").strip()
    for pattern, column, work in _STATEMENTS:
        found = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
        if found:
            return column, lambda world, database: work(found, world, database)  # noqa: B023  returned at once
    return None


def _bare(name: str) -> str:
    return name.strip('`"').lower()


def _table(found: "re.Match[str]", world: World, database: str) -> tuple[str, str, Record]:
    parts = [_bare(part) for part in re.findall(_NAME, found["table"])]
    where, name = parts if len(parts) == 2 else (database, parts[0])
    table = world.table(where, name)
    if table is None:
        raise QueryFailed(_NOT_FOUND.format(f"{where}.{name}"))
    return where, name, table


def _matching(names: Sequence[str], pattern: str | None) -> Lines:
    """Names a Hive pattern takes: `*` for anything, `|` between alternatives."""
    wanted = (pattern or "*").lower().split("|")
    return [name for name in names if any(fnmatch.fnmatchcase(name, one) for one in wanted)]


def _show_databases(found: "re.Match[str]", world: World, _: str) -> Lines:
    return _matching(world.databases(), found["like"])


def _show_tables(found: "re.Match[str]", world: World, database: str) -> Lines:
    where = _bare(found["database"] or database)
    if where not in world.databases():
        raise QueryFailed(_FAILED.format(f"Database does not exist: {where}"))
    return _matching(world.tables(where), found["like"])


def _show_partitions(found: "re.Match[str]", world: World, database: str) -> Lines:
    where, name, table = _table(found, world, database)
    keys = [key["Name"] for key in table.get("PartitionKeys") or []]
    if not keys:
        raise QueryFailed(
            f"FAILED: SemanticException [Error 10241]: Table {where}.{name} is not a partitioned table"
        )
    every = (zip(keys, one["Values"], strict=False) for one in world.partitions(where, name))
    return sorted("/".join(f"{key}={value}" for key, value in pairs) for pairs in every)


def _show_columns(found: "re.Match[str]", world: World, database: str) -> Lines:
    _, _, table = _table(found, world, _bare(found["database"] or database))
    return [str(column["Name"]) for column in _all(table)]


def _all(table: Record) -> list[Record]:
    return [*(table["StorageDescriptor"].get("Columns") or []), *(table.get("PartitionKeys") or [])]


def _described(column: Record) -> str:
    return (
        "\t".join(f"{column.get(part, '')!s:<20}" for part in ("Name", "Type"))
        + f"\t{column.get('Comment', ''):<20}"
    )


def _describe(found: "re.Match[str]", world: World, database: str) -> Lines:
    _, _, table = _table(found, world, database)
    lines = [_described(column) for column in _all(table)]
    keys = table.get("PartitionKeys") or []
    if keys:
        head = _described({"Name": "# col_name", "Type": "data_type", "Comment": "comment"})
        lines += ["\t \t ", "# Partition Information\t \t ", head, "\t \t ", *map(_described, keys)]
    return lines


def _show_properties(found: "re.Match[str]", world: World, database: str) -> Lines:
    _, _, table = _table(found, world, database)
    return [f"{name}\t{value}" for name, value in sorted((table.get("Parameters") or {}).items())]


def _show_create(found: "re.Match[str]", world: World, database: str) -> Lines:
    where, name, table = _table(found, world, database)
    storage, serde = table["StorageDescriptor"], table["StorageDescriptor"].get("SerdeInfo") or {}

    def columns(some: Sequence[Record]) -> str:
        return ", \n".join(f"  `{column['Name']}` {column['Type']}" for column in some)

    def pairs(some: Record) -> str:
        return ", \n".join(f"  '{key}'='{value}'" for key, value in sorted(some.items()))

    lines = [f"CREATE EXTERNAL TABLE `{where}.{name}`(", columns(storage.get("Columns") or []) + ")"]
    if table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", columns(table["PartitionKeys"]) + ")"]
    lines += ["ROW FORMAT SERDE ", f"  '{serde.get('SerializationLibrary', '')}' "]
    if serde.get("Parameters"):
        lines += ["WITH SERDEPROPERTIES ( ", pairs(serde["Parameters"]) + ") "]
    lines += ["STORED AS INPUTFORMAT ", f"  '{storage.get('InputFormat', '')}' ", "OUTPUTFORMAT "]
    lines += [f"  '{storage.get('OutputFormat', '')}'", "LOCATION", f"  '{storage.get('Location', '')}'"]
    lines += ["TBLPROPERTIES (", pairs(table.get("Parameters") or {}) + ")"]
    return "\n".join(lines).split("\n")


def _create_database(found: "re.Match[str]", world: World, _: str) -> Lines:
    name = _bare(found["database"])
    if name in world.databases():
        if found["exists"]:
            return []
        raise QueryFailed(_FAILED.format(f"Database {name} already exists"))
    given = {"Description": found["comment"], "LocationUri": found["location"]}
    kept = {key: value for key, value in given.items() if value}
    world.glue("create_database", DatabaseInput={"Name": name, **kept})
    return []


def _drop_database(found: "re.Match[str]", world: World, _: str) -> Lines:
    name = _bare(found["database"])
    if name not in world.databases():
        if found["exists"]:
            return []
        raise QueryFailed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}")
    if world.tables(name) and (found["how"] or "").lower() != "cascade":
        raise QueryFailed(
            _FAILED.format(
                f"InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
            )
        )
    world.glue("delete_database", Name=name)
    return []


def _repair(found: "re.Match[str]", world: World, database: str) -> Lines:
    """Register the `key=value` folders below the location that are no partitions yet."""
    where, name, table = _table(found, world, database)
    keys = [str(key["Name"]).lower() for key in table.get("PartitionKeys") or []]
    location = str(table["StorageDescriptor"]["Location"]).rstrip("/") + "/"
    known = {tuple(one["Values"]) for one in world.partitions(where, name)}
    folder = re.compile("".join(rf"{re.escape(key)}=([^/]+)/" for key in keys), re.IGNORECASE)
    added = {}
    prefix = location.split("/", 3)[3]
    for stored in world.listing(location):
        here = folder.match(stored.key[len(prefix) :])
        if keys and here and here.groups() not in known:
            added[here.groups()] = location + here.group(0)
    for values, uri in added.items():
        _add(world, where, table, values, uri)
    named = [f"{name}:" + "/".join(map("=".join, zip(keys, values, strict=True))) for values in added]
    missing = [f"Partitions not in metastore:\t{chr(9).join(named)}"] if named else []
    return missing + [f"Repair: Added partition to metastore {one}" for one in named]


def _add(world: World, database: str, table: Record, values: Sequence[str], uri: str) -> None:
    storage = {**table["StorageDescriptor"], "Location": uri}
    partition = {"Values": list(values), "StorageDescriptor": storage}
    world.glue("create_partition", DatabaseName=database, TableName=table["Name"], PartitionInput=partition)


def _values(found: "re.Match[str]", table: Record) -> list[str]:
    given = {key.strip("`").lower(): value.strip("'\"") for key, value in
             re.findall(r"([`\w]+)\s*=\s*('[^']*'|\"[^\"]*\"|\w+)", found["partition"])}  # fmt: skip
    keys = [str(key["Name"]).lower() for key in table.get("PartitionKeys") or []]
    if set(given) != set(keys):
        raise QueryFailed(
            f"FAILED: SemanticException [Error 10098]: partition columns are {', '.join(keys) or 'none'}"
        )
    return [given[key] for key in keys]


def _add_partition(found: "re.Match[str]", world: World, database: str) -> Lines:
    where, name, table = _table(found, world, database)
    values = _values(found, table)
    if values in [one["Values"] for one in world.partitions(where, name)]:
        if found["exists"]:
            return []
        raise QueryFailed(_FAILED.format("AlreadyExistsException(message:Partition already exists.)"))
    keys = [key["Name"] for key in table["PartitionKeys"]]
    usual = "/".join(map("=".join, zip(keys, values, strict=True)))
    base = str(table["StorageDescriptor"]["Location"]).rstrip("/")
    _add(world, where, table, values, found["location"] or f"{base}/{usual}")
    return []


def _drop_partition(found: "re.Match[str]", world: World, database: str) -> Lines:
    where, name, table = _table(found, world, database)
    values = _values(found, table)
    if values not in [one["Values"] for one in world.partitions(where, name)] and not found["exists"]:
        raise QueryFailed("FAILED: SemanticException [Error 10006]: Partition not found")
    world.glue("delete_partition", DatabaseName=where, TableName=name, PartitionValues=values)
    return []


_STATEMENTS: tuple[tuple[str, str, Work], ...] = (
    (r"SHOW\s+(?:DATABASES|SCHEMAS)(?:\s+(?:LIKE\s+)?'(?P<like>[^']*)')?", "database_name", _show_databases),
    (
        rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+(?P<database>{_NAME}))?(?:\s+(?:LIKE\s+)?'(?P<like>[^']*)')?",
        "tab_name",
        _show_tables,
    ),
    (rf"SHOW\s+PARTITIONS\s+{_TABLE}", "partition", _show_partitions),
    (
        rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}(?:\s+(?:IN|FROM)\s+(?P<database>{_NAME}))?",
        "field",
        _show_columns,
    ),
    (rf"SHOW\s+TBLPROPERTIES\s+{_TABLE}", "prpt_name prpt_value", _show_properties),
    (rf"SHOW\s+CREATE\s+TABLE\s+{_TABLE}", "createtab_stmt", _show_create),
    (rf"DESC(?:RIBE)?\s+(?:(?:EXTENDED|FORMATTED)\s+)?{_TABLE}", "col_name data_type comment", _describe),
    (rf"MSCK\s+REPAIR\s+TABLE\s+{_TABLE}", "result", _repair),
    (
        (
            rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?(?P<database>{_NAME})"
            r"(?:\s+COMMENT\s+'(?P<comment>[^']*)')?(?:\s+LOCATION\s+'(?P<location>[^']*)')?"
            r"(?:\s+WITH\s+DBPROPERTIES\s*\(.*\))?"
        ),
        "result",
        _create_database,
    ),
    (
        rf"DROP\s+(?:DATABASE|SCHEMA)\s+(?P<exists>IF\s+EXISTS\s+)?(?P<database>{_NAME})(?:\s+(?P<how>RESTRICT|CASCADE))?",
        "result",
        _drop_database,
    ),
    (
        (
            rf"ALTER\s+TABLE\s+{_TABLE}\s+ADD\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?PARTITION\s*\((?P<partition>[^)]*)\)"
            r"(?:\s+LOCATION\s+'(?P<location>[^']*)')?"
        ),
        "result",
        _add_partition,
    ),
    (
        rf"ALTER\s+TABLE\s+{_TABLE}\s+DROP\s+(?P<exists>IF\s+EXISTS\s+)?PARTITION\s*\((?P<partition>[^)]*)\)",
        "result",
        _drop_partition,
    ),
)
