"""Documents by (kind, name) in one SQLite file: atomic, durable when a call returns, kept through restarts.

Documents are JSON objects; times in them are epoch seconds. Every method may be called from any thread.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Store:
    """All documents of one plane, in the file at `path`; its directory is made if need be."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything done inside happens together or not at all; other threads wait. May be nested."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def get(self, kind: str, name: str) -> Document | None:
        """The document, or None. What is returned is the caller's own copy."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, name: str, document: Document) -> None:
        """Write the document, over an older one if there is one."""
        body = json.dumps(document, separators=(",", ":"))
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, name, body))

    def create(self, kind: str, name: str, document: Document) -> bool:
        """Write the document unless there is one of that name; says whether it was written."""
        with self.transaction():
            if self.get(kind, name) is not None:
                return False
            self.put(kind, name, document)
            return True

    def update(self, kind: str, name: str, change: Callable[[Document], Document]) -> Document | None:
        """Replace the document by `change(document)`, atomically; returns the new one, None when there is none."""
        with self.transaction():
            found = self.get(kind, name)
            if found is None:
                return None
            changed = change(found)
            self.put(kind, name, changed)
            return changed

    def delete(self, kind: str, name: str) -> bool:
        """Remove the document; says whether there was one."""
        with self.transaction():
            return (
                self._connection.execute(
                    "DELETE FROM documents WHERE kind = ? AND name = ?", (kind, name)
                ).rowcount
                > 0
            )

    def all(self, kind: str) -> list[tuple[str, Document]]:
        """Every (name, document) of a kind, by name."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT name, body FROM documents WHERE kind = ? ORDER BY name", (kind,)
            ).fetchall()
        return [(name, json.loads(body)) for name, body in rows]

    def close(self) -> None:
        """Close the file; the store is not used afterwards."""
        with self._lock:
            self._connection.close()
