"""What is in a model.tar.gz: its manifest, and the SHA-256 of every file, without unpacking it to disk."""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from penstock.client import stored
from penstock.errors import PenstockError

_PIECE = 1 << 20
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Archive:
    """A model's files by name with their digests, and what its manifest says ({} when it has none)."""

    uri: str
    files: Mapping[str, str]
    manifest: Mapping[str, Any]


def read(uri: str) -> Archive:
    """The archive at an s3:// address. Raises PenstockError when it is gone or no archive."""
    bucket, key = stored.place(uri)
    with tempfile.TemporaryFile() as file:
        try:
            boto3.client("s3").download_fileobj(bucket, key, file)
        except ClientError as error:
            if not stored.is_absent(error):
                raise
            raise PenstockError(
                uri, "it is gone", "Only a model that is still there can be compared."
            ) from error
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                return _archive(uri, archive)
        except tarfile.TarError as error:
            raise PenstockError(uri, f"it is no model archive: {error}", "Train the model again.") from error


def _archive(uri: str, archive: tarfile.TarFile) -> Archive:
    files: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    for member in archive:
        content = archive.extractfile(member) if member.isfile() else None
        if content is None:
            continue
        name, digest = member.name.removeprefix("./"), hashlib.sha256()
        if name == MANIFEST:
            text = content.read()
            manifest = json.loads(text)
            digest.update(text)
        while piece := content.read(_PIECE):
            digest.update(piece)
        files[name] = digest.hexdigest()
    return Archive(uri, files, manifest)


def difference(one: Archive, other: Archive) -> dict[str, Any]:
    """Whether two models are the same bit for bit; else which files, library versions and metrics differ."""
    names = sorted({*one.files, *other.files})
    changed = [name for name in names if one.files.get(name) != other.files.get(name)]
    return {
        "equal": not changed,
        "files": len(names),
        "differing": {name: [one.files.get(name), other.files.get(name)] for name in changed},
        **{
            part: _pairs(one.manifest.get(part) or {}, other.manifest.get(part) or {})
            for part in ("versions", "metrics", "hyperparameters")
        },
    }


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = sorted({*one, *other})
    return {name: [one.get(name), other.get(name)] for name in names if one.get(name) != other.get(name)}
