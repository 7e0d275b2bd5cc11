"""A model's data from S3 to a directory: complete or not there at all, and nothing in it reaches outside.

Archive   one object, a gzip-compressed tar, unpacked
Object    one object as it is, under its own name
Prefix    every object below a prefix, as it is
Only      the one object below a prefix, a gzip-compressed tar, unpacked
Many      a multi-model endpoint's prefix: each model is fetched when it is asked for
"""

import contextlib
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.names import split_s3

ARCHIVE, OBJECT, PREFIX, ONLY, MANY = "Archive", "Object", "Prefix", "Only", "Many"
_GONE = ("404", "NoSuchKey", "NoSuchBucket", "403", "AccessDenied")


class Unusable(Exception):
    """The model data cannot be used; the message is an endpoint's FailureReason."""


class Missing(Unusable):
    """There is no such object."""


def exists(s3: Any, uri: str, kind: str = ARCHIVE) -> bool:
    """Whether the object is there, or any object below the prefix; a multi-model's prefix may still be empty."""
    bucket, key = split_s3(uri)
    try:
        if kind in (PREFIX, ONLY):
            return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount"))
        if kind == MANY:
            s3.head_bucket(Bucket=bucket)
        else:
            s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


def unpack(s3: Any, uri: str | None, target: Path, seconds: float | None = None, kind: str = ARCHIVE) -> None:
    """Fill the directory `target` with the data at `uri` (None: leave it empty); raises Unusable.

    `seconds` is how long the download may take (ModelDataDownloadTimeoutInSeconds), None: as long as it needs.

    A `target` that is there is complete: it is put in place by its name, last of all. So a restart needs no S3.
    """
    if target.is_dir():
        return
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if uri is not None:
            _fetch(_Source(s3, uri, seconds), target, partial, kind)
        partial.rename(target)
    except OSError as error:
        raise Unusable(f"Failed to store the model data of {uri}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _Source:
    """Where data comes from, and until when it may be on its way."""

    def __init__(self, s3: Any, uri: str, seconds: float | None) -> None:
        self.s3 = s3
        self.uri = uri
        self._seconds = seconds
        self._ends = time.monotonic() + (seconds or float("inf"))

    def download(self, uri: str, path: Path) -> None:
        """One object to a file; raises Unusable."""
        bucket, key = split_s3(uri)
        try:
            self.s3.download_file(bucket, key, str(path), Callback=self._arrived)
        except TimeoutError as late:
            raise Unusable(
                f'Model data download for container "container_1" from URL: "{uri}" took longer than '
                f"{self._seconds:.0f} seconds (ModelDataDownloadTimeoutInSeconds)."
            ) from late
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            failed = Missing if code in _GONE else Unusable
            raise failed(
                f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure that '
                "there is an object located at the URL and that the role passed to CreateModel has permissions to "
                f"download the object. ({error})"
            ) from error

    def _arrived(self, _bytes: int) -> None:
        if time.monotonic() > self._ends:
            raise TimeoutError


def _fetch(source: _Source, target: Path, into: Path, kind: str) -> None:
    if kind == MANY:
        return
    s3, uri = source.s3, source.uri
    bucket, key = split_s3(uri)
    if kind == PREFIX:
        for found, path in _below(s3, uri, into):
            path.parent.mkdir(parents=True, exist_ok=True)
            source.download(f"s3://{bucket}/{found}", path)
    elif kind == OBJECT:
        source.download(uri, into / (PurePosixPath(key).name or "model"))
    else:
        uri = f"s3://{bucket}/{_only(s3, uri, into)}" if kind == ONLY else uri
        archive = target.with_name(target.name + ".tar.gz")
        with contextlib.ExitStack() as after:
            after.callback(archive.unlink, missing_ok=True)
            source.download(uri, archive)
            _extract(uri, archive, into)


def _only(s3: Any, uri: str, into: Path) -> str:
    keys = [key for key, _ in _below(s3, uri, into)]
    if len(keys) != 1:
        raise Unusable(f"There must be one archive of model data below {uri}; there are {len(keys)} objects.")
    return keys[0]


def _below(s3: Any, uri: str, into: Path) -> Iterator[tuple[str, Path]]:
    """Every object below the prefix and its place; a key that names a place outside is refused."""
    bucket, prefix = split_s3(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            relative = PurePosixPath(found["Key"][len(prefix) :].lstrip("/"))
            if found["Key"].endswith("/") or not relative.parts:
                continue  # what consoles make to show a folder
            if ".." in relative.parts or "\0" in str(relative):
                raise Unusable(
                    f"Model data {found['Key']} below {uri} names a place outside the model's directory."
                )
            yield found["Key"], into / relative


def _extract(uri: str, archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as opened:
            opened.extractall(into, filter="data")  # refuses absolute names, .., links outside, devices
    except (tarfile.TarError, EOFError, zlib.error, tarfile.FilterError, OSError) as error:
        raise Unusable(
            f'Failed to extract model data archive for container "container_1" from URL "{uri}". '
            f"Please ensure that the object located at the URL is a valid tar.gz archive. ({error})"
        ) from error
