"""How much one object may hold. What the spec does not limit is, far above any plain table."""

from __future__ import annotations

from dataclasses import dataclass

from data.errors import RefusedObject
from data.spec import Spec

MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Of one object: bytes as dropped, bytes unpacked, rows, columns."""

    object_mb: int = 20_480
    unpacked_mb: int = 51_200
    rows: int = 1 << 31  # bits of `_row` that count the rows of a file, but for one (data/rows.py)
    columns: int = 1_000


DEFAULT = Limits()


def of(spec: Spec) -> Limits:
    """The spec's limits, each with its default."""
    told = spec.limits
    return Limits(
        object_mb=told.max_object_mb or DEFAULT.object_mb,
        unpacked_mb=told.max_unpacked_mb or DEFAULT.unpacked_mb,
        rows=min(told.max_rows or DEFAULT.rows, DEFAULT.rows),
        columns=told.max_columns or DEFAULT.columns,
    )


def check_size(size: int, limits: Limits) -> None:
    """Refuse an object before a byte of it is fetched.

    Raises:
        RefusedObject: it is larger than may be.
    """
    if size > limits.object_mb * MB:
        raise RefusedObject(
            f"is {size / MB:,.1f} MB; limits.max_object_mb is {limits.object_mb:,}: "
            "split it into smaller files, or raise the limit in the project spec"
        )


def too_many_columns(count: int, limits: Limits) -> str | None:
    """What to say of a file with so many columns; None when they are few enough."""
    if count <= limits.columns:
        return None
    return (
        f"has {count:,} columns; limits.max_columns is {limits.columns:,}: "
        "drop the columns that are not needed, or raise the limit in the project spec"
    )


def too_many_rows(limits: Limits) -> str:
    """What to say of a file with more rows than may be."""
    return (
        f"has more rows than limits.max_rows, {limits.rows:,}: "
        "split it into smaller files, or raise the limit in the project spec"
    )


def too_much_unpacked(limits: Limits) -> str:
    """What to say of a file that unpacks to more than may be."""
    return (
        f"unpacks to more than limits.max_unpacked_mb, {limits.unpacked_mb:,} MB: "
        "split it into smaller files, or raise the limit in the project spec"
    )
