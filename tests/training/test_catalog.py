"""The Glue tables of a project: what a version makes them show, and names that would get in Athena's way."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from data import catalog

from tests.training.optml import evaluated

TYPES = {"string": "string", "int64": "bigint", "double": "double"}  # Parquet's and the catalog's
LAKE = "s3://bucket/lake/a-b/"


def document(version: int, columns: dict[str, str], task: str = "classification") -> dict[str, Any]:
    """As much of dataset.json as the catalog reads."""
    named = [{"name": name, "role": role, "format": None} for name, role in columns.items()]
    return {"project": "a-b", "version": version, "task": task, "columns": named}


@pytest.fixture
def tables(
    aws: Any, aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Points a fresh database at versions; answers its tables by name."""
    glue, name = aws("glue"), f"db_{uuid.uuid4().hex[:12]}"
    glue.create_database(DatabaseInput={"Name": name})
    for setting in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(setting, aws_environment[setting])

    def show(*documents: dict[str, Any]) -> dict[str, Any]:
        for one in documents:
            uri = f"{LAKE}prepared/version={one['version']:06d}/"
            assert catalog.point(name, one, uri) == "a_b_prepared"
        found: list[dict[str, Any]] = glue.get_tables(DatabaseName=name)["TableList"]
        return {table["Name"]: table for table in found}

    return show


def columns(table: dict[str, Any], part: str = "columns") -> dict[str, str]:
    """Names and types of a table's columns, or of its partitions."""
    listed = table["PartitionKeys"] if part == "partitions" else table["StorageDescriptor"]["Columns"]
    return {column["Name"]: column["Type"] for column in listed}


def test_a_new_version_moves_every_table(tables: Callable[..., dict[str, Any]]) -> None:
    roles = {"Id": "id", "Size": "number", "Seen": "date", "Kind": "label", "Extra": "ignore"}
    found = tables(document(1, {"Id": "id"}), document(2, roles))
    kinds = ("prepared", "versions", "quarantine", "scorecards", "predictions")
    assert set(found) == {f"a_b_{kind}" for kind in kinds}
    types = {
        "_row": "bigint", "_source": "string", "id": "string", "size": "double", "seen": "timestamp",
        "kind": "string", "extra": "string",
    }  # fmt: skip
    current, every, refused = (found[f"a_b_{kind}"] for kind in ("prepared", "versions", "quarantine"))
    assert columns(current) == columns(every) == types
    assert current["Parameters"]["storage.location.template"] == f"{LAKE}prepared/version=000002/${{split}}/"
    assert current["StorageDescriptor"]["Location"] == f"{LAKE}prepared/version=000002/"
    assert current["Parameters"]["penstock.version"] == "2"
    assert columns(every, "partitions") == {"version": "int", "split": "string"}
    assert every["Parameters"]["projection.version.range"] == "1,2"
    assert (
        every["Parameters"]["storage.location.template"] == f"{LAKE}prepared/version=${{version}}/${{split}}/"
    )
    assert every["StorageDescriptor"]["Location"] == f"{LAKE}prepared/"
    assert refused["Parameters"]["storage.location.template"] == f"{LAKE}quarantine/version=${{version}}/"
    assert refused["StorageDescriptor"]["Location"] == f"{LAKE}quarantine/"


@pytest.mark.slow
def test_what_evaluate_writes_is_what_the_catalog_tells(
    tables: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Columns by name and type, of both tables, of a classification and of a regression."""
    for kind in ("binary", "numbers"):
        of = {**document(1, {"y": "label"}, "regression" if kind == "numbers" else "classification")}
        found = tables(of)
        for name in ("scorecards", "predictions"):
            [written] = (evaluated(kind)[0].parent / name).glob("*.parquet")
            types = {field.name: TYPES[str(field.type)] for field in pq.read_schema(written)}
            assert columns(found[f"a_b_{name}"]) == types
            assert found[f"a_b_{name}"]["StorageDescriptor"]["Location"] == f"{LAKE}{name}/"
            assert columns(found[f"a_b_{name}"], "partitions") == {"version": "int"}


def test_columns_that_athena_would_refuse(tables: Callable[..., dict[str, Any]]) -> None:
    """A column called as a partition, and two that differ in case only."""
    roles = {"Split": "category", "version": "number", "Text": "text", "text": "ignore", "y": "label"}
    found = tables(document(1, roles, task="regression"))
    assert columns(found["a_b_versions"], "partitions") == {"_version": "int", "_split": "string"}
    assert found["a_b_prepared"]["Parameters"]["storage.location.template"].endswith("${_split}/")
    assert list(columns(found["a_b_prepared"])) == ["_row", "_source", "split", "version", "text", "y"]
    assert columns(found["a_b_prepared"])["y"] == "double"
