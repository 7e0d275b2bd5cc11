"""JSON documents and listings in the stage's bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.adapters.aws import FAILED, calling, code_of, translated
from chalicelib.domain.bucket import Listed
from chalicelib.errors import AwsTrouble, JobFailed

_MOST_DELETED = 1000


class S3Documents:
    """The Documents port on S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def read(self, uri: str) -> dict[str, Any] | None:
        """The document at an address, or None when there is none."""
        bucket, key = _parts(uri)
        try:
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except FAILED as error:
            if code_of(error) in {"NoSuchKey", "404"}:
                return None
            raise translated(error, uri) from error
        try:
            document: dict[str, Any] = json.loads(body)
        except ValueError as error:
            raise JobFailed(
                uri, f"not JSON: {error}", "Read the log of the job that wrote it.", status=500
            ) from error
        return document

    def write(self, uri: str, document: Mapping[str, Any], *, one_line: bool = False) -> None:
        """Put a document, laid out for people unless it has to be one line."""
        bucket, key = _parts(uri)
        body = json.dumps(document, ensure_ascii=False, indent=None if one_line else 1).encode()
        with calling(uri):
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")

    def listing(self, prefix: str) -> Iterable[Listed]:
        """Versions below a prefix of the stage's bucket, page by page."""
        with calling(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                found = [_listed(one) for one in page.get("Versions", [])]
                found += [_listed(one, marker=True) for one in page.get("DeleteMarkers", [])]
                yield from sorted(found, key=lambda one: one.key.encode())  # stable: newest first stays so

    def keys(self, prefix: str) -> Iterable[str]:
        """Objects below a prefix of the stage's bucket, page by page."""
        with calling(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from (one["Key"] for one in page.get("Contents", []))

    def remove(self, keys: Sequence[str]) -> None:
        """Delete objects, as many in a request as S3 takes."""
        for start in range(0, len(keys), _MOST_DELETED):
            batch = [{"Key": key} for key in keys[start : start + _MOST_DELETED]]
            with calling(f"s3://{self._bucket}/{batch[0]['Key']}"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
                )
            for failed in answer.get("Errors", [])[:1]:
                where = f"s3://{self._bucket}/{failed['Key']}"
                raise AwsTrouble(
                    where, f"not deleted: {failed.get('Message') or failed['Code']}", "Try again later."
                )


def _listed(one: Mapping[str, Any], *, marker: bool = False) -> Listed:
    version = one["VersionId"]
    return Listed(
        one["Key"],
        one.get("ETag", "").strip('"'),
        int(one.get("Size", 0)),
        one["LastModified"],
        None if version == "null" else version,
        bool(one["IsLatest"]),
        marker,
    )


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
