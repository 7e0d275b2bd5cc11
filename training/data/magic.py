"""What a file is that is no table, told by its first bytes: refused with what to do instead."""

from __future__ import annotations

import re

from data.errors import RefusedObject

NEEDED = 1024  # bytes of a file's beginning that tell what it is
_EXPORT = "export it as CSV in UTF-8 and drop that"
_UNPACK = "unpack it and drop the tables in it"
_REPACK = "unpack it, or pack it with gzip or zstd"
_IMAGE = "is a picture, not a table"
_MAGIC = (
    (b"PK\x03\x04", f"is a ZIP archive or an Excel workbook, not text; {_EXPORT}"),
    (b"PK\x05\x06", f"is an empty ZIP archive, not text; {_EXPORT}"),
    (b"PK\x07\x08", f"is a ZIP archive in parts, not text; {_EXPORT}"),
    (b"PARE", "is encrypted Parquet; write it without encryption"),
    (b"%PDF-", f"is a PDF, not a table; {_EXPORT}"),
    (b"\xd0\xcf\x11\xe0", f"is an old Excel workbook, not text; {_EXPORT}"),
    (b"\x1f\x8b", f"is packed twice; {_REPACK}, once"),
    (b"\x28\xb5\x2f\xfd", f"is packed twice; {_REPACK}, once"),
    (b"BZh", f"is bzip2, which is not read; {_REPACK}"),
    (b"\xfd7zXZ\x00", f"is xz, which is not read; {_REPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7-Zip archive, not text; {_UNPACK}"),
    (b"Rar!\x1a\x07", f"is a RAR archive, not text; {_UNPACK}"),
    (b"\x04\x22\x4d\x18", f"is lz4, which is not read; {_REPACK}"),
    (b"\xff\x06\x00\x00sNaPpY", f"is snappy, which is not read; {_REPACK}"),
    (b"\x1f\x9d", f"is compress (.Z), which is not read; {_REPACK}"),
    (b"\x89PNG\r\n\x1a\n", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF87a", _IMAGE),
    (b"GIF89a", _IMAGE),
    (b"SQLite format 3\x00", f"is an SQLite database, not text; {_EXPORT}"),
    (b"Obj\x01", "is Avro, which is not read; export it as Parquet or CSV and drop that"),
    (b"ARROW1\x00\x00", "is an Arrow or Feather file, which is not read; write it as Parquet and drop that"),
    (b"\x89HDF\r\n\x1a\n", f"is HDF5, not text; {_EXPORT}"),
    (b"\x93NUMPY", f"is a NumPy array, not text; {_EXPORT}"),
    (b"\x7fELF", "is a program, not a table"),
)
# These may be the beginning of a text as well, so more of them is asked for.
_PATTERNS = (
    (rb"ORC[\x00-\x08\x0e-\x1f\x80-\xff]", "is ORC, which is not read; export it as Parquet or CSV and drop that"),
    (rb"\x80[\x02-\x05][\x95}\](c]", "is a Python pickle, which is never read; export it as CSV and drop that"),
    (rb"(?s).{257}ustar[\x00 ]", f"is a tar archive, not text; {_UNPACK}"),
    (
        rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b",
        "is a web page (HTML), not a table: an error page in place of the file? Drop the file itself",
    ),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml\b", f"is XML, not a table; {_EXPORT}"),
    (rb"\{\\rtf1", f"is a word processor's document (RTF), not a table; {_EXPORT}"),
    (rb"(?:\xff\xfe\x00\x00|\x00\x00\xfe\xff)", "is UTF-32 text; save it as UTF-8 and drop it again"),
)  # fmt: skip
_PATTERNS_COMPILED = tuple((re.compile(pattern), what) for pattern, what in _PATTERNS)


def refuse(head: bytes) -> None:
    """Look at the beginning of a file, unpacked.

    Raises:
        RefusedObject: it is something that is not read.
    """
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise RefusedObject(what)
    for pattern, what in _PATTERNS_COMPILED:
        if pattern.match(head):
            raise RefusedObject(what)
