"""Which objects a job transforms, and where each one's output goes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.jobs import transfers

_LARGEST_MANIFEST = 64 << 20


@dataclass(frozen=True)
class Input:
    """One object; `name` is its key without the prefix that was asked for, `output` the S3 address of its result."""

    bucket: str
    key: str
    name: str
    output: str

    @property
    def label(self) -> str:
        """How the data log names it."""
        return f"{self.bucket}/{self.key}"

    @property
    def uri(self) -> str:
        """Its S3 address."""
        return f"s3://{self.bucket}/{self.key}"


def find(s3: Any, source: dict[str, Any], output: str) -> list[Input]:
    """The inputs of an S3DataSource in the order of their keys; JobFault when there are none."""
    uri = source["S3Uri"]
    try:
        named = _manifest(s3, uri) if source["S3DataType"] == "ManifestFile" else _prefix(s3, uri)
        found = {
            key: Input(bucket, key, name, f"{output.rstrip('/')}/{name}.out") for bucket, key, name in named
        }
    except (ClientError, BotoCoreError) as error:
        raise client_error(f"Data download failed:{error} ({uri})") from error
    if not found:
        raise client_error(f'No S3 objects found under S3 URL "{uri}" given in input data source.')
    return [found[key] for key in sorted(found)]


def exist(s3: Any, source: dict[str, Any]) -> bool:
    """Whether there is any object (or, of a manifest, the manifest)."""
    bucket, key = transfers.split(source["S3Uri"])
    try:
        if source["S3DataType"] == "ManifestFile":
            s3.head_object(Bucket=bucket, Key=key)
            return True
        return next(_keys(s3, bucket, key), None) is not None
    except (ClientError, BotoCoreError):
        return False


def shares(found: list[Input], count: int) -> list[list[Input]]:
    """The inputs of each of `count` instances, by turns; never an instance without any."""
    return [found[number::count] for number in range(min(count, len(found)))]


def _prefix(s3: Any, uri: str) -> Iterator[tuple[str, str, str]]:
    bucket, prefix = transfers.split(uri)
    keys = list(_keys(s3, bucket, prefix))
    # A prefix without its `/` may be a folder's name, or begin several names: one cut for all keeps outputs apart.
    folder = prefix and not prefix.endswith("/") and all(key.startswith(f"{prefix}/") for key in keys)
    cut = len(prefix) + 1 if folder else prefix.rfind("/") + 1
    for key in keys:
        yield bucket, key, key[cut:]


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):  # the console's way to show an empty folder
                yield item["Key"]


def _manifest(s3: Any, uri: str) -> Iterator[tuple[str, str, str]]:
    """`[{"prefix": "s3://bucket/a/"}, "b.csv", …]`."""
    bucket, key = transfers.split(uri)
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read(_LARGEST_MANIFEST)
    try:
        first, *names = json.loads(content)
        start = first["prefix"]
        if not isinstance(start, str) or not all(isinstance(name, str) and name for name in names):
            raise ValueError("its entries after the prefix must be texts")
    except (ValueError, LookupError, TypeError) as error:
        raise client_error(f"Data download failed:{uri} is not a manifest file: {error}") from error
    bucket, prefix = transfers.split(start)
    for name in names:
        yield bucket, prefix + name, name
