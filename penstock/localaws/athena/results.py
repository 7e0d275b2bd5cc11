"""A query's result as the file Athena leaves in S3, and pages of rows read back from it."""

import re
from collections.abc import Iterable, Sequence

Row = Sequence[str | None]
_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)")?(,|\n)')


def line(row: Row) -> bytes:
    """One row: every value in quotes, NULL as nothing at all."""
    cells = ("" if value is None else '"' + value.replace('"', '""') + '"' for value in row)
    return (",".join(cells) + "\n").encode()


def document(rows: Iterable[Row]) -> bytes:
    """Rows as a result file's content."""
    return b"".join(map(line, rows))


def page(content: bytes, start: int, limit: int) -> tuple[list[list[str | None]], int | None]:
    """At most `limit` rows from byte `start` on, and where the next page starts (None after the last row)."""
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    place = start
    while place < len(content) and len(rows) < limit:
        found = _FIELD.match(content, place)
        if found is None:
            raise ValueError(f"byte {place}: this is no result file of Athena's")
        text = found.group(1)
        row.append(None if text is None else text.replace(b'""', b'"').decode())
        if found.group(2) == b"\n":
            rows.append(row)
            row = []
        place = found.end()
    return rows, place if place < len(content) else None
