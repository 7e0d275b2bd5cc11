"""Two runs side by side: pure, from their records and scorecards."""

from collections.abc import Iterable, Mapping
from typing import Any

_OF_A_CLASS = ("precision", "recall", "f1", "support")
Pair = tuple[Any, Any]


def comparison(runs: tuple[Mapping[str, Any], ...], cards: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """What differs, as documents of pairs: the first run's, the second's and, of numbers, the second less the first.

    `runs` are two records of the API, `cards` their scorecards ({} for a run that came to none).
    """
    summaries = [record.get("summary") or {} for record in runs]
    return {
        "runs": [record["run"] for record in runs],
        "facts": _facts(runs, summaries),
        "parameters": _differing(*(one.get("hyperparameters") or {} for one in summaries)),
        "validation": numbers(*(one.get("validation") or {} for one in summaries)),
        "test": numbers(*(card.get("metrics") or {} for card in cards)),
        "classes": classes(*(card.get("per_class") or [] for card in cards)),
        "same_rows": same_rows(*summaries),
    }


def _facts(runs: Iterable[Mapping[str, Any]], summaries: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = {"learner": "learner", "dataset version": "dataset_version", "estimated USD": "usd"}
    facts = {name: [one.get(key) for one in summaries] for name, key in names.items()}
    records = list(runs)
    for name, key in (("state", "state"), ("ended", "ended_at"), ("because", "reason")):
        facts[name] = [record.get(key) for record in records]
    return facts


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Pair]:
    """The names whose values are not the same; None where one of the two was not told."""
    names = sorted({*one, *other})
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def numbers(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """Each number of either: first, second, difference (None where it cannot be told)."""
    return {name: _with_difference(one.get(name), other.get(name)) for name in {**one, **other}}


def _with_difference(one: Any, other: Any) -> list[float | None]:
    both = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return [one, other, other - one if both else None]


def classes(
    one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, list[float | None]]]:
    """Precision, recall, f1 and support of each class of either."""
    left, right = ({str(row["class"]): row for row in rows} for rows in (one, other))
    return {
        name: {
            measure: _with_difference(left.get(name, {}).get(measure), right.get(name, {}).get(measure))
            for measure in _OF_A_CLASS
        }
        for name in {**left, **right}
    }


def same_rows(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the test figures are of the same rows for certain: those of one dataset version."""
    version = one.get("dataset_version")
    return version is not None and version == other.get("dataset_version")
