"""An object of any packing and encoding as a plain file, and a plain file as such an object again."""

from __future__ import annotations

import codecs
import gzip
import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data import formats, packing
from data.text import UTF8, WESTERN, Text

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Wrapping:
    """How an object is packed (gzip, zstd, None), the codec of its text (None: as it is), and its byte order mark."""

    packing: str | None = None
    codec: str | None = None
    mark: bytes = b""


def unwrap(stream: Iterable[bytes], path: str) -> Wrapping:
    """Write what is in a stream to a file: unpacked, and in UTF-8 when it is text.

    Raises:
        RefusedObject: it is damaged, or no format that is read.
    """
    plain = packing.plain(stream)
    text = None if plain.head.startswith(formats.PARQUET) else Text(plain.head, plain.chunks)
    with open(path, "wb") as file:
        for chunk in text or plain.chunks:
            file.write(chunk)
    if text is None or text.encoding == UTF8:
        return Wrapping(plain.packing)
    if text.encoding == WESTERN:
        return Wrapping(plain.packing, "cp1252")
    codec = "utf-16-le" if "little" in text.encoding else "utf-16-be"
    marked = plain.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return Wrapping(plain.packing, codec, "\ufeff".encode(codec) if marked else b"")


def loosen(path: str) -> bool:
    """Unpack a file in its place, whatever is in it; False when it is packed in a way that is not read."""
    with open(path, "rb") as file:
        head = file.read(4)
    if head.startswith((b"PK\x03\x04", b"BZh", b"\xfd7zX", b"7z\xbc\xaf")):
        return False
    packed = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(head[:2])
    if packed is None:
        return True
    try:
        with pa.input_stream(path, compression=packed) as file, open(f"{path}-loose", "wb") as out:
            shutil.copyfileobj(file, out, _CHUNK)
    except (OSError, pa.ArrowException):
        return False
    os.replace(f"{path}-loose", path)
    return True


def wrap(path: str, out: str, how: Wrapping) -> None:
    """Write a file as an object of this wrapping."""
    with ExitStack() as open_files:
        file = open_files.enter_context(open(path, "rb"))
        target: Any = open_files.enter_context(open(out, "wb"))
        if how.packing == packing.GZIP:
            target = open_files.enter_context(gzip.GzipFile("", "wb", fileobj=target, mtime=0))
        elif how.packing == packing.ZSTD:
            target = open_files.enter_context(pa.CompressedOutputStream(target, "zstd"))
        target.write(how.mark)
        decoder = codecs.getincrementaldecoder("utf-8")()
        while chunk := file.read(_CHUNK):
            target.write(decoder.decode(chunk).encode(how.codec) if how.codec else chunk)
