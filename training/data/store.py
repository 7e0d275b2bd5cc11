"""Amazon S3 as Prepare uses it: drops in, documents and Parquet out. boto3 finds the endpoint and the credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from data.errors import RefusedObject

CHUNK = 1 << 20
_MD5 = re.compile(r"[0-9a-f]{32}")
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
_CHANGED = {"PreconditionFailed", "412"}


@dataclass(frozen=True)
class Drop:
    """One object of runs/<run>/objects.json. `ordinal` is its place in the order of sequencer and key, from 0."""

    ordinal: int
    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str
    size: int
    claimed_now: bool


def drops(document: Mapping[str, Any]) -> list[Drop]:
    """The objects of a run in the order their rows are read: by sequencer, then key."""
    # Sequencers are hexadecimal numbers without leading zeros in S3's events: pad, then compare as text.
    ordered = sorted(document["objects"], key=lambda item: (item["sequencer"].rjust(64, "0"), item["key"]))
    return [
        Drop(
            ordinal=ordinal,
            bucket=item["bucket"],
            key=item["key"],
            version_id=item.get("version_id"),
            etag=str(item.get("etag") or "").strip('"'),
            sequencer=item["sequencer"],
            size=int(item.get("size", 0)),
            claimed_now=bool(item.get("claimed_now", True)),
        )
        for ordinal, item in enumerate(ordered)
    ]


def client(connections: int = 10) -> Any:
    """An S3 client that may be shared by as many threads as it has connections."""
    config = Config(max_pool_connections=connections, retries={"mode": "standard", "max_attempts": 5})
    return boto3.client("s3", config=config)


def place(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as ("bucket", "a/b")."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ValueError(f"{uri!r} is not an S3 address; write it as s3://bucket/key")
    return bucket, key


def read_json(s3: Any, uri: str) -> Any:
    """A JSON document."""
    bucket, key = place(uri)
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def find_json(s3: Any, uri: str) -> Any | None:
    """A JSON document, or None when there is no such object."""
    try:
        return read_json(s3, uri)
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise


def newest_whole(s3: Any, uri: str, below: int) -> Any | None:
    """The dataset.json of the newest whole version under a prefix that is older than `below`, or None."""
    bucket, prefix = place(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    folders = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]
    own = f"{prefix}version={below:06d}/"
    for folder in sorted((folder for folder in folders if folder < own), reverse=True):
        found = find_json(s3, f"s3://{bucket}/{folder}dataset.json")
        if found is not None:
            return found
    return None


def write_json(s3: Any, uri: str, document: Mapping[str, Any]) -> None:
    """Put a document in one piece: S3 shows all of it or none of it."""
    write_text(
        s3, uri, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False), "application/json"
    )


def write_text(s3: Any, uri: str, text: str, kind: str) -> None:
    """Put a text of a content type, in one piece."""
    bucket, key = place(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=kind)


def upload(s3: Any, path: str, uri: str) -> None:
    """Put a local file, in parts when it is large."""
    bucket, key = place(uri)
    s3.upload_file(path, bucket, key)


def clear(s3: Any, uri: str) -> int:
    """Remove what an attempt that died left below a prefix; the number of objects removed."""
    bucket, prefix = place(uri)
    removed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
            removed += 1
    return removed


@dataclass(frozen=True)
class Opened:
    """An object being read. `md5` is what its bytes must hash to, or None when its etag does not say."""

    chunks: Iterator[bytes]
    md5: str | None


def open_drop(s3: Any, drop: Drop) -> Opened:
    """Start to read exactly the object that was claimed.

    Raises:
        RefusedObject: it is gone, or another object has taken its key since.
    """
    wanted = {"Bucket": drop.bucket, "Key": drop.key}
    if drop.version_id:
        wanted["VersionId"] = drop.version_id
    elif drop.etag:
        wanted["IfMatch"] = f'"{drop.etag}"'
    try:
        answer = s3.get_object(**wanted)
    except ClientError as error:
        raise _refusal(error) from error
    # The etag of a multipart upload, or of one encrypted with a customer's key, is no MD5 of the bytes.
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and not answer.get(
        "SSECustomerAlgorithm"
    )
    is_md5 = plain and _MD5.fullmatch(drop.etag)
    return Opened(answer["Body"].iter_chunks(CHUNK), drop.etag if is_md5 else None)


def _refusal(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code in _GONE:
        return RefusedObject("the object is gone from the bucket; drop it again if it is still wanted")
    if code in _CHANGED:
        return RefusedObject(
            "the object was replaced after it was claimed; the newer upload is judged on its own"
        )
    return error
