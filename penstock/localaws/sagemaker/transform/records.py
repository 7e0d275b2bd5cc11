"""A file's records, one after the other, and mini-batches of them: what fits into one request, in the file's order.

A record is read when it is asked for, so a file may be of any size; a record longer than the payload is found out
before it is read whole.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from penstock.localaws.sagemaker.transform.faults import BadFile, client_fault

_RECORDIO_MAGIC = 0xCED7230A
_WHOLE, _FIRST, _LAST = 0, 1, 3  # RecordIO's continuation flag; 2 is a part in the middle
_LENGTH_BITS = 29
_MASK_DELTA = 0xA282EAD8


class Record(NamedTuple):
    """One record: `data` alone, and `framed` as it is in the file (the same for lines)."""

    data: bytes
    framed: bytes


class Batch(NamedTuple):
    """One request: what is sent, and the records it was made from (empty when nobody needs them)."""

    payload: bytes
    records: tuple[bytes, ...]


def too_large() -> BadFile:
    """What becomes of a file with a record that fits no request."""
    return client_fault("Too much data for max payload size")


def read(file: BinaryIO, split: str, most: int | None) -> Iterator[Record]:
    """The records of `file` by SplitType; raises BadFile for one over `most` bytes (None: any size) or malformed."""
    if split == "RecordIO":
        return _recordio(file, most)
    if split == "TFRecord":
        return _tfrecord(file, most)
    return _texts(file.readline if split == "Line" else file.read, most)


def batches(
    records: Iterable[Record],
    single: bool,
    most: int | None,
    sent: Callable[[bytes], bytes] | None = None,
) -> Iterator[Batch]:
    """Requests of one record each, or of as many whole records as `most` bytes hold.

    `sent` makes what is sent from a record, nothing when it is to be left out (None: the record itself, and the batch
    does not keep its records).
    """
    parts: list[bytes] = []
    kept: list[bytes] = []
    size = 0
    for record in records:
        raw = record.data if single else record.framed
        part = raw if sent is None else sent(raw)
        if not part:
            continue
        if most is not None and len(part) > most:
            raise too_large()
        if parts and (single or (most is not None and size + len(part) > most)):
            yield Batch(b"".join(parts), tuple(kept))
            parts, kept, size = [], [], 0
        parts.append(part)
        size += len(part)
        if sent is not None:
            kept.append(raw)
    if parts:
        yield Batch(b"".join(parts), tuple(kept))


def _texts(take: Callable[[int], bytes], most: int | None) -> Iterator[Record]:
    """What `take` (readline or read) gives, until it gives nothing."""
    while text := take(-1 if most is None else most + 1):
        if most is not None and len(text) > most:
            raise too_large()
        yield Record(text, text)


def _recordio(file: BinaryIO, most: int | None) -> Iterator[Record]:
    """MXNet's RecordIO: magic, flag and length, data padded to four bytes; a record may have several parts."""
    parts: list[bytes] = []
    frames: list[bytes] = []
    while header := file.read(8):
        magic, word = struct.unpack("<II", _exactly(header, 8))
        flag, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        if magic != _RECORDIO_MAGIC or flag > _LAST or (flag in (_WHOLE, _FIRST)) == bool(parts):
            raise client_fault("Failed to parse input as RecordIO: a record does not begin with its header")
        padded = _body(file, length + -length % 4, most)
        parts.append(padded[:length])
        frames.append(header + padded)
        if most is not None and sum(map(len, parts)) > most:
            raise too_large()
        if flag in (_WHOLE, _LAST):
            # A record is cut where its data looks like the magic number, which is left out at the cut.
            yield Record(struct.pack("<I", _RECORDIO_MAGIC).join(parts), b"".join(frames))
            parts, frames = [], []
    if parts:
        raise _truncated()


def _tfrecord(file: BinaryIO, most: int | None) -> Iterator[Record]:
    """TensorFlow's TFRecord: length, its checksum, data, the data's checksum."""
    while header := file.read(12):
        length, checksum = struct.unpack("<QI", _exactly(header, 12))
        if checksum != masked_crc(header[:8]):
            raise client_fault(
                "Failed to parse input as TFRecord: the checksum of a record's length is wrong"
            )
        rest = _body(file, length + 4, None if most is None else most + 4)
        yield Record(rest[:length], header + rest)


def _body(file: BinaryIO, length: int, most: int | None) -> bytes:
    if most is not None and length > most + 3:  # padding does not count
        raise too_large()
    return _exactly(file.read(length), length)


def _exactly(content: bytes, length: int) -> bytes:
    if len(content) < length:
        raise _truncated()
    return content


def _truncated() -> BadFile:
    return client_fault("Failed to split input: the file ends within a record")


def masked_crc(content: bytes) -> int:
    """TFRecord's checksum of a few bytes: CRC-32C, rotated, plus a constant (bit by bit: it is for lengths only)."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
