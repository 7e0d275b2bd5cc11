"""Files in the stage's bucket: links to them, and the files themselves, a piece at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from chalicelib.adapters.aws import FAILED, calling, code_of, translated
from chalicelib.domain.bucket import Stored
from chalicelib.errors import BadUpload

_PIECE = 1 << 20
_BY_ERASURE = "penstock-erasure"
"""User metadata, set by training/data/versions.py."""


class S3Files:
    """The Files port on S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def head(self, key: str) -> Stored | None:
        """What lies there, or None."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except FAILED as error:
            if code_of(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise translated(error, key) from error
        return Stored(
            str(found["ETag"]).strip('"'),
            int(found["ContentLength"]),
            found.get("VersionId") or None,
            by_erasure=_BY_ERASURE in found.get("Metadata", {}),
        )

    def upload(self, key: str, content_type: str, size: int, seconds: int) -> str:
        """A link to PUT exactly so many bytes of that type with: both are signed."""
        given = {"Bucket": self._bucket, "Key": key, "ContentType": content_type, "ContentLength": size}
        with calling(key):
            return str(self._client.generate_presigned_url("put_object", Params=given, ExpiresIn=seconds))

    def download(self, key: str, seconds: int) -> str:
        """A link to GET with."""
        given = {"Bucket": self._bucket, "Key": key}
        with calling(key):
            return str(self._client.generate_presigned_url("get_object", Params=given, ExpiresIn=seconds))

    @contextmanager
    def fetch(self, key: str, most: int) -> Iterator[BinaryIO]:
        """A copy of the file, gone afterwards. Raises BadUpload when it is larger than `most` bytes, or not there."""
        stored = self.head(key)
        if stored is None:
            raise BadUpload(key, "it is gone", "Drop it again.")
        if stored.size > most:
            raise BadUpload(key, f"{stored.size:,} bytes; the limit is {most:,}", "Split it.")
        with tempfile.TemporaryFile() as copy:
            with calling(key):
                body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
                for piece in body.iter_chunks(_PIECE):
                    copy.write(piece)
            copy.seek(0)
            yield copy

    def put(self, key: str, body: bytes | BinaryIO) -> None:
        """Create or replace a file."""
        with calling(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def lines(self, key: str, most: int) -> int | None:
        """How many lines a file has; None when it is not there or larger than `most` bytes."""
        stored = self.head(key)
        if stored is None or stored.size > most:
            return None
        with calling(key):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            count, last = 0, b"\n"
            for piece in body.iter_chunks(_PIECE):
                count, last = count + piece.count(b"\n"), piece[-1:]
        return count + (last != b"\n")
