"""RecordIO, the framing SageMaker puts around records in Pipe mode (MXNet's format). Pure.

A record is the magic number, its length, its bytes, zeros up to a multiple of four. The length has 29 bits; the three
above say whether the record is whole, and ours always are.
"""

import struct
from collections.abc import Iterator

MAGIC = 0xCED7230A
LONGEST = (1 << 29) - 1  # bytes of one record
_HEAD = struct.Struct("<II")


def framed(record: bytes) -> bytes:
    """One record as it goes over the pipe; ValueError when it is longer than the format can say."""
    if len(record) > LONGEST:
        raise ValueError(f"a RecordIO record has at most {LONGEST} bytes, this one {len(record)}")
    return _HEAD.pack(MAGIC, len(record)) + record + b"\0" * (-len(record) % 4)


def records(stream: bytes) -> Iterator[bytes]:
    """What `framed` wrote, one record after another; ValueError where it is anything else."""
    at = 0
    while at < len(stream):
        magic, length = _HEAD.unpack_from(stream, at)
        if magic != MAGIC:
            raise ValueError(f"no RecordIO record at byte {at}")
        at += _HEAD.size
        yield stream[at : at + length]
        at += length + (-length % 4)
