"""The figures of one judgement: a model's metrics with intervals, the baseline's, the champion's, and paired tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics, paired, resample
from judge.rules import Rules

Array = npt.NDArray[Any]
DIGITS = 6


@dataclass(frozen=True)
class Sample:
    """Rows to judge by: answers, the model's scores, the answers it learned from, the champion's scores if any."""

    answers: Array
    scores: Array
    learned: Array
    champion: Array | None = None

    @property
    def classes(self) -> int:
        """Return how many classes there are, 0 for regression."""
        return self.scores.shape[1] if self.scores.ndim > 1 else 0

    def only(self, rows: Array) -> "Sample":
        """Return some of the rows."""
        champion = None if self.champion is None else self.champion[rows]
        return Sample(self.answers[rows], self.scores[rows], self.learned, champion)


def document(sample: Sample, rules: Rules) -> dict[str, Any]:
    """Return metrics, baseline, champion, intervals and comparisons as the scorecard has them."""
    own, blind = measure(sample.answers, sample.scores, rules), baseline(sample, rules)
    others = {"baseline": blind}
    if sample.champion is not None:
        others["champion"] = measure(sample.answers, sample.champion, rules)
    drawn = _replicates(sample, rules)
    ends = {name: _interval(name, values, own, sample, rules) for name, values in drawn["model"].items()}
    return {
        "metrics": rounded(own),
        "baseline": {"name": "majority class" if sample.classes else "mean", "metrics": rounded(blind)},
        "champion": {"metrics": rounded(others["champion"])} if "champion" in others else None,
        "intervals": {name: rounded(both) for name, both in ends.items() if both is not None and name in own},
        "comparisons": [
            _comparison(whom, own, other, drawn, sample, rules) for whom, other in others.items()
        ],
    }


def measure(answers: Array, scores: Array, rules: Rules) -> dict[str, float]:
    """Return the metrics of the task."""
    if scores.ndim == 1:
        return metrics.regression(answers, scores)
    return metrics.classification(answers, scores, rules.rule)


def baseline(sample: Sample, rules: Rules) -> dict[str, float]:
    """Return the metrics of an answer that looks at nothing; its cost is that of the cheaper constant answer."""
    found = measure(sample.answers, _blind(sample), _uncut(rules))
    costs = _blind_costs(sample, rules)
    return found if costs is None else {**found, "cost": float(costs.mean())}


def _interval(
    name: str, values: Array, own: Mapping[str, float], sample: Sample, rules: Rules
) -> dict[str, float] | None:
    """Return a figure's interval. Where no resample differs from any other, resampling knows nothing: a share of rows
    then has Wilson's interval, and anything else none.
    """
    found = resample.interval(values, rules.confidence)
    if found is None or name not in own or found["low"] < found["high"]:
        return found
    shares = {
        "accuracy": len(sample.answers),
        "tpr_at_fpr": int(np.sum(sample.answers == rules.rule.positive)),
    }
    return resample.wilson(own[name], shares[name], rules.confidence) if name in shares else None


def main_metric(rules: Rules, own: Mapping[str, float]) -> str:
    """Return the gate's metric if it is defined here, else accuracy or mae."""
    return rules.metric if rules.metric in own else ("accuracy" if "accuracy" in own else "mae")


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers as the scorecard keeps them."""
    return {name: value if isinstance(value, int) else round(value, DIGITS) for name, value in values.items()}


def _blind(sample: Sample) -> Array:
    """Return the classes' shares, or the mean, of the rows learned from, for every row."""
    rows = len(sample.answers)
    if not sample.classes:
        return np.full(rows, sample.learned.mean())
    counts = np.bincount(sample.learned, minlength=sample.classes)
    return np.tile(counts / counts.sum(), (rows, 1))


def _uncut(rules: Rules) -> Rules:
    """Return the rules without a cutoff: the baseline answers the majority class, whatever is cheap for the model."""
    return replace(rules, rule=replace(rules.rule, cutoff=None))


def _blind_costs(sample: Sample, rules: Rules) -> Array | None:
    """Return each row's cost when the class is said, always, that was cheapest among the rows learned from."""
    rule = rules.rule
    if rule.costs is None or sample.classes != 2:
        return None
    known, asked = sample.learned == rule.positive, sample.answers == rule.positive
    means = [float(rule.costs.of(known, np.full(len(known), said)).mean()) for said in (False, True)]
    return rule.costs.of(asked, np.full(len(asked), means[1] < means[0]))


def _replicates(sample: Sample, rules: Rules) -> dict[str, dict[str, Array]]:
    families = {"model": _family(sample.answers, sample.scores, rules)}
    blind = _family(sample.answers, _blind(sample), _uncut(rules))
    costs = _blind_costs(sample, rules)
    if costs is not None:
        plain = blind

        def with_cost(block: Array) -> dict[str, Array]:
            return {**plain(block), "cost": block @ costs / block.shape[1]}

        blind = with_cost
    families["baseline"] = blind
    if sample.champion is not None:
        families["champion"] = _family(sample.answers, sample.champion, rules)
    rows = len(sample.answers)
    return resample.replicates(families, rows, resample.times(rules.bootstrap, rows))


def _family(answers: Array, scores: Array, rules: Rules) -> resample.Family:
    if scores.ndim == 1:
        return resample.regression(answers, scores)
    return resample.classification(answers, scores, rules.rule)


def _comparison(
    whom: str,
    own: Mapping[str, float],
    other: Mapping[str, float],
    drawn: Mapping[str, Mapping[str, Array]],
    sample: Sample,
    rules: Rules,
) -> dict[str, Any]:
    metric = main_metric(rules, {name: own[name] for name in own if name in other})
    difference = own[metric] - other[metric]
    moved = drawn["model"][metric] - drawn[whom][metric]
    ends = resample.ends(moved, rules.confidence)
    p_value = paired.bootstrap(drawn["model"][metric], drawn[whom][metric])
    won = difference < 0 if metric in metrics.LOWER_IS_BETTER else difference > 0
    return {
        "with": whom,
        "metric": metric,
        "difference": round(difference, DIGITS),
        **{name: None if value is None else round(value, DIGITS) for name, value in ends.items()},
        "p_value": round(p_value, DIGITS),
        "accuracy": _accuracy(whom, sample, rules),
        "words": paired.words(whom, metric, won, round(difference, DIGITS), p_value),
    }


def _accuracy(whom: str, sample: Sample, rules: Rules) -> dict[str, Any] | None:
    """Return McNemar's test of who is right, None for regression."""
    if not sample.classes:
        return None
    if whom == "baseline":
        theirs = metrics.labels(_blind(sample))
    else:
        theirs = metrics.labels(sample.champion if sample.champion is not None else sample.scores, rules.rule)
    ours = metrics.labels(sample.scores, rules.rule)
    return paired.mcnemar(ours == sample.answers, theirs == sample.answers)
