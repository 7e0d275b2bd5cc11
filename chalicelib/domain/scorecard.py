"""A scorecard and the verdict on it: is this model good enough, in words with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.judging import LOWER_IS_BETTER

Figures = Mapping[str, Any]
Told = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer."""

    passed: bool
    reason: str
    metric: str
    value: float | None


def judge(scorecard: Mapping[str, Any], gate: Mapping[str, Any], *, champion: bool) -> Verdict:
    """Hold a scorecard against a gate. `champion`: whether a released model exists that had to be scored too.

    The figures are the leak-free ones where the scorecard has any. The point value decides; how sure it is, is said.
    """
    metric, figures = str(gate["metric"]), judged_by(scorecard)
    if figures["metrics"] is None:
        said = (
            f"there is no leak-free {metric}: {figures['note']} Split by what belongs together (split.group)"
        )
        return Verdict(False, said, metric, None)
    value = figures["metrics"].get(metric)
    if value is None:
        known = ", ".join(sorted(figures["metrics"]))
        return Verdict(
            False, f"the scorecard has no {metric} (it has {known}); choose one of these", metric, None
        )
    hurdles = [_limit(figures, gate, value), _baseline(figures, gate, metric, value)]
    hurdles.append(_champion(scorecard, gate, metric, exists=champion))
    told = [hurdle for hurdle in hurdles if hurdle is not None]
    failed = [words for ok, words in told if not ok]
    every = failed or [words for _, words in told] or ["met no hurdle: none is set"]
    return Verdict(
        not failed, f"{metric} {_by(scorecard)}{value:.4g} " + "; ".join(every), metric, float(value)
    )


def better(metric: str, one: float, other: float) -> bool:
    """Whether the first value of a metric is strictly better than the second."""
    return one < other if metric in LOWER_IS_BETTER else one > other


def judged_by(scorecard: Mapping[str, Any]) -> Figures:
    """The figures that count: on rows whose kin was not learned from, where the scorecard tells them apart."""
    figures: Figures = scorecard.get("leak_free") or scorecard
    return figures


def _by(scorecard: Mapping[str, Any]) -> str:
    leak_free = scorecard.get("leak_free")
    return f"(leak-free by {leak_free['by']}) " if leak_free else ""


def _limit(figures: Figures, gate: Mapping[str, Any], value: float) -> Told | None:
    for word, ok, yes, no in (
        ("at_least", value >= gate.get("at_least", value), "at least", "below"),
        ("at_most", value <= gate.get("at_most", value), "at most", "above"),
    ):
        if word in gate:
            return ok, f"is {yes if ok else no} {gate[word]:.4g}{_unsure(figures, gate, gate[word])}"
    return None


def _unsure(figures: Figures, gate: Mapping[str, Any], limit: float) -> str:
    """That the other side of the limit is within the interval as well, if it is."""
    ends = (figures.get("intervals") or {}).get(gate["metric"])
    if not ends or not ends["low"] < limit < ends["high"]:
        return ""
    return f" (not sure: its interval is {ends['low']:.4g} to {ends['high']:.4g}; more test rows would tell)"


def _baseline(figures: Figures, gate: Mapping[str, Any], metric: str, value: float) -> Told | None:
    if not gate.get("beat_baseline"):
        return None
    baseline = figures.get("baseline") or {}
    reference = baseline.get("metrics", {}).get(metric)
    if reference is None:
        return None  # not every metric is defined for every baseline: the AUC of a constant, say
    ok = better(metric, value, reference)
    chance = _chance(figures, "baseline", metric)
    words = "beats" if ok else "does not beat"
    return ok, f"{words} the baseline ({baseline.get('name')}, {reference:.4g}{chance})"


def _champion(card: Mapping[str, Any], gate: Mapping[str, Any], metric: str, *, exists: bool) -> Told | None:
    """The released model on the same rows: without kin if these rows are the ones, else all test rows of both."""
    if not gate.get("beat_champion") or not exists:
        return None
    figures = judged_by(card)
    if (figures.get("champion") or {}).get("metrics") is None:
        figures = card  # of a learner fitted anew there is no champion to compare it with
    reference = ((figures.get("champion") or {}).get("metrics") or {}).get(metric)
    value = figures["metrics"].get(metric)
    if reference is None or value is None:
        words = "is not comparable: the released model could not be scored on these rows; set beat_champion: false"
        return False, words
    ok = better(metric, value, reference)
    chance = _chance(figures, "champion", metric)
    words = "beats" if ok else "does not beat"
    return ok, f"{words} the released model ({reference:.4g} on the same rows{chance})"


def _chance(figures: Figures, whom: str, metric: str) -> str:
    """The paired test's p-value, if the difference may well be chance."""
    for one in figures.get("comparisons") or ():
        if one["with"] == whom and one["metric"] == metric and one["p_value"] >= 0.05:
            return f"; may be chance, p = {one['p_value']:.2g}"
    return ""
