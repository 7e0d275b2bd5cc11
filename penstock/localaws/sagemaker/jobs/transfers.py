"""Between S3 and a job's directory. Nothing is written outside it whatever a key says, nothing read through a link."""

import os
import shutil
import tarfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.faults import JobFault, client_error

_PARALLEL = 8
_CHUNK = 1 << 20
_FAST = 1  # compression level: an artefact is read back on this machine


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI; JobFault when it is none."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise client_error(f"{uri} is not an S3 URI such as s3://bucket/prefix")
    return bucket, key


def nothing_found(uri: str, bucket: str, region: str = "us-east-1", role: str = "of the job") -> str:
    """What AWS says of an input without objects."""
    quoted = f'"{role}"' if ":" in role else role
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
        f"in the selected region ({region}), that objects exist under that S3 prefix, and that the role {quoted} has "
        f'"s3:ListBucket" permissions on bucket "{bucket}".'
    )


class Volume:
    """The disk of one instance while it is filled: `limit` bytes. May be used from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = limit
        self._lock = threading.Lock()

    def exempt(self, size: int) -> None:
        """So many bytes lie on it that would be somewhere else on AWS: they do not count."""
        with self._lock:
            self.limit += size

    def take(self, size: int) -> None:
        """So many bytes more; raises JobFault when they do not fit."""
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise client_error("Data download failed:Insufficient disk space")


def download_object(s3: Any, uri: str, target: Path) -> None:
    """One object into the file `target`."""
    bucket, key = split(uri)
    _download(s3, bucket, key, target)


def keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The keys below a prefix, in order; without those that only show an empty folder."""
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


def download_all(s3: Any, wanted: list[tuple[str, str, Path]], volume: Volume | None = None) -> None:
    """Every (bucket, key) into its file, several at a time; raises JobFault."""

    def fetch(one: tuple[str, str, Path]) -> None:
        bucket, key, target = one
        _download(s3, bucket, key, target, volume)

    if len(wanted) == 1:
        fetch(wanted[0])
        return
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="download") as threads:
        list(threads.map(fetch, wanted))


def _download(s3: Any, bucket: str, key: str, target: Path, volume: Volume | None = None) -> None:
    found = _object(s3, bucket, key)
    body = found["Body"]
    try:
        with body:
            if volume is not None:
                volume.take(found["ContentLength"])
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(body, file, _CHUNK)
    except (OSError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{key}") from error


def read(s3: Any, uri: str) -> bytes:
    """One object, whole; raises JobFault."""
    return b"".join(chunks(s3, *split(uri)))


def chunks(s3: Any, bucket: str, key: str) -> Iterator[bytes]:
    """One object, piece by piece; raises JobFault."""
    try:
        with _object(s3, bucket, key)["Body"] as body:
            while chunk := body.read(_CHUNK):
                yield chunk
    except (OSError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{key}") from error


def gunzipped(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """What was compressed, piece by piece; `name` is what a JobFault names."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                yield unpack.decompress(rest)
                rest = unpack.unused_data
                if unpack.eof and rest:  # gzip files may be put one after another
                    unpack = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise client_error(f"Data download failed:{name} is not compressed with gzip: {error}") from error


def _object(s3: Any, bucket: str, key: str) -> Any:
    try:
        return s3.get_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        raise _download_failed(error, f"s3://{bucket}/{key}") from error


def _download_failed(error: Exception, uri: str) -> JobFault:
    if isinstance(error, ClientError):
        return client_error(f"Data download failed:{_said(error)} ({uri})")
    return client_error(f"Data download failed:{error} ({uri})")


def _said(error: ClientError) -> str:
    """`NoSuchBucket (404): The specified bucket does not exist`"""
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return f"{said.get('Code')} ({status}): {said.get('Message')}"


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


def upload_tar(s3: Any, directories: Sequence[Path], uri: str, scratch: Path) -> None:
    """The files of all `directories` in one tar.gz, made at `scratch`, to `uri`.

    Links are left out; of several files of one name the first directory's is taken.
    """
    taken: set[str] = set()
    with tarfile.open(scratch, "w:gz", compresslevel=_FAST) as archive:
        for directory in directories:
            for path, name in files_below(directory):
                if name not in taken:
                    taken.add(name)
                    archive.add(path, name, recursive=False)
    upload_file(s3, scratch, uri)
    scratch.unlink()


def upload_file(s3: Any, path: Path, uri: str) -> None:
    """One file to `uri`; it is there whole or not at all. Raises JobFault."""
    bucket, key = split(uri)
    try:
        if path.stat().st_size < _CHUNK * 8:
            with path.open("rb") as file:
                s3.put_object(Bucket=bucket, Key=key, Body=file)
        else:
            s3.upload_file(str(path), bucket, key)
    except ClientError as error:
        raise client_error(f"Artifact upload failed:Error 7: {_said(error)}") from error
    except Exception as error:  # boto3 wraps what went wrong in errors of several families
        raise client_error(f"Artifact upload failed:{error}") from error


def delete_object(s3: Any, uri: str) -> None:
    """Remove one object; raises JobFault."""
    bucket, key = split(uri)
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        raise client_error(f"{uri} could not be deleted: {error}") from error


def delete_below(s3: Any, uri: str) -> None:
    """Remove every object below `uri`; raises JobFault."""
    bucket, prefix = split(uri)
    for key in list(keys(s3, bucket, prefix)):
        delete_object(s3, f"s3://{bucket}/{key}")


def extract_tar(archive: Path, target: Path) -> None:
    """Unpack a tar.gz of somebody else's: no absolute names, no way out by `..` or links, no devices, no owners."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise client_error(f"{archive.name} cannot be unpacked: {error}") from error
