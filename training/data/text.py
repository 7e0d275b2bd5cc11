"""Is this stream of bytes UTF-8 text? Unpacks gzip on the way; says in words what a file is when it is not text."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator

from data.errors import RefusedObject

_EXPORT = "export it as CSV in UTF-8 and drop that"
_MAGIC = (
    (b"PK\x03\x04", f"is a ZIP archive or an Excel workbook, not text; {_EXPORT}"),
    (b"PAR1", f"is Parquet, which is not read yet; {_EXPORT}"),
    (b"%PDF", f"is a PDF, not a table; {_EXPORT}"),
    (b"\xd0\xcf\x11\xe0", f"is an old Excel workbook, not text; {_EXPORT}"),
    (b"\xff\xfe", "is UTF-16 text; save it as UTF-8 and drop it again"),
    (b"\xfe\xff", "is UTF-16 text; save it as UTF-8 and drop it again"),
)
_GZIP = b"\x1f\x8b"
_STEP = 1 << 20  # bytes unpacked at once
_BOMB = 200  # times its own size; plain tables pack 3 to 30 times
_BOMB_FROM = 64 << 20  # bytes; below this no ratio harms


def checked(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on the text of a stream, unpacked, as long as it is UTF-8.

    Raises:
        RefusedObject: as soon as a byte says otherwise, with what the file seems to be and the line it went wrong.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    begun = False
    for chunk in _plain(stream):
        if not begun:
            _sniff_binary(chunk)
            begun = True
        if b"\0" in chunk:
            line = lines + chunk[: chunk.index(b"\0")].count(b"\n")
            raise RefusedObject(f"line {line} holds a NUL byte: it is binary or UTF-16; {_EXPORT}")
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(error, lines) from error
        lines += chunk.count(b"\n")
        yield chunk
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise RefusedObject(
            "ends in the middle of a character: it was cut off; drop the whole file again"
        ) from error


def _sniff_binary(chunk: bytes) -> None:
    for magic, what in _MAGIC:
        if chunk.startswith(magic):
            raise RefusedObject(what)


def _not_utf8(error: UnicodeDecodeError, lines: int) -> RefusedObject:
    line = lines + error.object[: error.start].count(b"\n")
    byte = error.object[error.start]
    return RefusedObject(
        f"line {line} holds the byte 0x{byte:02X}, which is not UTF-8 (it may be Latin-1 or Windows-1252, or no text); "
        "save the file as UTF-8 and drop it again"
    )


def _plain(stream: Iterable[bytes]) -> Iterator[bytes]:
    pieces = iter(stream)
    head = b""
    for piece in pieces:  # the first bytes may come in crumbs
        head += piece
        if len(head) >= 4:
            break
    if not head:
        return
    if head.startswith(_GZIP):
        yield from _unpacked(_chain(head, pieces))
    else:
        yield from _chain(head, pieces)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _unpacked(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Gunzip, any number of members, never more than a step in memory."""
    member = zlib.decompressobj(wbits=31)
    packed = plain = 0
    try:
        for piece in stream:
            packed += len(piece)
            rest = piece
            while rest:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                text = member.decompress(rest, _STEP)
                rest = member.unused_data if member.eof else member.unconsumed_tail
                plain += len(text)
                if plain > max(_BOMB_FROM, _BOMB * packed):
                    raise RefusedObject(f"unpacks to more than {_BOMB} times its size; drop it unpacked")
                if text:
                    yield text
    except zlib.error as error:
        raise RefusedObject(f"is damaged gzip ({error}); pack it again and drop it") from error
    if not member.eof:
        raise RefusedObject("is gzip that ends too early: it was cut off; drop the whole file again")
