"""What the project's spec says about judging: evaluate, gate, problem and what rows belong together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from learners.errors import BadData

from judge.metrics import PLAIN, Costs, Rule

CHEAPEST, BEST_F1 = "cheapest", "best_f1"
_GATE = {
    True: "macro_f1",
    False: "rmse",
}  # the metric, of a classification and of a regression, if none is named


@dataclass(frozen=True)
class Rules:
    """The spec's wishes. `cutoff`: a number, a way to choose it on the validation rows, or None, the likelier class."""

    rule: Rule = PLAIN
    cutoff: float | str | None = None
    slices: tuple[str, ...] | None = None
    bootstrap: int = 1000
    confidence: float = 0.95
    metric: str = "macro_f1"
    gate: Mapping[str, Any] = field(default_factory=dict)
    problem: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None  # the column whose rows belong together
    grouped: bool = False  # whether the split keeps them together


def read(spec: Mapping[str, Any], classes: list[str] | None) -> Rules:
    """Return the rules of a spec, an empty one if there is none; raise BadData when the positive class is no class."""
    given, split, leaks = (spec.get(name) or {} for name in ("evaluate", "split", "leaks"))
    gate = spec.get("gate") or {}
    group, hashed = _group(spec), split.get("method", "hash") == "hash"
    cutoff = given.get("cutoff")
    costs = Costs(**given["costs"]) if given.get("costs") else None
    usual = "neighbour_auc" if spec.get("task") == "embeddings" else _GATE[classes is not None]
    number = float(cutoff) if isinstance(cutoff, int | float) else None
    return Rules(
        rule=Rule(_positive(given, classes), number, float(given.get("max_fpr", 0.05)), costs),
        cutoff=cutoff if number is None else number,
        slices=tuple(given["slices"]) if "slices" in given else None,
        bootstrap=int(given.get("bootstrap", 1000)),
        confidence=float(given.get("confidence", 0.95)),
        metric=str(gate.get("metric", usual)),
        gate=gate,
        problem=spec.get("problem") or {},
        group=leaks.get("group") or group,
        grouped=hashed and group is not None and leaks.get("group") in {None, group},
    )


def _group(spec: Mapping[str, Any]) -> str | None:
    """The column whose rows the split keeps together, as Prepare takes it: a single one of type group goes unsaid."""
    named: str | None = (spec.get("split") or {}).get("group")
    columns: Mapping[str, Any] = spec.get("columns") or {}
    types = {name: told if isinstance(told, str) else told.get("type") for name, told in columns.items()}
    groups = [name for name, kind in types.items() if kind == "group"]
    return named or (groups[0] if len(groups) == 1 else None)


def _positive(given: Mapping[str, Any], classes: list[str] | None) -> int:
    named = given.get("positive")
    if named is None or classes is None:
        return 1
    if str(named) not in classes:
        raise BadData(
            f"evaluate.positive is {named!r}, and the classes are {', '.join(classes)}: name one of them."
        )
    return classes.index(str(named))
