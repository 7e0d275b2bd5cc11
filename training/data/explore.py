"""What a person wants to see of a dataset, as small tables: every column cut into buckets and counted by class,
correlations, terms, refused rows. Pure, in Ibis. data/eda.py asks; data/page.py shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import ibis
import ibis.expr.types as ir

from data.split import SIDES

KEPT = (*SIDES, "unlabelled")
BUCKETS = 24
MOST_CLASSES = 8  # the rest are counted together
TERMS = 3000  # of the sample, by frequency
SAMPLE = 20_000  # texts whose terms are counted
LARGEST = 1e150  # squares of larger numbers overflow
_PRIME, _FACTOR = 2_147_483_647, 1_103_515_245
_TOGETHER = 40  # columns in one query
_STOP = (
    "a about after all also am an and any are as at be because been but by can could did do does for from "
    "get go got had has have he her him his how i if in into is it its just like me more my no not now of "
    "on one only or our out over she so some than that the their them then there they this to too up us "
    "was we were what when which who will with would you your re ve ll don im"
)
STOP = tuple(_STOP.split())  # they say nothing of what a text is about


@dataclass(frozen=True)
class Cut:
    """How a column is cut: `kind` number, date, length (of a text), or values (the most frequent; then the rest)."""

    place: int
    name: str
    kind: str
    low: float = 0.0
    width: float = 1.0
    count: int = BUCKETS
    values: tuple[str, ...] = ()
    open_low: bool = False
    open_high: bool = False


def sample(rows: ir.Table, every: int, most: int) -> ir.Table:
    """About `most` of the rows, the same ones each time; all of them when there are no more."""
    if every <= most:
        return rows
    mixed = ((rows["_row"] % _PRIME) * _FACTOR) % _PRIME
    return rows.filter(mixed < int(most / every * _PRIME))


def nice(step: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def number_cut(place: int, name: str, about: Mapping[str, Any], kind: str = "number") -> Cut | None:
    """Buckets of one round width between the usual values; what lies far out is in the first and the last.

    Args:
        place: of the column
        name: its name
        about: min, max and, where known, quantiles ("0.05", "0.5", "0.95") as in profile.json
        kind: of the cut
    """
    low, high = about.get("min"), about.get("max")
    if low is None or high is None or not max(abs(low), abs(high)) < LARGEST:
        return None
    start, end = _usual(float(low), float(high), about.get("quantiles") or {})
    width = nice((end - start) / BUCKETS)
    if kind == "length" or about.get("whole"):
        width = max(1.0, math.ceil(width))
    first = math.floor(start / width) * width
    count = max(1, min(2 * BUCKETS, math.floor((end - first) / width + 1e-9) + 1))
    return Cut(place, name, kind, first, width, count, (), low < first, high >= first + count * width)


def _usual(low: float, high: float, quantiles: Mapping[str, Any]) -> tuple[float, float]:
    """The range shown: all of it, unless a few values lie so far out that they would squeeze the others together."""
    left, middle, right = (quantiles.get(name) for name in ("0.05", "0.5", "0.95"))
    if left is None or middle is None or right is None or right <= left:
        return low, high
    far = 2 * (right - left)
    return max(low, left - far), min(high, right + far)


def buckets(
    rows: ir.Table, cuts: Sequence[Cut], label: str | None, classes: Sequence[str] | None
) -> list[ir.Table]:
    """Queries that together give `place`, `bucket`, `kind`, `rows`, `mean`.

    `kind` is the place in `classes` (their number: another one; -1: no label); for a regression it is 0 and `mean` is
    that of the target (0 without a label). Missing values are in no bucket.
    """
    asked = [_bucketed(rows, cut, label, classes) for cut in cuts]
    groups = [asked[start : start + _TOGETHER] for start in range(0, len(asked), _TOGETHER)]
    return [group[0] if len(group) == 1 else ibis.union(*group) for group in groups]


def _bucketed(rows: ir.Table, cut: Cut, label: str | None, classes: Sequence[str] | None) -> ir.Table:
    target = ibis.literal(0.0) if label is None else rows[label]
    of_class = _placed(target, classes, missing=-1) if classes is not None else ibis.literal(0, type="int64")
    rows = rows.filter(rows[cut.name].notnull())  # so that the smaller of a value and its bound is no null
    chosen = rows.select(
        bucket=_bucket(rows[cut.name], cut), kind=of_class.cast("int64"),
        target=target.cast("float64") if classes is None else ibis.null("float64"),
    )  # fmt: skip
    counted = chosen.group_by("bucket", "kind").aggregate(
        rows=chosen.count(),
        mean=chosen["target"].mean() if classes is None else ibis.null("float64"),
    )
    place = ibis.literal(cut.place, type="int64")
    return counted.select(place=place, bucket="bucket", kind="kind", rows="rows", mean="mean")


def _bucket(column: Any, cut: Cut) -> Any:
    if cut.kind == "values":
        return _placed(column, cut.values, missing=None).cast("int64")
    if cut.kind == "length":
        column = column.length().cast("float64")
    elif cut.kind == "date":
        column = column.epoch_seconds().cast("float64")
    # Clipped before it is cast: a number may be too large for an integer.
    place = (column - cut.low) / cut.width
    return ibis.least(ibis.greatest(place, 0.0), float(cut.count - 1)).floor()


def _placed(column: Any, values: Sequence[str], missing: int | None) -> Any:
    absent = ibis.null("int64") if missing is None else ibis.literal(missing, type="int64")
    branches = [(column.isnull(), absent)]
    branches += [(column == value, ibis.literal(place, type="int64")) for place, value in enumerate(values)]
    return ibis.cases(*branches, else_=ibis.literal(len(values), type="int64"))


def correlations(rows: ir.Table, numbers: Sequence[str], target: ir.Value | None) -> ir.Table:
    """One row: `c<i>_<j>` Pearson's r of two numbers, of the rows that have both; `t<i>` that with the target."""
    values = {name: rows[name].cast("float64") for name in numbers}
    aggregates = {
        f"c{numbers.index(one)}_{numbers.index(other)}": values[one].corr(values[other], how="pop")
        for one, other in combinations(numbers, 2)
    }
    if target is not None:
        aggregates |= {
            f"t{place}": values[name].corr(target, how="pop") for place, name in enumerate(numbers)
        }
    return rows.aggregate(**aggregates)


def lengths(rows: ir.Table, texts: Sequence[str], *, exact: bool) -> ir.Table:
    """One row: `min<i>`, `max<i>`, `mean<i>`, and quantiles `q<i>_<share>` of the characters of each text."""
    aggregates: dict[str, ir.Scalar] = {}
    for place, name in enumerate(texts):
        length = rows[name].length()
        aggregates |= {
            f"min{place}": length.min(),
            f"max{place}": length.max(),
            f"mean{place}": length.mean(),
        }
        for share in (0.05, 0.5, 0.95):
            found = length.quantile(share) if exact else length.approx_quantile(share)
            aggregates[f"q{place}_{share}"] = found
    return rows.aggregate(**aggregates)


def terms(sampled: ir.Table, text: str, label: str | None) -> ir.Table:
    """`term`, `target`, `rows`: how many texts have it; the most frequent terms of three letters and more."""
    target = sampled[label] if label else ibis.literal("")
    words = sampled[text].substr(0, 1000).lower().re_split(r"[^\p{L}\p{N}]+").unique()
    said = sampled.select(target=target, term=words.unnest())
    said = said.filter((said["term"].length() > 2) & said["term"].notin(STOP) & said["target"].notnull())
    counted = said.group_by("term", "target").aggregate(rows=lambda table: table.count()).view()
    every = counted.mutate(every=counted["rows"].sum().over(ibis.window(group_by="term")))
    return every.order_by(ibis.desc("every"), "term", "target").limit(TERMS).drop("every")


def refused(rows: ir.Table, most: int) -> ir.Table:
    """`_source`, `number`, `column`, `value`, `reason` of the first rows refused."""
    bad = rows.filter(rows["_side"] == "quarantined").order_by("_row").limit(most)
    first = bad["_faults"][0]
    return bad.select(
        "_source", number=bad["_number"], column=first["column"], value=first["value"], reason=first["reason"]
    )


def labels(rows: ir.Table, label: str) -> ir.Table:
    """`target`, `rows` of all rows that were read, whatever became of them; the hundred most frequent."""
    counted = rows.filter(rows[label].notnull()).group_by(target=rows[label]).aggregate(
        rows=lambda table: table.count()
    )  # fmt: skip
    return counted.order_by(ibis.desc("rows"), "target").limit(100)
