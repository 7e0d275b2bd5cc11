"""Unpacks gzip and zstd as a stream, never more than a step of it in memory, and not beyond the limits.

What is packed is told by the first bytes, not by the name. Nothing is unpacked to files: there are no paths in it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data import magic
from data.errors import RefusedObject
from data.limits import DEFAULT, MB, Limits, too_much_unpacked

GZIP = "gzip"
ZSTD = "zstd"
_STEP = 1 << 20  # bytes unpacked at once
_BOMB = 200  # times its own size; plain tables pack 3 to 30 times
_BOMB_FROM = 64 << 20  # bytes; below this no ratio harms


@dataclass(frozen=True)
class Plain:
    """A file without its packing: its beginning, all of it (the beginning included), and how it was packed."""

    head: bytes
    chunks: Iterator[bytes]
    packing: str | None


def plain(stream: Iterable[bytes], limits: Limits = DEFAULT) -> Plain:
    """Look at the beginning of a stream and unpack it while it is read.

    Raises:
        RefusedObject: it is something that is never read (here or later, while reading: damaged, cut off, too large).
    """
    metered = _Metered(stream)
    head, chunks = _headed(metered)
    packing = _packing(head)
    if packing:
        unpacked = _UNPACK[packing](chunks)
        head, chunks = _headed(_bounded(unpacked, metered, limits))
    magic.refuse(head)
    return Plain(head, chunks, packing)


def _packing(head: bytes) -> str | None:
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    # zstd, or a frame to be skipped as parallel packers write it first
    skipped = head[1:4] == b"\x2a\x4d\x18" and head[:1] and 0x50 <= head[0] <= 0x5F
    return ZSTD if skipped or head.startswith(b"\x28\xb5\x2f\xfd") else None


class _Metered:
    """Counts the bytes that pass."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self.bytes += len(piece)
            yield piece


def _headed(stream: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    pieces = iter(stream)
    head = b""
    for piece in pieces:  # the first bytes may come in crumbs
        head += piece
        if len(head) >= magic.NEEDED:
            break
    return head, _chain(head, pieces)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _bounded(unpacked: Iterable[bytes], packed: _Metered, limits: Limits) -> Iterator[bytes]:
    size = 0
    for piece in unpacked:
        size += len(piece)
        if size > max(_BOMB_FROM, _BOMB * packed.bytes):
            raise RefusedObject(f"unpacks to more than {_BOMB} times its size; drop it unpacked")
        if size > limits.unpacked_mb * MB:
            raise RefusedObject(too_much_unpacked(limits))
        yield piece


def _gunzip(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Any number of members."""
    member = zlib.decompressobj(wbits=31)
    try:
        for piece in stream:
            rest = piece
            while rest:
                if member.eof:
                    rest = rest.lstrip(
                        b"\0"
                    )  # tape blocks are filled up with zeros, and gzip passes them over
                    if not rest:
                        break
                    member = zlib.decompressobj(wbits=31)
                text = member.decompress(rest, _STEP)
                rest = member.unused_data if member.eof else member.unconsumed_tail
                if text:
                    yield text
    except zlib.error as error:
        raise RefusedObject(f"is damaged gzip ({error}); pack it again and drop it") from error
    if not member.eof:
        raise RefusedObject("is gzip that ends too early: it was cut off; drop the whole file again")


class _Readable(io.RawIOBase):
    """A stream of pieces as a file. Keeps what the stream raised: that says nothing about the packing."""

    def __init__(self, stream: Iterator[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._rest = memoryview(b"")
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._stream))
            except StopIteration:
                return 0
            except Exception as error:
                self.failure = error
                raise
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _unzstd(stream: Iterator[bytes]) -> Iterator[bytes]:
    """By Arrow: Python 3.11 has no zstd of its own, and Arrow is everywhere Prepare runs."""
    packed = _Readable(stream)
    try:
        with pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd") as file:
            while piece := file.read(_STEP):
                yield piece
    except (OSError, pa.ArrowException) as error:
        if packed.failure is not None:
            raise packed.failure from error
        if "runcated" in str(error):
            raise RefusedObject(
                "is zstd that ends too early: it was cut off; drop the whole file again"
            ) from error
        raise RefusedObject(f"is damaged zstd ({error}); pack it again and drop it") from error


_UNPACK: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {GZIP: _gunzip, ZSTD: _unzstd}
