"""The leak guard: are the sides of the split independent, and does a column know the answer? It names rows and columns.

Each check gives one `Finding`. `leak`: the figures of this dataset will flatter a model; with `leaks: {action: fail}`
the run ends with what was found. `note`: worth a look, and honest data may look so. `clear`: looked, found nothing.
What was looked at, and of how many rows, is part of each finding. docs/steps/prepare.md says what each check means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import numpy as np
from judge import leakage

from data import crossing, explore, marks, near
from data.errors import BadUpload
from data.spec import Spec

if TYPE_CHECKING:
    from data.engine import Engine

SAMPLE = 10_000  # rows on which columns are tried
EXAMPLES = 5
MOST_COLUMNS = 60
_ID_SHARE, _FEWEST_ROWS = 0.98, 100
_PAIRS = 200  # of near texts, by which a common column is looked for
_AGREE, _BY_CHANCE = 0.7, 0.1


@dataclass(frozen=True)
class Finding:
    """What one check found. `rows` counts the rows concerned; `examples` names some: file, number and what they are."""

    check: str
    verdict: str
    said: str
    columns: tuple[str, ...] = ()
    rows: int = 0
    examples: tuple[Mapping[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """As in eda.json."""
        return {
            **asdict(self),
            "columns": list(self.columns),
            "examples": [dict(one) for one in self.examples],
        }


@dataclass(frozen=True)
class Guard:
    """One look at the rows. `every` is how many labelled rows there are, to know what is a sample."""

    engine: Engine
    rows: ir.Table
    spec: Spec
    names: Sequence[str]
    every: int

    def find(self) -> list[Finding]:
        """All checks, the leaks first."""
        checks: tuple[Callable[[], Iterator[Finding]], ...] = (
            self._headers,
            self._groups,
            self._equal,
            self._near,
            self._columns,
        )
        found = [finding for check in checks for finding in check()]
        order = ("leak", "note", "clear")
        return sorted(found, key=lambda finding: order.index(finding.verdict))

    def _headers(self) -> Iterator[Finding]:
        if marks.NAME not in self.rows.columns:
            return
        found = self.engine.rows(marks.headers(self.rows, EXAMPLES + 1))
        if not found:
            yield Finding("header_rows", "clear", "No row repeats the header.")
            return
        shown = tuple({"file": row["_source"], "number": row["number"]} for row in found[:EXAMPLES])
        more = "at least " if len(found) > EXAMPLES else ""
        yield Finding(
            "header_rows", "leak",
            f"{more}{len(found)} rows repeat the header ({_said(shown)}): files were joined with their header lines. "
            "Take those lines out.",
            rows=len(found), examples=shown,
        )  # fmt: skip

    def _groups(self) -> Iterator[Finding]:
        group = self.spec.leaks.group or self.spec.split.group
        if group is None:
            return
        keys, rows, shown = self._crossed(crossing.by_group(self.rows, group))
        if not keys:
            yield Finding("group_overlap", "clear", f"No {group} is on two sides.", (group,))
            return
        yield Finding(
            "group_overlap", "leak",
            f"{keys:,} values of {group} are in train and in what is held out ({rows:,} held-out rows): a model can "
            f"recognise them. Split by it: split: {{method: hash, group: {group}}}. For example {_said(shown)}.",
            (group,), rows, shown,
        )  # fmt: skip

    def _equal(self) -> Iterator[Finding]:
        texts = [column.name for column in self.spec.features if column.role == "text"]
        names = texts or [column.name for column in self.spec.features]
        keyed = crossing.by_text(self.rows, texts) if texts else crossing.by_values(self.rows, names)
        keys, rows, shown = self._crossed(keyed)
        what = "text" if texts else "row"
        if not keys:
            yield Finding(f"equal_{what}s", "clear", f"No held-out {what} is also in train.", tuple(names))
            return
        said = f"{rows:,} held-out rows have a {what} that is also in train: {_said(shown)}."
        # Equal measurements may be two things that are alike; equal texts of some length are hardly ever two.
        yield Finding(
            f"equal_{what}s", "leak" if texts else "note",
            said + (" Drop the copies, or keep them on one side by a group." if texts else ""),
            tuple(names), rows, shown,
        )  # fmt: skip

    def _near(self) -> Iterator[Finding]:
        texts = [column.name for column in self.spec.features if column.role == "text"]
        if not texts or not self.spec.leaks.near_duplicates:
            return
        labelled = crossing.labelled(self.rows)
        sampled = explore.sample(labelled, self.every, near.MOST)
        chosen = sampled.select(
            "_row", held=sampled["_side"] != "train", text=sampled[texts[0]].substr(0, near.LONGEST)
        )
        given = self.engine.rows(chosen.order_by("_row"))
        held = np.array([row["held"] for row in given], bool)
        pairs = near.find((row["text"] for row in given), held)
        looked = f"looked at {len(given):,} of {self.every:,} rows"
        if not len(pairs.held):
            yield Finding(
                "near_texts", "clear", f"No held-out text is nearly one in train ({looked}).", (texts[0],)
            )
            return
        ids = [
            (given[one]["_row"], given[other]["_row"])
            for one, other in zip(pairs.held, pairs.known, strict=True)
        ]
        order = np.argsort(-pairs.alike, kind="stable")[:EXAMPLES]
        shown = self._examples([(*ids[place], f"{pairs.alike[place]:.0%} of the words") for place in order])
        yield Finding(
            "near_texts", "leak",
            f"{len(ids):,} of {int(held.sum()):,} held-out texts share half of their words or more with one in train "
            f"({looked}).{self._in_common(ids)} For example {_said(shown)}.",
            (texts[0],), len(ids), shown,
        )  # fmt: skip

    def _in_common(self, ids: Sequence[tuple[int, int]]) -> str:
        """The column nearly all pairs agree in and strangers do not, if there is one: it is the group to split by."""
        some = ids[:: max(1, len(ids) // _PAIRS)][:_PAIRS]
        taken = {column.name for column in self.spec.columns if column.role in {"text", "label"}}
        names = [name for name in self.names if name not in taken][:MOST_COLUMNS]
        wanted = sorted({row for pair in some for row in pair})
        known = {row["_row"]: row for row in self.engine.rows(crossing.places(self.rows, wanted, names))}
        half = len(some) // 2
        others = [
            *some[half:],
            *some[:half],
        ]  # far apart in the files: neighbours may belong together as well
        strangers = [(one, other) for (one, _), (_, other) in zip(some, others, strict=True)]
        agreed = {name: (_agree(known, some, name), _agree(known, strangers, name)) for name in names}
        fit = [name for name, (share, chance) in agreed.items() if share >= _AGREE and chance <= _BY_CHANCE]
        if not fit:
            return ""
        # The finest: what shares an Id shares its topic as well.
        name = max(fit, key=lambda name: len({known[one][name] for one, _ in some}))
        return (
            f" {agreed[name][0]:.0%} of these pairs have the same {name}: if it says what belongs together, split by "
            f"it (split: {{method: hash, group: {name}}})."
        )

    def _columns(self) -> Iterator[Finding]:
        if self.spec.embeddings:
            return  # there is no answer to give away
        taken = {column.name for column in self.spec.columns if column.role in {"text", "id"}}
        names = [name for name in self.names if name not in taken][:MOST_COLUMNS]
        label = self.spec.label.name
        sampled = explore.sample(crossing.labelled(self.rows), self.every, SAMPLE)
        given = self.engine.rows(sampled.select("_row", *{*names, label}).order_by("_row"))
        used = [column.name for column in self.spec.features if column.name in names]
        values = {name: _values([row[name] for row in given]) for name in names if name != label}
        yield from self._told(values, [row[label] for row in given], used)
        yield from _ids({name: values[name] for name in used}, len(given))

    def _told(
        self, values: Mapping[str, Any], answers: Sequence[Any], used: Sequence[str]
    ) -> Iterator[Finding]:
        numbered, classes = _answers(answers, self.spec)
        found = leakage.find(values, numbered, classes, used, list(values)) if len(answers) else []
        measure = "AUC" if classes else "R²"
        for one in found:
            if one.flagged and one.alone is not None:
                yield Finding(
                    "gives_away", "leak" if one.used else "note",
                    f"{one.column} ({measure} {one.alone:.3f} alone): {one.verdict(self.spec.label.name)}.",
                    (one.column, *one.parts), len(answers),
                )  # fmt: skip
        if not any(one.flagged and one.used for one in found):
            yield Finding(
                "gives_away", "clear",
                f"No column that is learned from gives {self.spec.label.name} away (tried on {len(answers):,} rows).",
                tuple(used), len(answers),
            )  # fmt: skip

    def _crossed(self, keyed: ir.Table) -> tuple[int, int, tuple[Mapping[str, Any], ...]]:
        """How many keys are on both sides, their held-out rows, and examples."""
        found = self.engine.rows(crossing.first(crossing.crossed(keyed), EXAMPLES))
        if not found:
            return 0, 0, ()
        shown = self._examples([(row["held"], row["known"], f"{row['rows']} held-out rows") for row in found])
        return found[0]["every_key"], int(found[0]["every_row"]), shown

    def _examples(self, pairs: Sequence[tuple[int, int, str]]) -> tuple[Mapping[str, Any], ...]:
        wanted = sorted({row for held, known, _ in pairs for row in (held, known)})
        places = {row["_row"]: row for row in self.engine.rows(crossing.places(self.rows, wanted))}
        return tuple(
            {
                "file": places[held]["_source"], "number": places[held]["_number"],
                "other_file": places[known]["_source"], "other_number": places[known]["_number"], "what": what,
            }
            for held, known, what in pairs
        )  # fmt: skip


def enforce(spec: Spec, findings: Sequence[Finding]) -> None:
    """Do as `leaks.action` says.

    Raises:
        BadUpload: it says fail, and there is a leak.
    """
    leaks = [finding.said for finding in findings if finding.verdict == "leak"]
    if leaks and spec.leaks.action == "fail":
        raise BadUpload(
            f"the leak guard found {len(leaks)}: {' '.join(leaks)} "
            "Correct the data or the spec, or let the guard warn only (leaks: {action: warn})"
        )


def _said(examples: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(_place(one) for one in examples[:3])


def _place(one: Mapping[str, Any]) -> str:
    here = f"{one['file'].rsplit('/', 1)[-1]} row {one['number']}"
    if "other_file" not in one:
        return here
    return f"{here} and {one['other_file'].rsplit('/', 1)[-1]} row {one['other_number']}"


def _agree(known: Mapping[int, Mapping[str, Any]], pairs: Sequence[tuple[int, int]], name: str) -> float:
    same: list[bool] = [
        known[one][name] is not None and known[one][name] == known[other][name] for one, other in pairs
    ]
    return sum(same) / len(same)


def _values(values: Sequence[Any]) -> Any:
    """As judge/leakage.py takes a column: numbers and moments as arrays, anything else as it is."""
    present = next((value for value in values if value is not None), None)
    if hasattr(present, "isoformat"):
        return np.array(
            [None if value is None else value.replace(tzinfo=None) for value in values], "datetime64[s]"
        )
    if isinstance(present, float | int):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return list(values)


def _answers(answers: Sequence[Any], spec: Spec) -> tuple[Any, int]:
    if not spec.classification:
        return np.array(answers, np.float64), 0
    classes = {name: place for place, name in enumerate(sorted(set(answers)))}
    return np.array([classes[answer] for answer in answers], np.int64), len(classes)


def _ids(values: Mapping[str, Any], rows: int) -> Iterator[Finding]:
    found = [name for name, value in values.items() if rows >= _FEWEST_ROWS and _is_id(value)]
    for name in found:
        yield Finding(
            "id_like", "note",
            f"{name} is different in nearly every row: an id, most likely, from which nothing can be learned. "
            "Give it the type id.",
            (name,), rows,
        )  # fmt: skip
    if not found:
        yield Finding(
            "id_like", "clear", "No column that is learned from looks like an id.", tuple(values), rows
        )


def _is_id(values: Any) -> bool:
    """Nearly all values differ, and they are texts or whole numbers: measurements that all differ have fractions."""
    numbers = isinstance(values, np.ndarray)
    if numbers and values.dtype.kind == "M":
        return False
    present = values[~np.isnan(values)] if numbers else [value for value in values if value is not None]
    if len(present) < _FEWEST_ROWS or len(set(np.asarray(present).tolist())) < _ID_SHARE * len(present):
        return False
    return not numbers or bool(np.all(np.equal(present, np.floor(present))))
