"""model.tar.gz from S3 to a directory: complete or not there at all, and nothing in it reaches outside."""

import contextlib
import shutil
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.names import split_s3


class Unusable(Exception):
    """The model data cannot be used; the message is an endpoint's FailureReason."""


def exists(s3: Any, uri: str) -> bool:
    """Whether the object is there."""
    bucket, key = split_s3(uri)
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


def unpack(s3: Any, uri: str | None, target: Path, seconds: float | None = None) -> None:
    """Fill the directory `target` from the archive at `uri` (None: leave it empty); raises Unusable.

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
            archive = target.with_name(target.name + ".tar.gz")
            with contextlib.ExitStack() as after:
                after.callback(archive.unlink, missing_ok=True)
                _download(s3, uri, archive, seconds)
                _extract(uri, archive, partial)
        partial.rename(target)
    except OSError as error:
        raise Unusable(f"Failed to store the model data of {uri}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(s3: Any, uri: str, archive: Path, seconds: float | None) -> None:
    bucket, key = split_s3(uri)
    ends = time.monotonic() + (seconds or float("inf"))

    def arrived(_bytes: int) -> None:
        if time.monotonic() > ends:
            raise TimeoutError

    try:
        s3.download_file(bucket, key, str(archive), Callback=arrived)
    except TimeoutError as late:
        raise Unusable(
            f'Model data download for container "container_1" from URL: "{uri}" took longer than '
            f"{seconds:.0f} seconds (ModelDataDownloadTimeoutInSeconds)."
        ) from late
    except (ClientError, BotoCoreError) as error:
        raise Unusable(
            f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure that there is '
            "an object located at the URL and that the role passed to CreateModel has permissions to download the "
            f"object. ({error})"
        ) from error


def _extract(uri: str, archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as opened:
            opened.extractall(into, filter="data")  # refuses absolute names, .., links outside, devices
    except (tarfile.TarError, EOFError, zlib.error, tarfile.FilterError, OSError) as error:
        raise Unusable(
            f'Failed to extract model data archive for container "container_1" from URL "{uri}". '
            f"Please ensure that the object located at the URL is a valid tar.gz archive. ({error})"
        ) from error
