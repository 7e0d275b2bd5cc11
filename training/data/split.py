"""Which side of the split a row is on.

`hash`: the MD5 of the seed and the row's content (or its group's name) is a uniform number, so a row stays on its side
whatever is added, equal rows are on one side, and both engines agree. Classes keep their shares without being asked to,
because the hash knows nothing of them: the expected share on each side is the same, within sampling error.
The label is not part of the content: a corrected label does not move a row, and rows that only differ in their label
do not end on both sides.

`shuffled`: `DataFrame.sample(frac=1, random_state=seed)` and cuts, as the workshops do it.

`time`: the newest rows are the test, those before them the validation (data/timesplit.py).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from data import plain
from data.spec import Spec, Split
from data.trim import trimmed

LABELLED = "labelled"  # until the shuffle has dealt it out
SIDES = ("train", "validation", "test")
_UNIT = "\x1f"  # separates values in what is hashed
_RANGE = 1 << 32


def fingerprint(raw: ir.Table, spec: Spec) -> ir.Table:
    """Add `_digest`, of which the side is made: from the text as dropped, because engines spell numbers differently."""
    names = sorted(column.name for column in spec.columns if column.role not in {"label", "ignore"})
    seed = ibis.literal(str(spec.split.seed))

    as_they_are = ibis.literal(_UNIT).join([seed, *(raw[name] for name in names)])
    cleaned = ibis.literal(_UNIT).join([seed, *(trimmed(raw, name).fill_null("") for name in names)])
    content = ibis.cases((raw[plain.NAME] == plain.PLAIN, as_they_are), else_=cleaned)
    if spec.split.group is not None:
        group = raw[spec.split.group].strip().nullif("")
        content = ibis.cases((group.notnull(), ibis.literal(_UNIT).join([seed, group])), else_=content)
    return raw.mutate(_digest=content.hexdigest("md5").left(8))


def apply(judged: ir.Table, spec: Spec) -> ir.Table:
    """Replace `_digest` by `_side`: quarantined, unlabelled, train, validation, test.

    Shuffled and time have to see all rows first: with them it is `LABELLED` until `deal` or data/timesplit.py.
    """
    judged = judged.view()  # as in data/contract.py
    later = spec.split.method != "hash"
    dealt = ibis.literal(LABELLED) if later else _by_hash(judged["_digest"], spec.split)
    side = ibis.cases(
        (judged["_faults"].length() > 0, "quarantined"),
        (judged[spec.label.name].isnull(), "unlabelled"),
        else_=dealt,
    )
    return judged.mutate(_side=side).drop("_digest")


def _by_hash(digest: ir.StringValue, split: Split) -> ir.StringValue:
    # Hexadecimal text of one length sorts as its number does, so no engine has to convert it.
    validation = split.test + split.validation
    return ibis.cases(
        (digest < _hex(split.test), "test"), (digest < _hex(validation), "validation"), else_="train"
    )


def _hex(share: float) -> str:
    return f"{min(int(share * _RANGE), _RANGE - 1):08x}"


def shuffled(count: int, split: Split) -> pa.Table:
    """Deal `count` rows out as the workshops do.

    Returns:
        `rank` (place in file order, from 0), `_position` (place after the shuffle) and `_dealt` (side), one row each.
    """
    # The very call of pandas.DataFrame.sample(frac=1, random_state=seed).
    order = np.random.RandomState(split.seed).choice(count, size=count, replace=False)
    train = 1 - split.validation - split.test
    cuts = int(train * count), int((train + split.validation) * count)
    positions = np.arange(count, dtype=np.int64)
    sides = np.array(SIDES)[np.searchsorted(cuts, positions, side="right")]
    dealt = pa.array(sides.tolist(), pa.string())
    return pa.table({"rank": order.astype(np.int64), "_position": positions, "_dealt": dealt})


def deal(sided: ir.Table, dealt: ir.Table) -> ir.Table:
    """Replace `LABELLED` by the sides of `shuffled`, by the rows' places in file order; adds `_position`."""
    ranked = sided.filter(sided["_side"] == LABELLED).select("_row")
    ranked = ranked.mutate(rank=ibis.row_number().over(order_by="_row"))
    placed = ranked.join(dealt, "rank").select("_row", "_position", "_dealt")
    joined = sided.left_join(placed, "_row")
    side = joined["_dealt"].fill_null(joined["_side"])
    return joined.select(*(name for name in sided.columns if name != "_side"), "_position", _side=side)
