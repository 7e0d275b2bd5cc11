"""The split by time: learn from what was, be judged by what came after.

A side starts at a moment, its cut: rows at or after the test's cut are the test, those at or after the validation's cut
and before the test's are the validation, older ones are for training. Rows of one moment are never parted, so the test
gets AT MOST its share: its cut is the first moment that has at least `1 - test` of the dated rows before it.

A row without a date cannot be shown to be new, and is for training. Make the column `required` to refuse such rows.

The cuts move when newer rows come: that is what "newest" means, and a row that was in the test may then be learned
from. `split.cuts` pins them: then a row never changes its side, and the test only grows. Pure, in Ibis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from data.spec import Split
from data.split import LABELLED

_ROUNDING = 1e-9  # 0.7 of 10 rows are 7, whatever 1 - 0.1 - 0.2 is in binary


def moments(sided: ir.Table, split: Split) -> ir.Table:
    """`side`, `cut` (text of a moment), `rows` (all that are dated): where each side starts; a side without a cut is
    absent.
    """
    dated = _when(sided.filter(sided["_side"] == LABELLED), split)
    counted = (
        dated.filter(dated["when"].notnull()).group_by("when").aggregate(rows=lambda table: table.count())
    )
    older = ibis.window(order_by="when", preceding=(None, 1))
    ordered = counted.mutate(
        older=counted["rows"].sum().over(older).fill_null(0),
        every=counted["rows"].sum().over(ibis.window()),
    ).view()
    return ibis.union(
        _cut(ordered, "validation", 1 - split.test - split.validation), _cut(ordered, "test", 1 - split.test)
    )


def _when(rows: ir.Table, split: Split) -> ir.Table:
    return rows.select(when=rows[str(split.by)])


def _cut(ordered: ir.Table, side: str, before: float) -> ir.Table:
    late = ordered.filter(ordered["older"] >= ordered["every"] * (before - _ROUNDING))
    first = late.aggregate(cut=late["when"].min(), rows=late["every"].max())
    # As text: Spark hands moments over in the time zone of the machine.
    return first.filter(first["cut"].notnull()).select(
        side=ibis.literal(side), cut=first["cut"].cast("string"), rows=first["rows"]
    )


def cuts(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The rows of `moments` as {side: moment}, in the form dataset.json records and `split.cuts` takes."""
    return {row["side"]: row["cut"] for row in sorted(found, key=lambda row: str(row["cut"]))}


def deal(sided: ir.Table, split: Split, starts: Mapping[str, str]) -> ir.Table:
    """Replace `LABELLED` by the sides. `starts` is what `cuts` gave, or the spec's own."""
    when = sided[str(split.by)]
    branches = [
        (when >= ibis.literal(starts[side]).cast("timestamp"), side)
        for side in ("test", "validation")
        if side in starts
    ]
    dealt = ibis.cases(*branches, else_="train") if branches else ibis.literal("train")
    side = ibis.cases((sided["_side"] == LABELLED, dealt), else_=sided["_side"])
    return sided.mutate(_side=side)
