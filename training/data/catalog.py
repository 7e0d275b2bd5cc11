"""The Glue catalog's table of a project's current dataset, so that Athena can ask it questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

from data.split import SIDES

_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquet{}Format"
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_TYPES = {"number": "double", "date": "timestamp"}


def table_name(project: str) -> str:
    """`<project>_prepared`; SQL needs no quotes around underscores, so hyphens become them."""
    return f"{project.replace('-', '_')}_prepared"


def point(database: str, document: Mapping[str, Any], uri: str) -> str:
    """Make the table show this version; readers of the old one are not disturbed, its files stay.

    Args:
        database: the Glue database
        document: dataset.json
        uri: where the version lies, ending in `/`

    Returns:
        The table's name.
    """
    glue = boto3.client("glue")
    wanted = _table(document, uri)
    try:
        glue.create_table(DatabaseName=database, TableInput=wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        glue.update_table(DatabaseName=database, TableInput=wanted)
    return str(wanted["Name"])


def _table(document: Mapping[str, Any], uri: str) -> dict[str, Any]:
    return {
        "Name": table_name(document["project"]),
        "Description": f"Prepared data of {document['project']}, version {document['version']}",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "split", "Type": "string"}],
        "Parameters": {
            "classification": "parquet",
            "EXTERNAL": "TRUE",
            "penstock.version": str(document["version"]),
            # Projection spares a partition per split and version in the catalog.
            "projection.enabled": "true",
            "projection.split.type": "enum",
            "projection.split.values": ",".join((*SIDES, "unlabelled")),
            "storage.location.template": f"{uri}${{split}}/",
        },
        "StorageDescriptor": {
            "Columns": _columns(document),
            "Location": uri,
            "InputFormat": _FORMAT.format("Input"),
            "OutputFormat": _FORMAT.format("Output"),
            "SerdeInfo": {"SerializationLibrary": _SERDE},
        },
    }


def _columns(document: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    target = "string" if document["task"] == "classification" else "double"
    types = {**_TYPES, "label": target}
    named = [(column["name"], types.get(column["role"], "string")) for column in document["columns"]]
    every = [("_row", "bigint"), ("_source", "string"), *named]
    return [{"Name": name.lower()[:255], "Type": kind} for name, kind in every]
