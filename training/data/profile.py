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
        for quantile in QUANTILES:
            yield f"q{quantile}", column.quantile(quantile) if exact else column.approx_quantile(quantile)


def tops(good: ir.Table, names: Sequence[str]) -> list[ir.Table]:
    """Queries that together give (place, value, rows) of the most frequent values of text columns."""
    asked = [
        _top(good, name, place)
        for place, name in enumerate(names)
        if isinstance(good.schema()[name], dt.String)
    ]
    groups = [asked[start : start + _TOGETHER] for start in range(0, len(asked), _TOGETHER)]
    return [group[0] if len(group) == 1 else ibis.union(*group) for group in groups]


def _top(good: ir.Table, name: str, place: int) -> ir.Table:
    present = good.filter(good[name].notnull()).select(value=good[name].substr(0, LONGEST))
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
    quantiles = {name[1:]: _plain(value) for name, value in own.items() if name.startswith("q0")}
    others = {name: _plain(value) for name, value in own.items() if not name.startswith("q0")}
    others["nulls"] = others["nulls"] or 0
    return {**others, "quantiles": quantiles} if quantiles else others


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
