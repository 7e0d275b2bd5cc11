"""Any text as UTF-8: which encoding it is in is told by its bytes. Says in words what a file is that is no text.

UTF-8; UTF-16 by its mark, or by the zeros every second byte of it has; Windows-1252, of which Latin-1 is a part, when a
byte is not UTF-8 and all before it was ASCII, which is the same in both. So one pass does, whatever the size.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from data.errors import RefusedObject

UTF8 = "UTF-8"
WESTERN = "Windows-1252 (Latin-1)"
_EXPORT = "export it as CSV in UTF-8 and drop that"
_SAVE = "save the file as UTF-8 and drop it again"
_HIGH = bytes(range(0x80, 0x100))
_RUNS = re.compile(rb"[\x80-\xff]{3,}")
_SEQUENCES = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BINARY = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f\x7f]")
_DOUBTED = 0.3  # share of letters beyond ASCII; no Western language has more of them in runs of three


class Text:
    """The text of a file in UTF-8, a chunk at a time; afterwards, which encoding it was in and how that shows."""

    def __init__(self, head: bytes, chunks: Iterable[bytes]) -> None:
        """`head` is the beginning of the file, which `chunks` has as well."""
        self._wide = _wide(head)
        self._chunks = chunks
        self._lines = 1
        self._western = _Western()
        self.encoding = self._wide[1] if self._wide else UTF8
        self.note: str | None = f"its text is {self.encoding}; it was read as such" if self._wide else None

    def __iter__(self) -> Iterator[bytes]:
        """Pass on the text as long as it is one.

        Raises:
            RefusedObject: as soon as a byte says otherwise, with the line it went wrong.
        """
        for chunk in self._from_wide(self._wide[0]) if self._wide else self._from_bytes():
            if b"\0" in chunk:
                line = self._lines + chunk[: chunk.index(b"\0")].count(b"\n")
                raise RefusedObject(f"line {line} holds a NUL byte: it is binary or damaged; {_EXPORT}")
            self._lines += chunk.count(b"\n")
            yield chunk

    def _from_wide(self, codec: str) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(codec)()
        try:
            begun = False
            for chunk in self._chunks:
                text = decoder.decode(chunk)
                yield (text if begun else text.removeprefix("\ufeff")).encode()
                begun = begun or bool(text)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise RefusedObject(
                f"is {self.encoding} text that is damaged or cut off in line {self._lines} or after it; {_SAVE}"
            ) from error

    def _from_bytes(self) -> Iterator[bytes]:
        """UTF-8 as it is; from the first byte on that is none, Windows-1252."""
        tail = b""
        ascii_only = True
        chunks = iter(self._chunks)
        for chunk in chunks:
            data = tail + chunk
            tail = b""
            if not data.isascii():
                try:
                    whole = codecs.utf_8_decode(data, "strict", False)[1]
                except UnicodeDecodeError as error:
                    yield from self._from_western(error, data, chunks, ascii_only)
                    return
                data, tail = data[:whole], data[whole:]
                ascii_only = ascii_only and data.isascii()
            yield data
        if tail:
            raise RefusedObject(
                "ends in the middle of a character: it was cut off; drop the whole file again"
            )

    def _from_western(
        self, error: UnicodeDecodeError, data: bytes, rest: Iterator[bytes], ascii_before: bool
    ) -> Iterator[bytes]:
        line = self._lines + data[: error.start].count(b"\n")
        said = f"line {line} holds the byte 0x{data[error.start]:02X}, which is not UTF-8"
        # Letters of UTF-8 before this one: what comes here is damage, or another file's text below the first.
        if not (ascii_before and data[: error.start].isascii()):
            raise RefusedObject(
                f"{said}, though the letters before it are: two encodings in one file; {_SAVE}"
            )
        self.encoding = WESTERN
        self.note = f"its text is {WESTERN}: {said}; save it as UTF-8 if letters come out wrong"
        yield self._western.decoded(data, self._lines)
        for chunk in rest:
            yield self._western.decoded(chunk, self._lines)
        self._western.judge(said)


class _Western:
    """Decodes Windows-1252, and doubts it: any bytes at all can be read as that."""

    def __init__(self) -> None:
        self._letters = self._in_runs = self._in_sequences = 0

    def decoded(self, data: bytes, line: int) -> bytes:
        """A chunk that begins in this line, as UTF-8."""
        binary = _BINARY.search(data)
        if binary:
            line += data[: binary.start()].count(b"\n")
            raise RefusedObject(f"line {line} holds the byte 0x{binary[0][0]:02X}: it is no text; {_EXPORT}")
        self._letters += len(data) - len(data.translate(None, _HIGH))
        self._in_runs += sum(len(run) for run in _RUNS.findall(data))
        self._in_sequences += sum(len(found) for found in _SEQUENCES.findall(data))
        try:
            return data.decode("cp1252").encode()
        except UnicodeDecodeError as error:
            line += data[: error.start].count(b"\n")
            raise RefusedObject(
                f"line {line} holds the byte 0x{data[error.start]:02X}, which is neither UTF-8 nor "
                f"Windows-1252; {_SAVE}"
            ) from error

    def judge(self, said: str) -> None:
        """Doubt the whole of it.

        Raises:
            RefusedObject: it looks like another encoding.
        """
        if self._in_sequences > self._letters / 2:
            raise RefusedObject(f"{said}, though most letters after it are: it is damaged; {_SAVE}")
        if self._in_runs > _DOUBTED * self._letters:
            raise RefusedObject(
                f"{said}, and it does not look like {WESTERN} either: another encoding, or no text; {_SAVE}"
            )


def _wide(head: bytes) -> tuple[str, str] | None:
    """The codec and the name of UTF-16 text; None for any other."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        little = head.startswith(b"\xff\xfe")
        return ("utf-16-le", "UTF-16 (little-endian)") if little else ("utf-16-be", "UTF-16 (big-endian)")
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even and odd and even + odd > len(head) / 2:
        raise RefusedObject(f"is UTF-32 text or binary: most of its bytes are zero; {_SAVE}")
    if odd > 10 * even and _has_lines(head, "utf-16-le"):
        return "utf-16-le", "UTF-16 (little-endian, without a mark)"
    if even > 10 * odd and _has_lines(head, "utf-16-be"):
        return "utf-16-be", "UTF-16 (big-endian, without a mark)"
    return None


def _has_lines(head: bytes, codec: str) -> bool:
    """Whether bytes have line breaks if read as this; a zero or two in other text make none."""
    return re.search("[\n\r]", head.decode(codec, "ignore")) is not None
