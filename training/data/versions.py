"""All versions of the bucket's objects: listed, read, put in one another's place, and deleted for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from data import store

_MOST_DELETED = 1000
WAS, BY = "penstock-was", "penstock-erasure"
"""User metadata of an object that was written anew: the version it takes the place of, and what for."""


@dataclass(frozen=True)
class Version:
    """One version of an object. `latest`: it is what its key shows."""

    key: str
    version_id: str
    etag: str
    size: int
    modified: datetime
    latest: bool


def of_keys(s3: Any, bucket: str, prefix: str) -> Iterator[list[Version]]:
    """The versions of each key below a prefix, the newest first; deletions are no versions."""
    for _, found in groupby(_listed(s3, bucket, prefix), key=lambda one: one.key):
        yield list(found)


def of_key(s3: Any, bucket: str, key: str) -> list[Version]:
    """The versions of one key, the newest first."""
    found: Iterable[list[Version]] = of_keys(s3, bucket, key)
    return next((versions for versions in found if versions[0].key == key), [])


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[Version]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Versions", ()):
            etag = str(one.get("ETag", "")).strip('"')
            yield Version(
                one["Key"],
                one["VersionId"],
                etag,
                int(one["Size"]),
                one["LastModified"],
                bool(one["IsLatest"]),
            )


def read(s3: Any, bucket: str, version: Version) -> Iterator[bytes]:
    """The bytes of a version."""
    wanted = {"Bucket": bucket, "Key": version.key, "VersionId": version.version_id}
    chunks: Iterator[bytes] = s3.get_object(**wanted)["Body"].iter_chunks(store.CHUNK)
    return chunks


def about(s3: Any, bucket: str, version: Version) -> dict[str, Any]:
    """What was said of a version when it was put, as arguments of the next put: content type and user metadata."""
    told = s3.head_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)
    kept = ("ContentType", "ContentEncoding", "CacheControl", "ContentDisposition", "ContentLanguage")
    return {"Metadata": told.get("Metadata", {}), **{name: told[name] for name in kept if told.get(name)}}


def replace(s3: Any, bucket: str, version: Version, path: str, note: Mapping[str, str]) -> Version:
    """Put a file where a version is. The version itself stays, no longer the latest."""
    arguments = about(s3, bucket, version)
    arguments["Metadata"] = {**arguments["Metadata"], **note, WAS: version.version_id}
    s3.upload_file(path, bucket, version.key, ExtraArgs=arguments)
    for one in of_key(s3, bucket, version.key):
        if metadata(s3, bucket, one).get(WAS) == version.version_id:
            return one
    raise RuntimeError(f"s3://{bucket}/{version.key}: what was put there is gone; run the erasure again")


def metadata(s3: Any, bucket: str, version: Version) -> Mapping[str, str]:
    """A version's user metadata."""
    told = s3.head_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)
    found: Mapping[str, str] = told.get("Metadata", {})
    return found


def hide(s3: Any, bucket: str, key: str) -> None:
    """Let a key show nothing: so what is deleted for good below it does not uncover what is older still."""
    s3.delete_object(Bucket=bucket, Key=key)


def purge(s3: Any, bucket: str, gone: Sequence[tuple[str, str]]) -> None:
    """Delete versions, given as (key, version), for good; those that are gone already are no trouble."""
    for start in range(0, len(gone), _MOST_DELETED):
        batch = [{"Key": key, "VersionId": name} for key, name in gone[start : start + _MOST_DELETED]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for failed in answer.get("Errors", ())[:1]:
            raise RuntimeError(
                f"s3://{bucket}/{failed['Key']}: not deleted: {failed.get('Message') or failed['Code']}; "
                "run the erasure again"
            )


def purge_below(s3: Any, bucket: str, prefix: str) -> None:
    """Delete every version of every object below a prefix, and the marks of deletions, for good."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        purge(s3, bucket, [(one["Key"], one["VersionId"]) for one in found])
