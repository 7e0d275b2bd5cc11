"""Refused rows as a file a person corrects, and that file as uploads whose rows take the place of the refused ones.

docs/decisions/0015-replay.md says why it is done so; training/data/replayed.py reads what is dropped here.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from penstock.client import stored
from penstock.client.runs import Runs
from penstock.errors import PenstockError

OWN = ("_version", "_source", "_etag", "_number", "_reason", "_text")
"""The columns of the file that say which row is meant; whoever corrects it leaves them as they are."""
NUMBER = "_replayed_number"
Row = dict[str, str]


def refused(runs: Runs, project: str, version: int | None) -> tuple[int, list[Row]]:
    """The refused rows of a version (default: of the newest run that prepared anything), as the file has them."""
    for record in runs.api.runs(project):
        prepared = runs.prepared(record["run"])
        if prepared is not None and version in (None, prepared["version"]):
            return prepared["version"], _rows(prepared)
    what = f"no run has prepared version {version}" if version else "no run has prepared anything yet"
    raise PenstockError(f"project {project}", what, "`penstock runs` lists its runs.")


def _rows(prepared: dict[str, Any]) -> list[Row]:
    if not prepared.get("quarantine_uri"):
        return []
    etags = {one["key"]: one["etag"] for one in prepared["objects"]}
    return [_row(row, prepared["version"], etags) for row in _stored(prepared["quarantine_uri"])]


def _stored(uri: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415  # heavy, and only this word needs it

    bucket, prefix = stored.place(uri)
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    found = [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    return sorted(found, key=lambda row: int(row["_row"]))


def _row(row: dict[str, Any], version: int, etags: dict[str, str]) -> Row:
    said = "; ".join(f"{fault['column']} {fault['reason']}".strip() for fault in row["faults"])
    own = (version, row["_source"], etags.get(row["_source"], ""), row["number"], said, row["text"] or "")
    cells = {name: cell or "" for name, cell in dict(row["record"] or ()).items()}
    return {**{name: str(value) for name, value in zip(OWN, own, strict=True)}, **cells}


def columns(rows: Iterable[Row]) -> list[str]:
    """The files' own columns, in their order."""
    return [name for name in dict.fromkeys(name for row in rows for name in row) if name not in OWN]


def write(path: Path, rows: list[Row]) -> None:
    """The file to correct."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*OWN, *columns(rows)], restval="")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[Row]:
    """A corrected file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [{name: cell or "" for name, cell in row.items() if name} for row in csv.DictReader(file)]
    lacking = [name for name in OWN[:4] if not rows or name not in rows[0]]
    if lacking:
        raise PenstockError(
            str(path),
            f"it has no rows with {', '.join(lacking)}",
            "Make it with `penstock replay`, and leave the columns alone that begin with _.",
        )
    return rows


def corrected(given: list[Row], known: list[Row], path: str) -> dict[str, list[Row]]:
    """The rows that were changed, by the key they are to be dropped at.

    Raises:
        PenstockError: a row is not among those that were refused.
    """
    by_place = {(row["_source"], row["_number"]): row for row in known}
    result: dict[str, list[Row]] = {}
    for line, row in enumerate(given, 2):
        before = by_place.get((row["_source"], row["_number"]))
        if before is None:
            raise PenstockError(
                f"{path}, record {line - 1}",
                f"row {row['_number']} of {row['_source']} was not refused in version {row['_version']}",
                "Make the file anew with `penstock replay`.",
            )
        cells = {name: cell for name, cell in row.items() if name not in OWN}
        if any(cell != before.get(name, "") for name, cell in cells.items()):
            result.setdefault(_key(before), []).append({NUMBER: before["_number"], **cells})
    return result


def _key(row: Row) -> str:
    _, project, name = row["_source"].split("/", 2)
    folder = f"drop/{project}/replay/version={int(row['_version']):06d}/etag={row['_etag']}"
    return f"{folder}/{name}.replay.csv"


def drop(bucket: str, key: str, rows: list[Row]) -> int:
    """Upload corrections; those of other rows that are there already stay. How many rows it then has."""
    s3 = boto3.client("s3")
    numbers = {row[NUMBER] for row in rows}
    every = [*(row for row in _dropped(s3, bucket, key) if row[NUMBER] not in numbers), *rows]
    every.sort(key=lambda row: int(row[NUMBER]))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in every for name in row)), restval="")
    writer.writeheader()
    writer.writerows(every)
    s3.put_object(Bucket=bucket, Key=key, Body=text.getvalue().encode(), ContentType="text/csv")
    return len(every)


def _dropped(s3: Any, bucket: str, key: str) -> list[Row]:
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if stored.is_absent(error):
            return []
        raise
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
