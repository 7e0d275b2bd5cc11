"""Brings one object to a file: fetched as a stream, verified, unpacked, and as UTF-8 when it is text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from data import formats, packing, store
from data.errors import NoRows, RefusedObject
from data.limits import DEFAULT, Limits, check_size
from data.text import Text


@dataclass(frozen=True)
class Fetched:
    """What was found on the way: Parquet or text, how it was packed, and what must be said of its encoding."""

    parquet: bool
    packing: str | None
    note: str | None


class _Verified:
    """The bytes of an object, counted as they pass, and hashed where it is known what they must hash to."""

    def __init__(self, chunks: Iterable[bytes], md5: str | None) -> None:
        self._chunks = chunks
        self._md5 = md5
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if self._md5:
                self._digest.update(chunk)
            self._size += len(chunk)
            yield chunk

    def check(self, drop: store.Drop) -> None:
        """Whether they were what was announced.

        Raises:
            RefusedObject: there were none, or others.
        """
        if self._size == 0:
            raise NoRows("the file is empty; drop one with a header line and rows")
        if self._size != drop.size:
            raise RefusedObject(f"{self._size} bytes arrived where {drop.size} were announced; drop it again")
        if self._md5 and self._digest.hexdigest() != self._md5:
            raise RefusedObject(
                f"its bytes have MD5 {self._digest.hexdigest()}, its etag says {self._md5}; drop it again"
            )


def fetch(s3: Any, drop: store.Drop, path: str, limits: Limits = DEFAULT) -> Fetched:
    """Stream an object to a file. The same bytes give the same file, wherever it is fetched again.

    Raises:
        RefusedObject: it is not what was announced, nothing that is read, or larger than may be.
    """
    check_size(drop.size, limits)
    opened = store.open_drop(s3, drop)
    bytes_ = _Verified(opened.chunks, opened.md5)
    plain = packing.plain(bytes_, limits)
    is_parquet = plain.head.startswith(formats.PARQUET)
    text = None if is_parquet else Text(plain.head, plain.chunks)
    with open(path, "wb") as file:
        for chunk in text or plain.chunks:
            file.write(chunk)
    bytes_.check(drop)
    return Fetched(is_parquet, plain.packing, text.note if text else None)
