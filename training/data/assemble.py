"""From the files of every source to the rows of a dataset: upserts, less what is deleted or outdated, with what
references add. What is decided of a row is in data/contract.py, data/merge.py and data/split.py; this reads and keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from data import contract, counts, merge, replayed, results, retyped, sources, split
from data.errors import BadUpload
from data.files import Source
from data.spec import SourceRule, Spec, VersionBy

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.engine import Engine


@dataclass(frozen=True)
class Columns:
    """`every` of the dataset, `own` of the upserts, and what the references `add`, one tuple each, in their order."""

    every: tuple[str, ...]
    own: tuple[str, ...]
    adds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Reading:
    """Files that are read as one table, and what of them is compared."""

    name: str
    files: Sequence[Source]
    columns: tuple[str, ...]
    needs: tuple[str, ...]
    key: tuple[str, ...]
    version_by: VersionBy | None = None


class Assembly:
    """The files of a run on their way to rows.

    Attributes:
        found: every file looked at; those that turn out to be broken are refused
        columns: known once the headers have been compared
        others: the rows of deletes and references, each with its `_side`, without the dataset's columns
        unmatched: what each reference had no partner for
        as_read: the good rows lie in the order they were read in, as far as the engine keeps an order
    """

    def __init__(self, engine: Engine, spec: Spec, found: Sequence[Source]) -> None:
        self.engine, self.spec = engine, spec
        self.found = list(found)
        self.references = [rule for rule in spec.sources if rule.kind == "reference"]
        self.columns = self._columns()
        self.own = replace(spec, columns=_only(spec, self.columns.own))
        self.others: list[ir.Table] = []
        self.unmatched: list[dict[str, Any]] = []
        self.as_read = False

    def rows(self) -> ir.Table:
        """The rows of the upserts, typed, judged, merged and dealt to a side, each with its `_side`.

        Raises:
            BadUpload: there is no file of rows, or none of a reference they are joined with.
        """
        self._complete()
        if not (self.spec.key or self.spec.drop_duplicates or self.references):
            raw = self.engine.read(self._of("upserts"), self._read_columns())
            judged = contract.apply(split.fingerprint(raw, self.spec), self.spec)
            kept = self.engine.keep(split.apply(judged, self.spec), "judged")
            self.as_read = replayed.NUMBER not in kept.columns
            return self._typed(self._sound(kept))
        gone = self._gone()
        joined = [self._reference(place, rule) for place, rule in enumerate(self.references)]
        self._complete()
        return self._merged(self._upserts(), gone, joined)

    def _of(self, kind: str, rule: SourceRule | None = None) -> list[Source]:
        """The files of a kind (or one source) that can be read; a file of deletes without rows has no header."""
        readable = [one for one in self.found if not one.refusal and one.header]
        of = [(one, sources.rule(self.spec, one.drop.key)) for one in readable]
        return [one for one, its in of if its.kind == kind and rule in {None, its}]

    def _columns(self) -> Columns:
        found = _names(self._of("upserts"))
        own, adds = dict.fromkeys(found), []
        for rule in self.references:
            theirs = [
                name for name in _names(self._of("reference", rule)) if not merge.UNNAMED.fullmatch(name)
            ]
            adds.append(tuple(name for name in theirs if name not in {*own, *rule.join_on}))
            own.update(dict.fromkeys(adds[-1]))
        brought = {name for names in adds for name in names}
        mine = [name for name in self.spec.names if name not in brought]
        every = dict.fromkeys([*self.spec.names, *own])
        return Columns(tuple(every), tuple(dict.fromkeys([*mine, *found])), tuple(adds))

    def _complete(self) -> None:
        """Whether there is what a dataset is made of."""
        if not self._of("upserts"):
            raise BadUpload("there are no rows yet, only deletes or references; drop a file of rows")
        for rule in self.references:
            if not self._of("reference", rule):
                raise BadUpload(
                    f"source {rule.name!r} has no usable file yet; drop one that matches {rule.path!r}"
                )
        headers = [*self.columns.own, *(name for names in self.columns.adds for name in names)]
        there = {name for one in self.found if not one.refusal for name in one.header}
        absent = [column.name for column in self.spec.features if column.name not in there]
        if absent:
            shown = [name for name in headers if name in there]
            raise BadUpload(
                f"project spec, columns: no file has {', '.join(map(repr, absent))}; the files have "
                f"{', '.join(map(repr, shown[:50]))}. Correct the spec, or drop a file that has it"
            )
        group = self.spec.split.group
        if group is not None and group not in self.columns.own:
            raise BadUpload(
                f"project spec, split.group: {group!r} comes from a reference; name a column of the rows"
            )

    def _read(self, reading: _Reading) -> ir.Table:
        raw = self.engine.read(reading.files, reading.columns)
        spec = replace(self.spec, columns=_only(self.spec, reading.columns, reading.needs))
        stamped = merge.stamp(raw, reading.columns, reading.key, reading.version_by)
        return self._sound(self.engine.keep(contract.apply(stamped, spec), reading.name))

    def _sound(self, rows: ir.Table) -> ir.Table:
        """Refuse the files that stopped being readable half-way, with all their rows."""
        broken = {row["_source"]: row["reason"] for row in self.engine.rows(counts.broken(rows))}
        if not broken:
            return rows
        self.found = [
            one if one.refusal else replace(one, refusal=broken.get(one.drop.key)) for one in self.found
        ]
        return rows.filter(rows["_source"].notin(list(broken)))

    def _typed(self, rows: ir.Table) -> ir.Table:
        """Tell of the files whose columns are of another type; refuse them, with all their rows, if the spec does."""
        found = retyped.changes(self.engine.rows, rows, self.spec)
        refused = {}
        if self.spec.drift.retyped == "refuse":
            refused = {key: retyped.problem(changes) for key, changes in found.items()}
        self.found = [
            replace(
                one,
                drift=(*one.drift, *found.get(one.drop.key, ())),
                refusal=one.refusal or refused.get(one.drop.key),
            )
            for one in self.found
        ]
        return self._corrected(rows.filter(rows["_source"].notin(list(refused))) if refused else rows)

    def _read_columns(self) -> tuple[str, ...]:
        """The upserts' own, and which rows they correct if any do."""
        return (*self.columns.own, *([replayed.NUMBER] if replayed.pairs(self._of("upserts")) else ()))

    def _corrected(self, rows: ir.Table) -> ir.Table:
        """Set the rows apart whose place corrected ones have taken."""
        by = replayed.pairs(self._of("upserts"))
        if replayed.NUMBER not in rows.columns:
            return rows
        if not by:  # the files of corrections turned out to be broken
            return rows.drop(replayed.NUMBER)
        stand, out = replayed.apart(rows, self.engine.keep(replayed.replaced(rows, by), "replaced"))
        self.others.append(merge.aside(out, merge.SUPERSEDED))
        return stand

    def _gone(self) -> ir.Table | None:
        files = self._of("deletes")
        if not files:
            return None
        key, by = self.spec.key, self.spec.version_by
        dated = (by.column,) if by else ()
        rows = self._read(_Reading("deletes", files, tuple(dict.fromkeys([*key, *dated])), key, key, by))
        self.others.append(merge.aside(rows, merge.DELETED))
        return merge.tombstones(rows)

    def _reference(self, place: int, rule: SourceRule) -> ir.Table:
        names = (*rule.join_on, *self.columns.adds[place])
        reading = _Reading(
            f"reference_{place}", self._of("reference", rule), names, rule.join_on, rule.join_on
        )
        rows = self._read(reading)
        rows = merge.fated(rows, self.engine.keep(merge.fates(rows), f"outdated_{place}"))
        self.others.append(merge.aside(rows, merge.REFERENCE))
        return merge.standing(rows)

    def _upserts(self) -> ir.Table:
        raw = split.fingerprint(self.engine.read(self._of("upserts"), self._read_columns()), self.own)
        joins = [rule.join_on for rule in self.references]
        stamped = merge.stamp(raw, self.columns.own, self.spec.key, self.spec.version_by, joins)
        return self._typed(self._sound(self.engine.keep(contract.apply(stamped, self.own), "typed")))

    def _merged(self, rows: ir.Table, gone: ir.Table | None, joined: Sequence[ir.Table]) -> ir.Table:
        if self.spec.key or self.spec.drop_duplicates:
            rows = merge.fated(rows, self.engine.keep(merge.fates(rows, gone), "fates"))
        else:
            rows = merge.fated(rows)
        for place, reference in enumerate(joined):
            rows = merge.match(rows, place, reference, self.columns.adds[place])
        kept = self.engine.keep(merge.sided(split.apply(rows, self.own)), "judged")
        for place, rule in enumerate(self.references):
            lost = self.engine.rows(counts.lost(kept, place))
            sample = self.engine.rows(counts.lost_keys(kept, place))
            self.unmatched.append(results.unmatched(rule, lost[0]["rows"], [row["key"] for row in sample]))
        return merge.forget(kept)


def _names(files: Iterable[Source]) -> list[str]:
    names = dict.fromkeys(name for one in files for name in one.header)
    return [name for name in names if name != replayed.NUMBER]


def _only(spec: Spec, names: Iterable[str], needs: Iterable[str] | None = None) -> tuple[Any, ...]:
    """The spec's columns of these names; with `needs`, exactly those are required besides the references' own."""
    wanted = set(names)
    columns = [column for column in spec.columns if column.name in wanted]
    if needs is None:
        return tuple(columns)
    identity = {*spec.key, *([spec.version_by.column] if spec.version_by else ())} - set(needs)
    return tuple(
        replace(one, required=one.name in needs or (one.required and one.name not in identity))
        for one in columns
    )
