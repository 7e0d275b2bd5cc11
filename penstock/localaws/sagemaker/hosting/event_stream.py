"""AWS's event stream encoding (application/vnd.amazon.eventstream), as InvokeEndpointWithResponseStream answers.

A frame: total length, length of the headers, CRC-32 of those eight bytes; headers; payload; CRC-32 of all before it.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PART_BYTES = 64 * 1024  # of a complete answer in one PayloadPart
_STRING = 7  # type of a header's value


def payload_part(data: bytes) -> bytes:
    """A piece of the model's answer."""
    headers = {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    return frame(headers, data)


def stream_error(kind: str, document: bytes) -> bytes:
    """An exception within the stream: ModelStreamError or InternalStreamFailure with its members as JSON."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, document)


def parts(body: bytes) -> Iterator[bytes]:
    """A complete answer as frames."""
    for start in range(0, len(body), _PART_BYTES):
        yield payload_part(body[start : start + _PART_BYTES])


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of the stream."""
    encoded = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", len(encoded) + len(payload) + 16, len(encoded))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value
