"""Versions of one thing: the newest row of each key stays, deletes take keys away, references add columns.

Pure `Table → Table`, in Ibis, so that DuckDB and Spark do the same. What becomes of a row depends on the set of rows
alone, not on the order they come in, so a batch that is applied twice, late or in reverse changes nothing:

- a delete removes every row of its key whose version date is not newer than its own, or every one when it has no date.
  Rows with faults go too: what is to be forgotten is not kept in quarantine. It removes nothing from references;
- of the good rows left of a key the newest version date wins; of equal dates the row dropped last (`_row`);
- rows equal to the winner are duplicates, of which the first is kept: so a file dropped again brings no new row;
- a row whose partner a reference lacks is unmatched. Of a reference's rows the one dropped last stands for its key.

Keys and join columns are compared as text, without white space around it: `1` and `1.0` are two keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from data import dates
from data.spec import VersionBy

KEY, VERSION, CONTENT, JOINS = "_merge_key", "_merge_version", "_merge_content", "_merge_joins"
STAMPS = (KEY, VERSION, CONTENT, JOINS)
FATE = "_merge_fate"
LOST, LOST_BY = (
    "_merge_lost",
    "_merge_lost_by",
)  # the join key that had no partner, and the place of the reference
SUPERSEDED, DUPLICATE, DELETED, UNMATCHED = "superseded", "duplicate", "deleted", "unmatched"
REFERENCE = "reference"
FATES = (SUPERSEDED, DUPLICATE, DELETED, UNMATCHED, REFERENCE)
UNNAMED = re.compile(
    r"column_\d+"
)  # what data/files.py calls a column without a name: most often a row number
UNIT = "\x1f"  # separates values in what is compared


def stamp(
    raw: ir.Table,
    columns: Sequence[str],
    key: Sequence[str],
    version_by: VersionBy | None = None,
    joins: Sequence[Sequence[str]] = (),
) -> ir.Table:
    """Add to rows as dropped what they are compared by.

    Args:
        raw: batches as of data/rows.py: bookkeeping and text columns
        columns: what must be equal in rows that are equal; unnamed columns do not count
        key: the columns that name a thing; none: the whole content does
        version_by: the date that makes one row newer than another
        joins: the join columns of each reference
    """
    names = [name for name in columns if not UNNAMED.fullmatch(name)]
    content = _joined([raw[name].fill_null("") for name in names]).hexdigest("md5")
    stamps: dict[str, ir.Value] = {CONTENT: content, KEY: _key(raw, key) if key else content}
    if version_by is not None:
        stamps[VERSION] = dates.parse(raw[version_by.column].strip().nullif(""), version_by.format)
    if joins:
        stamps[JOINS] = ibis.array([_key(raw, names) for names in joins])
    return raw.mutate(**stamps)


def _joined(texts: Sequence[ir.StringValue]) -> ir.StringValue:
    return ibis.literal(UNIT).join(texts)


def _key(raw: ir.Table, names: Sequence[str]) -> ir.StringValue:
    """The key's text; null when a part of it is missing."""
    parts = [raw[name].strip() for name in names]
    whole = ibis.and_(*(part.notnull() & (part != "") for part in parts))
    return ibis.cases((whole, _joined([part.fill_null("") for part in parts])))


def tombstones(deletes: ir.Table) -> ir.Table:
    """One row a key that is to go: `_merge_key`, `_until` (its newest date), `_always` (a delete without a date)."""
    good = deletes.filter(deletes["_faults"].length() == 0)
    if VERSION not in good.columns:
        return good.group_by(KEY).aggregate(_always=good[KEY].notnull().any())
    return good.group_by(KEY).aggregate(_until=good[VERSION].max(), _always=good[VERSION].isnull().any())


def fates(rows: ir.Table, gone: ir.Table | None = None) -> ir.Table:
    """`_row` and `_merge_fate` of every row that does not stay; the others are not in it.

    Args:
        rows: stamped rows after the contract
        gone: what `tombstones` makes
    """
    versions = [rows[VERSION]] if VERSION in rows.columns else []
    slim = rows.select("_row", KEY, CONTENT, *versions, _good=rows["_faults"].length() == 0)
    slim = slim.filter(slim[KEY].notnull())
    if gone is None:
        return _outdated(slim.filter(slim["_good"]))
    judged = slim.left_join(gone.rename(_gone=KEY), [(KEY, "_gone")])
    judged = judged.mutate(_dead=_dead(judged)).view()
    dead = judged.filter(judged["_dead"]).select("_row", **{FATE: ibis.literal(DELETED)})
    return dead.union(_outdated(judged.filter(~judged["_dead"] & judged["_good"])))


def _dead(judged: ir.Table) -> ir.BooleanValue:
    if VERSION not in judged.columns:
        return judged["_gone"].notnull()
    version = judged[VERSION]
    late = version.isnull() | (version <= judged["_until"])
    return judged["_gone"].notnull() & (judged["_always"] | late.fill_null(False))


def _outdated(live: ir.Table) -> ir.Table:
    newest_first = [ibis.desc("_row")]
    if VERSION in live.columns:
        newest_first.insert(0, ibis.desc(VERSION))
    ranked = live.mutate(_top=live[CONTENT].first().over(group_by=KEY, order_by=newest_first)).view()
    same = ranked.mutate(_same=ibis.cases((ranked[CONTENT] == ranked["_top"], ranked["_row"]))).view()
    kept = same.mutate(_kept=same["_same"].min().over(group_by=KEY)).view()
    fate = ibis.cases((kept["_same"].isnull(), SUPERSEDED), (kept["_same"] != kept["_kept"], DUPLICATE))
    fated = kept.select("_row", **{FATE: fate})
    return fated.filter(fated[FATE].notnull())


def fated(rows: ir.Table, found: ir.Table | None = None) -> ir.Table:
    """Add `_merge_fate`, null for a row that stays."""
    if found is None:
        return rows.mutate(**{FATE: ibis.null("string")})
    return rows.left_join(
        found.select(_merge_fated="_row", **{FATE: found[FATE]}), [("_row", "_merge_fated")]
    ).drop("_merge_fated")


def standing(rows: ir.Table) -> ir.Table:
    """The rows of a reference that stand for their keys."""
    return rows.filter(rows[FATE].isnull() & (rows["_faults"].length() == 0))


def match(rows: ir.Table, place: int, reference: ir.Table, adds: Sequence[str]) -> ir.Table:
    """Add a reference's columns; a good row it has no partner for is unmatched.

    Args:
        rows: with their fates
        place: of the reference in `joins` of `stamp`
        reference: its `standing` rows
        adds: its columns that the rows are to have
    """
    theirs = reference.select(*adds, _merge_partner=reference[KEY])
    joined = (
        rows.mutate(_merge_join=rows[JOINS][place])
        .left_join(theirs, [("_merge_join", "_merge_partner")])
        .view()
    )
    alone = joined[FATE].isnull() & joined["_merge_partner"].isnull() & (joined["_faults"].length() == 0)
    lost: dict[str, ir.Value] = {LOST: joined["_merge_join"].fill_null(""), LOST_BY: ibis.literal(place)}
    changed = {name: ibis.cases((alone, value)) for name, value in lost.items()}
    if LOST in rows.columns:  # by an earlier reference
        changed = {name: joined[name].coalesce(value) for name, value in changed.items()}
    changed[FATE] = ibis.cases((alone, UNMATCHED), else_=joined[FATE])
    return joined.select(*(name for name in rows.columns if name not in changed), *adds, **changed)


def sided(rows: ir.Table) -> ir.Table:
    """Where the merge has said what becomes of a row, that is its side; then forget what it was compared by."""
    done = rows.mutate(_side=ibis.coalesce(rows[FATE], rows["_side"]))
    return done.drop(*(name for name in (*STAMPS, FATE) if name in done.columns))


def forget(rows: ir.Table) -> ir.Table:
    """Without what only the report of the unmatched is made of."""
    return rows.drop(LOST, LOST_BY) if LOST in rows.columns else rows


def aside(rows: ir.Table, use: str) -> ir.Table:
    """The rows of deletes or a reference as they are counted: bad, outdated, or of use."""
    outdated = [(rows[FATE].notnull(), rows[FATE])] if FATE in rows.columns else []
    side = ibis.cases(*outdated, (rows["_faults"].length() > 0, "quarantined"), else_=use)
    return rows.select("_row", "_source", "_number", "_text", "_faults", "_record", _side=side)
