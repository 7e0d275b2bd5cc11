"""What the good rows look like: the profile a person reads and drift is later measured against. Pure, in Ibis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

EXACT_UP_TO = 1_000_000  # rows; above this, distinct values and quantiles are estimates
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP = 10
LONGEST = 200  # characters of a value shown
_NEARLY = 0.95  # of the rows; an estimate is a few per cent off
_TOGETHER = 40  # columns whose top values are asked for in one query


def measures(good: ir.Table, names: Sequence[str], *, exact: bool) -> ir.Table:
    """One row with every number of the profile; `<place>_<measure>` names it."""
    aggregates: dict[str, ir.Scalar] = {"rows": good.count()}
    for place, name in enumerate(names):
        for measure, value in _measures(good[name], exact=exact):
            aggregates[f"{place}_{measure}"] = value
    return good.aggregate(**aggregates)


def _measures(column: ir.Column, *, exact: bool) -> Iterable[tuple[str, ir.Scalar]]:
    yield "nulls", column.isnull().sum()
    yield "distinct", column.nunique() if exact else column.approx_nunique()
    if isinstance(column, ir.StringColumn):
        yield "longest", column.length().max()
        return
    yield "min", column.min()
    yield "max", column.max()
    if isinstance(column, ir.NumericColumn):
        yield "mean", column.mean()
        yield "deviation", column.std(how="sample")
        shares = list(QUANTILES)
        yield "quantiles", column.quantile(shares) if exact else column.approx_quantile(shares)


def tops(good: ir.Table, names: Sequence[str], measured: Mapping[str, Any], *, exact: bool) -> list[ir.Table]:
    """Queries that together give (place, value, rows) of the most frequent values of text columns.

    Where every value is another one there is none: counting ten million names would take most of the time and memory.
    """
    asked = [
        _top(good, name, place, cut=(measured[f"{place}_longest"] or 0) > LONGEST)
        for place, name in enumerate(names)
        if isinstance(good.schema()[name], dt.String) and not _unlike(measured, place, exact=exact)
    ]
    groups = [asked[start : start + _TOGETHER] for start in range(0, len(asked), _TOGETHER)]
    return [group[0] if len(group) == 1 else ibis.union(*group) for group in groups]


def _unlike(measured: Mapping[str, Any], place: int, *, exact: bool) -> bool:
    present = measured["rows"] - (measured[f"{place}_nulls"] or 0)
    few = present <= TOP
    return not few and measured[f"{place}_distinct"] >= (present if exact else _NEARLY * present)


def _top(good: ir.Table, name: str, place: int, *, cut: bool) -> ir.Table:
    value = good[name].substr(0, LONGEST) if cut else good[name]
    present = good.filter(good[name].notnull()).select(value=value)
    counted = present.group_by("value").aggregate(rows=lambda table: table.count())
    first = counted.order_by(ibis.desc("rows"), "value").limit(TOP)
    return first.select(place=ibis.literal(place, type="int64"), value="value", rows="rows")


def document(
    measured: Mapping[str, Any],
    top: Iterable[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    *,
    exact: bool,
) -> dict[str, Any]:
    """The profile: of the whole, then of each column in the dataset's order."""
    values: dict[int, list[dict[str, Any]]] = {}
    for row in top:
        values.setdefault(row["place"], []).append({"value": row["value"], "rows": row["rows"]})
    described = []
    for place, column in enumerate(columns):
        prefix = f"{place}_"
        own = {
            name.removeprefix(prefix): value for name, value in measured.items() if name.startswith(prefix)
        }
        described.append({**column, **_described(own), **_ranked(values.get(place))})
    return {"rows": measured["rows"], "exact": exact, "columns": described}


def _described(own: Mapping[str, Any]) -> dict[str, Any]:
    others = {name: _plain(value) for name, value in own.items() if name != "quantiles"}
    others["nulls"] = others["nulls"] or 0
    if "quantiles" not in own:
        return others
    # Of no value at all one engine says null, the other a list of nulls.
    known = own["quantiles"] or [None] * len(QUANTILES)
    shares = map(str, QUANTILES)
    return {**others, "quantiles": {share: _plain(value) for share, value in zip(shares, known, strict=True)}}


def _ranked(values: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"top": sorted(values, key=lambda item: (-item["rows"], item["value"]))} if values else {}


def _plain(value: Any) -> Any:
    """A JSON value: moments as ISO 8601 text, no NaN."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def seconds(moment: str | None) -> float | None:
    """A moment of the profile as seconds since 1970, UTC."""
    if moment is None:
        return None
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
