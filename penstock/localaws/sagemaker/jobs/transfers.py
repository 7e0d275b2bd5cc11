"""Between S3 and a job's directory. Nothing is written outside it whatever a key says, nothing read through a link."""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.faults import JobFault, client_error

_PARALLEL = 8
_FAST = 1  # compression level: an artefact is read back on this machine


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI; JobFault when it is none."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise client_error(f"{uri} is not an S3 URI such as s3://bucket/prefix")
    return bucket, key


def download_prefix(s3: Any, uri: str, target: Path) -> int:
    """Every object below `uri` into `target`, under its path after the prefix; how many there were."""
    bucket, prefix = split(uri)
    keys = list(_keys(s3, bucket, prefix))
    if not keys:
        raise client_error(
            "Data download failed:Failed to download data. No S3 objects found under S3 URL "
            f'"{uri}" given in input data source. Please ensure that the bucket exists and that objects exist '
            "under that S3 prefix."
        )
    _download_all(s3, bucket, [(key, target / relative(key, prefix)) for key in keys])
    return len(keys)


def download_manifest(s3: Any, uri: str, target: Path) -> int:
    """The objects a manifest file names: `[{"prefix": "s3://bucket/a/"}, "b.csv", …]`; how many there were."""
    entries = _manifest(s3, uri)
    base = entries[0]["prefix"]
    bucket, prefix = split(base)
    names = [name for name in entries[1:] if isinstance(name, str)]
    _download_all(s3, bucket, [(prefix + name, target / safe(name)) for name in names])
    return len(names)


def _manifest(s3: Any, uri: str) -> list[Any]:
    bucket, key = split(uri)
    try:
        entries = json.loads(_body(s3, bucket, key).read())
        if isinstance(entries, list) and isinstance(entries[0]["prefix"], str):
            return entries
    except (ValueError, LookupError, TypeError) as error:
        raise client_error(f"Data download failed:{uri} is not a manifest file: {error}") from error
    raise client_error(f'Data download failed:{uri} is not a manifest file: no "prefix" in its first entry')


def download_object(s3: Any, uri: str, target: Path) -> None:
    """One object into the file `target`."""
    bucket, key = split(uri)
    _download(s3, bucket, key, target)


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    try:
        for found in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in found.get("Contents", []):
                if not item["Key"].endswith("/"):  # the console's way to show an empty folder
                    yield item["Key"]
    except (ClientError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{prefix}") from error


def relative(key: str, prefix: str) -> PurePosixPath:
    """Where below the channel's directory the object `key` goes when `prefix` was asked for."""
    whole = prefix.endswith("/") or key[len(prefix) : len(prefix) + 1] == "/"
    cut = len(prefix) if whole else prefix.rfind("/") + 1
    return safe(key[cut:])


def safe(name: str) -> PurePosixPath:
    """`name` as a path that stays where it is put; JobFault when it would not."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in name:
        raise client_error(f"Data download failed:the object key {name!r} cannot be the name of a file")
    return PurePosixPath(*parts)


def _download_all(s3: Any, bucket: str, wanted: list[tuple[str, Path]]) -> None:
    if len(wanted) == 1:
        _download(s3, bucket, *wanted[0])
        return
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="download") as threads:
        list(threads.map(lambda one: _download(s3, bucket, *one), wanted))


def _download(s3: Any, bucket: str, key: str, target: Path) -> None:
    body = _body(s3, bucket, key)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with body, target.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)
    except (OSError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{key}") from error


def _body(s3: Any, bucket: str, key: str) -> Any:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"]
    except (ClientError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{key}") from error


def _download_failed(error: Exception, uri: str) -> JobFault:
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return client_error(
            f"Data download failed:{said.get('Code')} ({status}): {said.get('Message')} ({uri})"
        )
    return client_error(f"Data download failed:{error} ({uri})")


def files_below(directory: Path) -> Iterator[tuple[Path, str]]:
    """Every regular file below `directory` with its relative name; links are left out, as SageMaker does."""
    for parent, directories, names in os.walk(directory, followlinks=False):
        directories.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path, path.relative_to(directory).as_posix()


def upload_directory(s3: Any, directory: Path, uri: str) -> int:
    """Every file below `directory` to `uri`/<relative name>; how many there were."""
    count = 0
    for path, name in files_below(directory):
        upload_file(s3, path, f"{uri.rstrip('/')}/{name}")
        count += 1
    return count


def upload_tar(s3: Any, directory: Path, uri: str, scratch: Path) -> None:
    """`directory` as a tar.gz to `uri`; links that lead out of the directory are left out."""
    with tarfile.open(scratch, "w:gz", compresslevel=_FAST) as archive:
        for path, name in files_below(directory):
            archive.add(path, name, recursive=False)
    upload_file(s3, scratch, uri)
    scratch.unlink()


def upload_file(s3: Any, path: Path, uri: str) -> None:
    """One file to `uri`."""
    bucket, key = split(uri)
    try:
        s3.upload_file(str(path), bucket, key)
    except Exception as error:  # boto3 wraps what went wrong in errors of several families
        raise client_error(f"Artifact upload failed: {error}") from error


def extract_tar(archive: Path, target: Path) -> None:
    """Unpack a tar.gz of somebody else's: no absolute names, no way out by `..` or links, no devices, no owners."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise client_error(f"{archive.name} cannot be unpacked: {error}") from error


def exists(s3: Any, uri: str) -> bool:
    """Whether there is any object below `uri`."""
    bucket, prefix = split(uri)
    return next(_keys(s3, bucket, prefix), None) is not None
