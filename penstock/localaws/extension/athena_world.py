"""Glue's catalog and S3's objects as Athena's queries need them (`penstock.localaws.athena.ports.World`).

Touches in `ministack.services`: `glue._databases`, `_tables`, `_partitions` and its `_create_…`, `_delete_…` handlers;
`s3._buckets`, `_read_body`, `_object_disk_path` and `_put_object`. Checked on MiniStack 1.5.33. All of it belongs to
the account and region of the context it is called in, so a query's thread runs in a copy of its request's context.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ministack.services import glue, s3

from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.ports import Record, Stored


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two halves of an s3:// address."""
    parsed = urlparse(uri, allow_fragments=False)
    return parsed.netloc, parsed.path.lstrip("/")


class MiniStackWorld:
    """The world of the request's account and region."""

    def databases(self) -> Sequence[str]:
        """Names of all databases, sorted."""
        return sorted(str(name) for name in list(glue._databases))

    def table(self, database: str, name: str) -> Record | None:
        """A table as Glue's GetTable shows it."""
        found: Record | None = glue._tables.get(f"{database}/{name}")
        return found

    def tables(self, database: str) -> Sequence[str]:
        """Names of a database's tables, sorted."""
        start = f"{database}/"
        return sorted(str(key)[len(start) :] for key in list(glue._tables) if str(key).startswith(start))

    def partitions(self, database: str, table: str) -> Sequence[Record]:
        """A table's registered partitions."""
        return list(glue._partitions.get(f"{database}/{table}", []))

    def glue(self, operation: str, **request: Any) -> None:
        """Change the catalog; raises QueryFailed with Hive's words when Glue refuses."""
        status, _, body = getattr(glue, f"_{operation}")(request)
        if status >= 300:
            told = json.loads(body)
            said = f"{str(told.get('__type', '')).rpartition('#')[2]}(message:{told.get('message', '')})"
            raise QueryFailed(
                f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {said}"
            )

    def listing(self, uri: str) -> Sequence[Stored]:
        """Objects below an address, without those Hive hides (`_…`, `.…`), by key."""
        name, prefix = bucket_and_key(uri)
        bucket = s3._buckets.get(name)
        start = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        found = []
        for key, one in list(bucket["objects"].items()) if bucket else []:
            rest = key[len(start) :] if key.startswith(start) else ""
            hidden = any(part.startswith(("_", ".")) for part in rest.split("/"))
            if rest and not hidden and not key.endswith("/") and one["size"]:
                found.append(Stored(name, key, int(one["size"])))
        return sorted(found, key=lambda stored: stored.key)

    def fetch(self, stored: Stored, path: Path) -> None:
        """Copy an object to a file: from the disk where it lies there, so that memory stays small."""
        one = s3._buckets[stored.bucket]["objects"].get(stored.key)
        if one is None:
            raise QueryFailed(f"HIVE_CANNOT_OPEN_SPLIT: s3://{stored.bucket}/{stored.key} is gone")
        kept = s3._object_disk_path(stored.bucket, stored.key) if one.get("body") is None else None
        if kept:
            shutil.copyfile(kept, path)
        else:
            path.write_bytes(s3._read_body(stored.bucket, stored.key, one))

    def put(self, uri: str, content: bytes) -> None:
        """Write an object; raises QueryFailed when its bucket is not there."""
        bucket, key = bucket_and_key(uri)
        kind = "text/csv" if key.endswith(".csv") else "application/octet-stream"
        answer = s3._put_object(
            bucket, key, content, {"content-type": kind, "content-length": str(len(content))}
        )
        if answer[0] >= 300:
            raise QueryFailed(f"Unable to verify/create output bucket {bucket}")

    def read(self, uri: str) -> bytes | None:
        """An object's content, or None."""
        found: bytes | None = s3._get_object_data(*bucket_and_key(uri))
        return found
