"""What lies on both sides of a split: groups, texts, rows that are equal. Pure, in Ibis; exact, whatever the size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir

from data.split import SIDES

SHORTEST_TEXT = 20  # characters; shorter texts ("ok thanks") are equal by chance
KEY = "_key"


def labelled(rows: ir.Table) -> ir.Table:
    """The rows that are learned from or judged by."""
    return rows.filter(rows["_side"].isin(SIDES))


def by_group(rows: ir.Table, group: str) -> ir.Table:
    """`_row`, `_held`, `_key`: the group of each labelled row that has one."""
    return _keyed(rows, rows[group].cast("string"))


def by_text(rows: ir.Table, texts: Sequence[str]) -> ir.Table:
    """As `by_group`, the key being the texts of a row without case, punctuation and spacing."""
    joined = reduce(add, [rows[name].fill_null("") + " " for name in texts])
    plain = joined.lower().re_replace(r"[^\p{L}\p{N}]+", " ").strip()
    return _keyed(rows, ibis.cases((plain.length() >= SHORTEST_TEXT, plain.hexdigest("md5"))))


def by_values(rows: ir.Table, names: Sequence[str]) -> ir.Table:
    """As `by_group`, with a `_key<i>` for each column a model learns from; rows that have no value are left out."""
    some = reduce(lambda one, other: one | other, [rows[name].notnull() for name in names])
    keys = {f"{KEY}{place}": rows[name] for place, name in enumerate(names)}
    chosen = labelled(rows.filter(some).select("_row", "_side", **keys))
    return chosen.select("_row", *keys, _held=chosen["_side"] != "train")


def _keyed(rows: ir.Table, key: ir.StringValue) -> ir.Table:
    chosen = rows.select("_row", "_side", **{KEY: key})
    chosen = labelled(chosen.filter(chosen[KEY].notnull()))
    return chosen.select("_row", KEY, _held=chosen["_side"] != "train")


def crossed(keyed: ir.Table) -> ir.Table:
    """The keys on both sides: `held` and `known` (the first row of each side), `rows` (held-out ones)."""
    names = [name for name in keyed.columns if name.startswith(KEY)]
    some = _suspects(keyed, names)
    held = some["_held"]
    both = some.group_by(names).aggregate(
        held=some["_row"].min(where=held), known=some["_row"].min(where=~held), rows=held.sum()
    )
    return both.filter(both["held"].notnull() & both["known"].notnull()).select("held", "known", "rows")


def _suspects(keyed: ir.Table, names: Sequence[str]) -> ir.Table:
    """The rows whose key may be on both sides, by a hash of it: a number a row fits memory where keys do not."""
    # Zero and minus zero are equal and have two hashes on Spark: their sum with zero has one.
    cells = {name: keyed[name] + 0.0 if keyed[name].type().is_floating() else keyed[name] for name in names}
    hashed = keyed.mutate(_hash=ibis.struct(cells).hash()).view()
    held = hashed.filter(hashed["_held"]).select("_hash").view()
    both = hashed.filter(~hashed["_held"]).select("_hash").semi_join(held, "_hash").view()
    return hashed.semi_join(both, "_hash").drop("_hash").view()


def first(both: ir.Table, most: int) -> ir.Table:
    """Those with the most held-out rows; beside each, `every_key` and `every_row`: how many there are in all."""
    beside = both.mutate(every_key=both.count(), every_row=both["rows"].sum())
    return beside.order_by(ibis.desc("rows"), "held").limit(most)


def places(rows: ir.Table, wanted: Sequence[int], names: Sequence[str] = ()) -> ir.Table:
    """`_row`, `_source`, `_number` and the columns asked for, of these rows."""
    return rows.filter(rows["_row"].isin(list(wanted))).select("_row", "_source", "_number", *names)
