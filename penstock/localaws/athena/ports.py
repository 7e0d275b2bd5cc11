"""What a query needs of the world around it: the data catalog and the objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Record = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """One object below a table's location."""

    bucket: str
    key: str
    size: int


class World(Protocol):
    """Glue's catalog and S3's objects, of the account and region that ask."""

    def databases(self) -> Sequence[str]:
        """Names of all databases, sorted."""

    def table(self, database: str, name: str) -> Record | None:
        """A table as Glue's GetTable shows it."""

    def tables(self, database: str) -> Sequence[str]:
        """Names of a database's tables, sorted."""

    def partitions(self, database: str, table: str) -> Sequence[Record]:
        """A table's registered partitions."""

    def glue(self, operation: str, **request: Any) -> None:
        """Change the catalog; raises QueryFailed with Hive's words when Glue refuses."""

    def listing(self, uri: str) -> Sequence[Stored]:
        """Objects below an address, without those Hive hides (`_…`, `.…`), by key."""

    def fetch(self, stored: Stored, path: Path) -> None:
        """Copy an object to a file."""

    def put(self, uri: str, content: bytes) -> None:
        """Write an object; raises QueryFailed when its bucket is not there."""
