"""A project's Glue tables, so that Athena can ask them questions. What each holds: docs/sql.md.

`<project>_prepared` shows the current dataset version, `<project>_versions` every version there is, and
`<project>_quarantine` the refused rows of every version; `<project>_scorecards` and `<project>_predictions` show what
Evaluate writes of the models of every version (judge/lake.py), and are empty until it has.

Their partitions are projected: Athena computes where they lie, so a new version is one change of each table, and the
change of `_prepared` comes last: until then everybody reads the old version, whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

from data.split import SIDES

_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquet{}Format"
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_TYPES = {"number": "double", "date": "timestamp"}
_LONGEST_NAME = 255
_DIGITS = 6  # of a version in its folder's name
_VERSIONS = "prepared/version="
_BOOKKEEPING = (("_row", "bigint"), ("_source", "string"))
_QUARANTINE = (
    *_BOOKKEEPING,
    ("number", "bigint"),
    ("column", "string"),
    ("value", "string"),
    ("reason", "string"),
    ("faults", "array<struct<column:string,value:string,reason:string>>"),
    ("record", "map<string,string>"),
    ("text", "string"),
)
_SCORECARDS = (
    ("run", "string"),
    ("learner", "string"),
    ("judged", "string"),
    ("basis", "string"),
    ("rows", "bigint"),
    ("metric", "string"),
    ("value", "double"),
    ("low", "double"),
    ("high", "double"),
)
Columns = Sequence[tuple[str, str]]


def table_name(project: str, kind: str = "prepared") -> str:
    """`<project>_<kind>`; SQL needs no quotes around underscores, so hyphens become them."""
    return f"{project.replace('-', '_')}_{kind}"


def point(database: str, document: Mapping[str, Any], uri: str) -> str:
    """Make the tables show this version; readers of the old one are not disturbed, its files stay.

    Args:
        database: the Glue database
        document: dataset.json
        uri: where the version lies, ending in `prepared/version=NNNNNN/`

    Returns:
        The name of the table of the current version.
    """
    project, version, columns = str(document["project"]), int(document["version"]), _columns(document)
    lake = uri.rpartition(_VERSIONS)[0]
    quarantine(database, project, version, lake)
    for table in (_versions(project, version, columns, lake), *_judged(document, lake)):
        _put(database, table)
    return _put(database, _prepared(project, version, columns, uri))


def quarantine(database: str, project: str, version: int, lake: str) -> str:
    """Make the table of refused rows reach this version, that of a refused run among them.

    Args:
        database: the Glue database
        project: its name
        version: the newest version that may have refused rows
        lake: the project's part of the lake, ending in `/`

    Returns:
        The table's name.
    """
    said = f"Refused rows of {project}, by version; number is the row's in its file"
    partitions = {"version": _range(version)}
    table = _table(
        table_name(project, "quarantine"),
        said,
        _QUARANTINE,
        partitions,
        f"{lake}quarantine/version={{version}}/",
    )
    return _put(database, table)


def _prepared(project: str, version: int, columns: Columns, uri: str) -> dict[str, Any]:
    said = f"Prepared data of {project}, version {version}"
    key = _free("split", columns)
    table = _table(table_name(project), said, columns, {key: _sides()}, f"{uri}{{{key}}}/")
    table["Parameters"]["penstock.version"] = str(version)
    return table


def _versions(project: str, version: int, columns: Columns, lake: str) -> dict[str, Any]:
    said = f"Prepared data of {project}, every version from 1 to {version} that is kept"
    number, side = _free("version", columns), _free("split", columns)
    partitions = {number: _range(version), side: _sides()}
    where = f"{lake}{_VERSIONS}{{{number}}}/{{{side}}}/"
    return _table(table_name(project, "versions"), said, columns, partitions, where)


def _judged(document: Mapping[str, Any], lake: str) -> Iterator[dict[str, Any]]:
    """The tables Evaluate fills: figures of every model, and what it said of every test row."""
    project, version = str(document["project"]), int(document["version"])
    label = _label(document)
    predictions = (
        ("run", "string"), ("split", "string"), ("row", "bigint"), ("truth", label), ("predicted", label),
        ("score", "double"), ("positive", "double"),
    )  # fmt: skip
    said = {
        "scorecards": (
            f"Figures of the models of {project}, a metric a row, by dataset version",
            _SCORECARDS,
        ),
        "predictions": (
            f"What the models of {project} said of their test rows, by dataset version",
            predictions,
        ),
    }
    for kind, (words, columns) in said.items():
        where = f"{lake}{kind}/version={{version}}/"
        yield _table(table_name(project, kind), words, columns, {"version": _range(version)}, where)


def _label(document: Mapping[str, Any]) -> str:
    return "double" if document["task"] == "regression" else "string"


def _free(name: str, columns: Columns) -> str:
    """A partition's name that no column has: Athena refuses a table with both."""
    taken = {column for column, _ in columns}
    while name in taken:
        name = f"_{name}"
    return name


def _sides() -> dict[str, str]:
    return {"type": "enum", "values": ",".join((*SIDES, "unlabelled"))}


def _range(version: int) -> dict[str, str]:
    return {"type": "integer", "range": f"1,{version}", "digits": str(_DIGITS)}


def _table(
    name: str, said: str, columns: Columns, partitions: Mapping[str, Mapping[str, str]], where: str
) -> dict[str, Any]:
    """A table of Parquet files whose partitions Athena computes; `where` is a folder with `{partition}` in it."""
    return {
        "Name": name,
        "Description": said,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [
            {"Name": key, "Type": "int" if of["type"] == "integer" else "string"}
            for key, of in partitions.items()
        ],
        "Parameters": {
            "classification": "parquet",
            "EXTERNAL": "TRUE",
            **_projection(partitions, where),
        },
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns],
            "Location": where.partition("{")[0].rpartition("/")[0] + "/",
            "InputFormat": _FORMAT.format("Input"),
            "OutputFormat": _FORMAT.format("Output"),
            "SerdeInfo": {"SerializationLibrary": _SERDE},
        },
    }


def _projection(partitions: Mapping[str, Mapping[str, str]], where: str) -> dict[str, str]:
    """The parameters by which Athena computes the partitions and where they lie."""
    template = where
    for key in partitions:
        template = template.replace(f"{{{key}}}", f"${{{key}}}")
    values = {
        f"projection.{key}.{part}": value for key, of in partitions.items() for part, value in of.items()
    }
    return {"projection.enabled": "true", **values, "storage.location.template": template}


def _put(database: str, wanted: Mapping[str, Any]) -> str:
    """Create the table, or replace all of it at once."""
    glue = boto3.client("glue")
    try:
        glue.create_table(DatabaseName=database, TableInput=wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        glue.update_table(DatabaseName=database, TableInput=wanted)
    return str(wanted["Name"])


def _columns(document: Mapping[str, Any]) -> Columns:
    """Names as the catalog keeps them, in lower case; of two that differ in case only, the first."""
    types = {**_TYPES, "label": _label(document)}
    named = ((column["name"], types.get(column["role"], "string")) for column in document["columns"])
    every: dict[str, str] = {}
    for name, kind in (*_BOOKKEEPING, *named):
        every.setdefault(name.lower()[:_LONGEST_NAME], kind)
    return list(every.items())
