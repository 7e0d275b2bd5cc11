"""What an engine must do for Prepare: look at objects, read them, keep a result, hand over rows, write Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import ibis.expr.types as ir

from data.files import Source
from data.spec import Spec
from data.store import Drop


class Engine(Protocol):
    """The engine-specific half of Prepare; everything else is Ibis."""

    name: str
    keeps_order: bool  # whether rows lie in a kept table, and are written, in the order they were read in

    def look(self, drops: Sequence[Drop], spec: Spec) -> list[Source]:
        """Fetch and check every object, in the order given."""
        ...

    def read(self, sources: Sequence[Source], names: Sequence[str]) -> ir.Table:
        """The rows of the sources as data/rows.py describes them. May be read only once: `keep` what is made of it."""
        ...

    def keep(self, table: ir.Table, name: str) -> ir.Table:
        """Compute a table once and for all."""
        ...

    def small(self, table: Any) -> ir.Table:
        """A table of Arrow data that fits memory."""
        ...

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """A small result, as plain Python."""
        ...

    def write(self, table: ir.Table, uri: str) -> None:
        """Write a table as Parquet below an S3 prefix that ends in `/`; part-0.parquet exists even without rows."""
        ...

    def close(self) -> None:
        """Give back what was taken: memory, temporary files, processes."""
        ...
