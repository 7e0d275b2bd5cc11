"""A scorecard and the verdict on it: is this model good enough, in words with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.project import LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer."""

    passed: bool
    reason: str
    metric: str
    value: float | None


def judge(scorecard: Mapping[str, Any], gate: Mapping[str, Any], *, champion: bool) -> Verdict:
    """Hold a scorecard against a gate. `champion`: whether a released model exists that had to be scored too."""
    metric = str(gate["metric"])
    value = scorecard["metrics"].get(metric)
    if value is None:
        known = ", ".join(sorted(scorecard["metrics"]))
        return Verdict(
            False, f"the scorecard has no {metric} (it has {known}); choose one of these", metric, None
        )
    hurdles = [_limit(gate, value), _baseline(scorecard, gate, metric, value)]
    hurdles.append(_champion(scorecard, gate, metric, value, exists=champion))
    told = [hurdle for hurdle in hurdles if hurdle is not None]
    failed = [words for ok, words in told if not ok]
    words = failed or [words for _, words in told] or ["met no hurdle: none is set"]
    reason = f"{metric} {value:.4g} " + "; ".join(words)
    return Verdict(not failed, reason, metric, float(value))


def better(metric: str, one: float, other: float) -> bool:
    """Whether the first value of a metric is strictly better than the second."""
    return one < other if metric in LOWER_IS_BETTER else one > other


def _limit(gate: Mapping[str, Any], value: float) -> tuple[bool, str] | None:
    if "at_least" in gate:
        ok = value >= gate["at_least"]
        return ok, f"is {'at least' if ok else 'below'} {gate['at_least']:.4g}"
    if "at_most" in gate:
        ok = value <= gate["at_most"]
        return ok, f"is {'at most' if ok else 'above'} {gate['at_most']:.4g}"
    return None


def _baseline(
    card: Mapping[str, Any], gate: Mapping[str, Any], metric: str, value: float
) -> tuple[bool, str] | None:
    if not gate.get("beat_baseline"):
        return None
    baseline = card.get("baseline") or {}
    reference = baseline.get("metrics", {}).get(metric)
    if reference is None:
        return None  # not every metric is defined for every baseline: the AUC of a constant, say
    ok = better(metric, value, reference)
    return ok, f"{'beats' if ok else 'does not beat'} the baseline ({baseline.get('name')}, {reference:.4g})"


def _champion(
    card: Mapping[str, Any], gate: Mapping[str, Any], metric: str, value: float, *, exists: bool
) -> tuple[bool, str] | None:
    if not gate.get("beat_champion") or not exists:
        return None
    reference = ((card.get("champion") or {}).get("metrics") or {}).get(metric)
    if reference is None:
        words = "is not comparable: the released model could not be scored on these rows; set beat_champion: false"
        return False, words
    ok = better(metric, value, reference)
    return ok, f"{'beats' if ok else 'does not beat'} the released model ({reference:.4g} on the same rows)"
