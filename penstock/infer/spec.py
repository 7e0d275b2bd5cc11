"""The guesses put together: one project spec, and the reason for every line of it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError
from penstock.infer import facts, leaks, roles, sample
from penstock.infer import target as targets

NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,22}[a-z0-9]")
SMALL = 100
FEW = 40
MANY_TIMES = 20  # the largest hundredth of the answers against the middle one
_FEATURES = frozenset({"number", "category", "date"})


@dataclass(frozen=True)
class Guess:
    """A project spec and why each part of it is so; `columns` maps a column to its role with the reason."""

    document: dict[str, Any]
    columns: dict[str, roles.Role]
    target: targets.Target
    learner_why: str
    sample: sample.Sample
    notes: list[str] = field(default_factory=list)


def infer(file: Path, project: str | None = None, target: str | None = None) -> Guess:
    """Guess a project spec from `file`. `target`: a column, or `column > number` for a yes/no question."""
    table = sample.read(file)
    columns = {str(name): facts.of(str(name), table.frame[name]) for name in table.frame.columns}
    if len(columns) == 1 and target is None:
        return _words(file, project, table, columns)
    chosen = targets.choose(columns, target)
    decided = _decide(columns, chosen)
    learner, why = _learner(file, columns, decided, chosen)
    metric, settings = _goal(columns[chosen.column], chosen, learner)
    why += "; its target spreads over decades, so it learns the logarithm" if settings else ""
    document: dict[str, Any] = {
        "project": _name(project, file),
        "task": chosen.task,
        **({"sources": {"data": {"path": "**", "header": False}}} if table.headless else {}),
        "columns": {name: _column(role, chosen.above) for name, role in decided.items()},
        "split": {"method": "hash", "seed": 42} | _shares(table.total_rows) | _group(decided),
        "learner": {"name": learner} | settings,
        "gate": {"metric": metric, "beat_baseline": True},
        "release": {"mode": "realtime", "approval": "automatic"},
    }
    if table.total_rows < FEW:
        document["min_rows"] = max(5, table.total_rows // 2)
    return Guess(document, decided, chosen, why, table, _notes(table, columns, chosen))


def _words(file: Path, project: str | None, table: sample.Sample, columns: dict[str, facts.Facts]) -> Guess:
    """A file of texts and nothing else: there is nothing to predict, but its words can be learned."""
    [name] = columns
    role = roles.decide(columns[name])
    if role.type != "text":
        raise sample.one_column(file)
    chosen = targets.Target(name, "embeddings", "the only column, and a text: its words are learned")
    document: dict[str, Any] = {
        "project": _name(project, file),
        "task": chosen.task,
        "columns": {name: _column(role, None)},
        "split": {"method": "hash", "seed": 42} | _shares(table.total_rows),
        "learner": {"name": "word_vectors"},
        "gate": {"metric": "neighbour_auc", "beat_baseline": True},
        "release": {"mode": "realtime", "approval": "automatic"},
    }
    why = "nothing is to be predicted: it learns which words are used alike"
    return Guess(document, {name: role}, chosen, why, table, _notes(table, columns, chosen))


def _goal(answer: facts.Facts, chosen: targets.Target, learner: str) -> tuple[str, dict[str, Any]]:
    """The gate's metric, and the learner's settings: a few huge answers must not be all that is learnt and judged."""
    if chosen.task == "classification":
        return "macro_f1", {}
    values = answer.numbers.dropna()
    middle, high = float(values.median()), float(values.quantile(0.99))
    if learner != "gradient_boosting" or values.min() < 0 or high < MANY_TIMES * middle:
        return "rmse", {}
    return "mae", {"hyperparameters": {"target_transform": "log1p"}}


def _decide(columns: dict[str, facts.Facts], chosen: targets.Target) -> dict[str, roles.Role]:
    """Every column's role in file order: the label, what leaks, and the rest by what it looks like."""
    leaking = leaks.find(columns, chosen.column, chosen.task)
    decided = {}
    for name, column in columns.items():
        if name == chosen.column:
            decided[name] = roles.Role("label", f"{chosen.why}; {_answers(column, chosen)}")
        elif name in leaking:
            decided[name] = roles.Role("ignore", f"gives the answer away: {leaking[name]}")
        else:
            decided[name] = roles.decide(column)
    return decided


def _answers(column: facts.Facts, chosen: targets.Target) -> str:
    if chosen.above is not None:
        share = float((column.numbers > chosen.above).mean())
        return f"yes in {share:.1%} of the rows"
    if chosen.task == "classification":
        return f"{column.distinct} classes ({', '.join(column.top[:6])}{' …' if column.distinct > 6 else ''})"
    return f"{column.numbers.min():.6g} to {column.numbers.max():.6g}"


def _learner(
    file: Path, columns: dict[str, facts.Facts], decided: dict[str, roles.Role], chosen: targets.Target
) -> tuple[str, str]:
    """text_linear when a text is the main thing there is to learn from, else gradient_boosting."""
    texts = [name for name, role in decided.items() if role.type == "text"]
    features = [name for name, role in decided.items() if role.type in _FEATURES]
    if texts and chosen.task == "classification" and len(features) <= 4:
        longest = max(texts, key=lambda name: columns[name].words)
        return "text_linear", f"the main feature is a text ({longest})"
    if not features:
        raise PenstockError(
            str(file),
            "no column is left to learn from: all are ids, texts, empty or give the answer away",
            "Write the columns section by hand, or name another column with --target.",
        )
    return "gradient_boosting", f"a table of {len(features)} usable columns"


def _column(role: roles.Role, above: float | None) -> str | dict[str, Any]:
    more: dict[str, Any] = {}
    if role.format:
        more["format"] = role.format
    if role.null_values:
        more["null_values"] = list(role.null_values)
    if role.type == "label" and above is not None:
        more["above"] = int(above) if above == int(above) else above
    return {"type": role.type, **more} if more else role.type


def _shares(rows: int) -> dict[str, float]:
    """Held-out shares: more of a small file, so that the test means something."""
    return {"test": 0.3, "validation": 0.1} if rows < SMALL else {"test": 0.2, "validation": 0.1}


def _group(decided: dict[str, roles.Role]) -> dict[str, str]:
    grouping = [name for name, role in decided.items() if role.type == "group"]
    return {"group": grouping[0]} if grouping else {}


def _name(asked: str | None, file: Path) -> str:
    """The project's name: as asked (checked), or made from the file's name."""
    if asked is None:
        stem = file.name.lower().split(".")[0]
        slug = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9]+", "-", stem)).strip("-0123456789")[:24].strip("-")
        return slug if NAME.fullmatch(slug) else "my-data"
    if not NAME.fullmatch(asked):
        raise PenstockError(
            f"project name {asked!r}",
            "it does not fit: 2 to 24 small letters, digits and single dashes, a letter first",
            "Choose another with --project.",
        )
    return asked


def _notes(table: sample.Sample, columns: dict[str, facts.Facts], chosen: targets.Target) -> list[str]:
    """What a person should look at before trusting the spec."""
    notes = []
    if table.headless:
        notes.append(
            "The file does not name its columns: column_1 and so on are its columns in order; rename them."
        )
    if not table.is_everything:
        notes.append(f"Guessed from {table.rows:,} rows drawn evenly from {table.total_rows:,}.")
    if table.total_rows < SMALL:
        notes.append(f"Only {table.total_rows} rows: expect scores to jump from one split to another.")
    blank = columns[chosen.column].missing_share
    if blank >= 0.005:
        notes.append(f"{blank:.1%} of the rows have no {chosen.column}: they cannot be learned from.")
    return notes
