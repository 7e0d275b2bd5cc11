"""What a spec says about judging a model: the metrics there are, what `evaluate` may ask for, and what the gate may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

METRICS = {
    "classification": ("macro_f1", "accuracy", "auc", "log_loss", "f1", "pr_auc", "tpr_at_fpr", "cost"),
    "regression": ("rmse", "mae", "r2"),
    "embeddings": ("neighbour_auc", "coverage", "rho", "analogies"),
}
TWO_CLASSES = frozenset({"f1", "pr_auc", "tpr_at_fpr", "cost"})
"""Metrics only two classes have."""
LOWER_IS_BETTER = frozenset({"log_loss", "cost", "rmse", "mae"})
DEFAULT_METRIC = {"classification": "macro_f1", "regression": "rmse", "embeddings": "neighbour_auc"}
_ONLY_CLASSES = ("positive", "costs", "max_fpr", "cutoff")
_ONLY_WORDS = ("pairs", "analogies")
_EVALUATE = {"bootstrap": 1000, "confidence": 0.95}
_MAX_FPR = 0.05


def complete(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`evaluate` with its defaults."""
    two = spec["task"] == "classification" and len(spec.get("labels", ())) <= 2
    return {**({"max_fpr": _MAX_FPR} if two else {}), **_EVALUATE, **spec.get("evaluate", {})}


def faults(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with `evaluate` and `gate` besides their shape."""
    yield from _evaluate(spec)
    yield from _gate(spec)


def _evaluate(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = spec.get("evaluate", {})
    if spec["task"] != "classification":
        for word in _ONLY_CLASSES:
            if word in given:
                yield f"evaluate.{word}", "only a classification is judged by it; leave it out"
    yield from _of_words(given, spec["task"])
    yield from _positive(given, spec.get("labels", ()))
    if given.get("cutoff") == "cheapest" and "costs" not in given:
        yield "evaluate.cutoff", "what is cheapest depends on costs; give evaluate.costs"
    if isinstance(given.get("cutoff"), str) and spec.get("split", {}).get("validation") == 0:
        yield "evaluate.cutoff", "is chosen on the validation rows, and split.validation is 0"
    for name in given.get("slices", ()):
        if name not in spec["columns"]:
            yield "evaluate.slices", f"{name!r} is not one of the columns"


def _of_words(given: Mapping[str, Any], task: str) -> Iterator[tuple[str, str]]:
    if task == "embeddings":
        if "slices" in given:
            yield "evaluate.slices", "word vectors are not judged by groups of rows; leave it out"
        return
    for word in _ONLY_WORDS:
        if word in given:
            yield f"evaluate.{word}", "only embeddings are judged by it; leave it out"


def _positive(given: Mapping[str, Any], labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    if len(labels) > 2:
        for word in _ONLY_CLASSES:
            if word in given:
                yield f"evaluate.{word}", f"only two classes are judged by it, and there are {len(labels)}"
    elif labels and given.get("positive", labels[0]) not in labels:
        yield "evaluate.positive", f"{given['positive']!r} is not one of the labels"


def _gate(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    gate, task = spec.get("gate", {}), spec["task"]
    metric = gate.get("metric", DEFAULT_METRIC[task])
    if metric not in METRICS[task]:
        yield "gate.metric", f"{metric} does not judge a {task}; use one of {', '.join(METRICS[task])}"
    if metric in TWO_CLASSES and len(spec.get("labels", ())) > 2:
        yield "gate.metric", f"only two classes have {metric}, and there are {len(spec['labels'])}"
    if metric == "cost" and "costs" not in spec.get("evaluate", {}):
        yield "gate.metric", "cost needs to know what mistakes cost; give evaluate.costs"
    needs = {"rho": "pairs", "analogies": "analogies"}.get(metric)
    if needs and needs not in spec.get("evaluate", {}):
        yield "gate.metric", f"{metric} needs something to be held against; give evaluate.{needs}"
    if metric in LOWER_IS_BETTER and "at_least" in gate:
        yield "gate.at_least", f"lower is better for {metric}: use at_most"
    if metric not in LOWER_IS_BETTER and "at_most" in gate:
        yield "gate.at_most", f"higher is better for {metric}: use at_least"
