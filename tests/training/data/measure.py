"""Reads one file in a process of its own and prints its rows and the process's peak memory in MB.

python measure.py <training folder> <file>
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


class File:
    """An S3 that holds one object, in a file; also the body of its answer."""

    def __init__(self, path: str) -> None:
        self.path = path

    def get_object(self, **_: str) -> dict[str, Any]:
        """That object."""
        return {"Body": self}

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        """As a stream."""
        with open(self.path, "rb") as file:
            while chunk := file.read(size):
                yield chunk


def main(path: str) -> None:
    """Look at it, read it."""
    from data import files, rows, spec, store  # noqa: PLC0415  # once the path is set

    columns = {"id": "id", "size": "number", "note": "text", "kind": "label"}
    document = {"project": "p1", "task": "classification", "columns": columns}
    drop = store.Drop(0, "b", path, None, "", "1", os.path.getsize(path), True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
        source = files.check(File(path), drop, folder, spec.parse(document))
        if source.refusal:
            raise SystemExit(source.refusal)
        count = sum(batch.num_rows for batch in rows.batches(source, source.path, source.header))
    sys.stdout.write(f"{count} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}\n")


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    main(sys.argv[2])
