"""JSON documents and listings in the stage's bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.aws import calling, code_of, translated
from chalicelib.errors import AwsTrouble, JobFailed
from chalicelib.ports import Listed

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
        except ClientError as error:
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
        """Objects below a prefix of the stage's bucket, page by page."""
        with calling(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for one in page.get("Contents", []):
                    yield Listed(one["Key"], one["ETag"].strip('"'), int(one["Size"]), one["LastModified"])

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


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
