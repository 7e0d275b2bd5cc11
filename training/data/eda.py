"""eda.json: what the rows of a dataset version look like, for data/page.py to show and for programs to read.

Everything is counted over all rows, but terms (of `explore.SAMPLE` texts) and what the leak guard says it sampled;
above profile.EXACT_UP_TO rows distinct values and quantiles are estimates, as in profile.json. At most `MOST_COLUMNS`
columns are cut into buckets, those of the spec first; the others have their figures only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir

from data import counts, explore, marks, profile
from data.explore import KEPT, Cut
from data.leaks import Finding
from data.results import Tally
from data.spec import Spec

if TYPE_CHECKING:
    from data.engine import Engine

MOST_COLUMNS = 60
MOST_NUMBERS = 20  # whose correlations are told
MOST_OBJECTS = 200
MOST_REFUSED = 20
TERMS_A_CLASS = 12
_FEWEST_TERM_ROWS = 5
_MANY, _SEEN = (
    50,
    0.01,
)  # values of a column that is not used, and the share of the first from which on they are shown


@dataclass(frozen=True)
class Look:
    """What is looked at: all rows with their sides, what is known of them, and by whom they are counted."""

    engine: Engine
    spec: Spec
    rows: ir.Table
    counted: Tally
    profile: Mapping[str, Any]

    def document(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """eda.json, whole."""
        kept = self.rows.filter(self.rows["_side"].isin(KEPT))
        columns = self._columns(kept)
        return {
            "project": self.profile["project"],
            "version": self.profile["version"],
            "task": self.spec.task,
            "read": sum(self.counted.rows.values()),
            "rows": self.counted.rows,
            "exact": self.profile["exact"],
            "target": self._target(),
            "columns": columns,
            "correlations": self._correlations(kept, columns),
            "terms": self._terms(kept),
            "objects": [
                {"key": key, "rows": dict(sides)}
                for key, sides in list(self.counted.sources.items())[:MOST_OBJECTS]
            ],
            "objects_in_all": len(self.counted.sources),
            "refused": self._refused(),
            "leaks": [finding.document() for finding in findings],
            "leaks_action": self.spec.leaks.action,
        }

    @property
    def classes(self) -> list[str] | None:
        """The classes by frequency, at most `explore.MOST_CLASSES`; None for a regression."""
        if not self.spec.classification:
            return None
        sizes = {name: sum(sides.values()) for name, sides in self.counted.classes.items()}
        return sorted(sizes, key=lambda name: (-sizes[name], name))[: explore.MOST_CLASSES]

    def _target(self) -> dict[str, Any]:
        """Its classes in all rows read, as dropped, and on each side of those kept."""
        if self.spec.embeddings:
            return {"name": None, "classes": None}
        document: dict[str, Any] = {"name": self.spec.label.name, "classes": self.classes}
        if self.spec.classification:
            found = self.engine.rows(explore.labels(self.rows, self.spec.label.name))
            document["read"] = {row["target"]: row["rows"] for row in found}
            document["sides"] = self.counted.classes
        return document

    def _columns(self, kept: ir.Table) -> list[dict[str, Any]]:
        columns = [dict(column) for column in self.profile["columns"]]
        empty = self._empty()
        for column in columns:
            column["empty"] = empty.get(column["name"])
        texts = [column["name"] for column in columns if column["role"] == "text"]
        for name, found in self._lengths(kept, texts).items():
            next(column for column in columns if column["name"] == name)["length"] = found
        cuts = [
            cut
            for place, column in enumerate(columns[:MOST_COLUMNS])
            if (cut := cut_of(place, column, self.profile["rows"]))
        ]
        target = None if self.spec.embeddings else self.spec.label.name
        asked = explore.buckets(kept, cuts, target, self.classes)
        filling = [row for query in asked for row in self.engine.rows(query)]
        for cut in cuts:
            columns[cut.place]["buckets"] = filled(cut, filling, self.classes)
            if target is None:
                columns[cut.place]["buckets"]["mean"] = None
        return columns

    def _empty(self) -> dict[str, int]:
        if marks.NAME not in self.rows.columns:
            return {}
        return marks.counted(self.engine.rows(marks.empties(self.rows, self.spec))[0], self.spec)

    def _lengths(self, kept: ir.Table, texts: Sequence[str]) -> dict[str, dict[str, Any]]:
        if not texts:
            return {}
        row = self.engine.rows(explore.lengths(kept, texts, exact=self.profile["exact"]))[0]
        return {
            name: {
                "min": row[f"min{place}"],
                "max": row[f"max{place}"],
                "mean": row[f"mean{place}"],
                "quantiles": {share: row[f"q{place}_{share}"] for share in ("0.05", "0.5", "0.95")},
            }
            for place, name in enumerate(texts)
        }

    def _correlations(self, kept: ir.Table, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        numbers = [column["name"] for column in columns if _correlates(column)][:MOST_NUMBERS]
        if len(numbers) < 2:
            return None
        label = kept[self.spec.label.name]
        told = self.classes is None or len(self.counted.classes) == 2
        last = list(self.counted.classes)[-1] if self.counted.classes else None
        target = (
            (label.cast("float64") if last is None else (label == last).cast("float64")) if told else None
        )
        row = self.engine.rows(explore.correlations(kept, numbers, target))[0]
        return {
            "columns": numbers,
            "values": [[_r(row, one, other) for other in range(len(numbers))] for one in range(len(numbers))],
            "target": [_finite(row.get(f"t{place}")) for place in range(len(numbers))] if told else None,
            "of": last,
        }

    def _terms(self, kept: ir.Table) -> dict[str, Any] | None:
        texts = [column.name for column in self.spec.features if column.role == "text"]
        if not texts:
            return None
        every = sum(self.counted.rows[side] for side in KEPT)
        label = self.spec.label.name if self.spec.classification else None
        found = self.engine.rows(explore.terms(explore.sample(kept, every, explore.SAMPLE), texts[0], label))
        return {
            "column": texts[0],
            "sampled": min(every, explore.SAMPLE),
            "of": every,
            "classes": telling(found, self.counted.classes),
        }

    def _refused(self) -> dict[str, Any]:
        if not self.counted.rows["quarantined"]:
            return {"reasons": [], "examples": []}
        reasons: dict[tuple[str, str], int] = {}
        for row in self.engine.rows(counts.faults(self.rows)):
            fault = row["column"], row["reason"]
            reasons[fault] = reasons.get(fault, 0) + row["rows"]
        ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        return {
            "reasons": [
                {"column": column, "reason": reason, "rows": rows} for (column, reason), rows in ordered[:100]
            ],
            "examples": self.engine.rows(explore.refused(self.rows, MOST_REFUSED)),
        }


def cut_of(place: int, column: Mapping[str, Any], rows: int) -> Cut | None:
    """How to cut a column of the profile (of so many rows) into buckets; None: there is nothing to see in it."""
    name, role = column["name"], column["role"]
    if role == "id" or not column["distinct"]:
        return None
    if "length" in column:
        return explore.number_cut(place, name, column["length"], "length")
    if "mean" in column:
        return explore.number_cut(place, name, {**column, "whole": _whole(column)})
    if "min" in column:
        return _date_cut(place, name, column)
    top = [item["value"] for item in column.get("top", ())]
    # Names, titles: the ten most frequent of them say nothing.
    if not top or (
        role == "ignore" and column["distinct"] > _MANY and column["top"][0]["rows"] < _SEEN * rows
    ):
        return None
    return Cut(place, name, "values", count=len(top) + 1, values=tuple(top))


def _date_cut(place: int, name: str, column: Mapping[str, Any]) -> Cut | None:
    start, end = profile.seconds(column["min"]), profile.seconds(column["max"])
    if start is None or end is None:
        return None
    day = 86_400.0
    width = next(
        (
            days * day
            for days in (1, 7, 30, 91, 365, 3650)
            if (end - start) / (days * day) < 2 * explore.BUCKETS
        ),
        36_500 * day,
    )
    if end - start < 2 * day and (start % day or end % day):
        width = next((s for s in (60.0, 600.0, 3600.0) if (end - start) / s < 2 * explore.BUCKETS), 7200.0)
    first = math.floor(start / width) * width
    return Cut(place, name, "date", first, width, max(1, math.floor((end - first) / width) + 1))


def _whole(column: Mapping[str, Any]) -> bool:
    known = [column["min"], column["max"], *(column.get("quantiles") or {}).values()]
    return all(value is not None and float(value).is_integer() for value in known)


def _correlates(column: Mapping[str, Any]) -> bool:
    if column["role"] != "number" or column.get("min") is None or column["min"] == column["max"]:
        return False
    return bool(max(abs(column["min"]), abs(column["max"])) < explore.LARGEST)


def filled(cut: Cut, found: Sequence[Mapping[str, Any]], classes: Sequence[str] | None) -> dict[str, Any]:
    """The buckets of one column: rows in each, by class (the last two: another class, no label), or with the mean of
    the target.
    """
    own = [row for row in found if row["place"] == cut.place]
    kinds = len(classes) + 2 if classes is not None else 1
    rows = [[0] * cut.count for _ in range(kinds)]
    means: list[float | None] = [None] * cut.count
    for row in own:
        place = int(row["bucket"])  # Ibis takes what floor gives for an integer; the engines do not
        rows[row["kind"]][place] += row["rows"]
        means[place] = _finite(row["mean"])
    document: dict[str, Any] = {
        "kind": cut.kind, "low": cut.low, "width": cut.width, "open_low": cut.open_low, "open_high": cut.open_high,
        "values": list(cut.values) or None, "rows": [sum(column) for column in zip(*rows, strict=True)],
    }  # fmt: skip
    return {**document, "mean": means} if classes is None else {**document, "classes": rows}


def telling(
    found: Sequence[Mapping[str, Any]], classes: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """The terms that tell each class from the others, by the log of how much likelier a text of it has them; the most
    frequent ones when there are no classes.
    """
    totals: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for row in found:
        totals[row["term"]] = totals.get(row["term"], 0) + row["rows"]
        sizes[row["target"]] = sizes.get(row["target"], 0) + row["rows"]
    every = sum(sizes.values())
    result: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        if totals[row["term"]] < _FEWEST_TERM_ROWS:
            continue
        own, other = sizes[row["target"]], every - sizes[row["target"]]
        inside = (row["rows"] + 0.5) / (own + 1)
        outside = (totals[row["term"]] - row["rows"] + 0.5) / (other + 1)
        score = row["rows"] * math.log(inside / outside) if classes else float(row["rows"])
        entry = {
            "term": row["term"],
            "rows": row["rows"],
            "of": totals[row["term"]],
            "score": round(score, 3),
        }
        result.setdefault(row["target"], []).append(entry)
    return {name: _best(entries) for name, entries in sorted(result.items())}


def _best(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(entries, key=lambda entry: (-entry["score"], entry["term"]))
    return [entry for entry in ordered if entry["score"] > 0][:TERMS_A_CLASS]


def _r(row: Mapping[str, Any], one: int, other: int) -> float | None:
    first, second = sorted((one, other))
    return 1.0 if one == other else _finite(row[f"c{first}_{second}"])


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
