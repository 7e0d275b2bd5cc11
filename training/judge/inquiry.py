"""What has to be asked of the model, and of the learner anew, before a scorecard can be written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from learners.errors import BadData

from judge import figures, kin, leakfree, permutation, refit, thresholds
from judge.figures import Sample
from judge.rules import CHEAPEST, Rules

Array = npt.NDArray[Any]
_SUM = 1e-3  # how far from 1 the probabilities of a row may add up


@dataclass(frozen=True)
class Inquiry:
    """A model with its rows. `places` are the directories of the splits and of dataset.json, for a refit."""

    model: Any
    dataset: Any
    train: Any
    validation: Any
    test: Any
    places: Mapping[str, str | None]

    def cutoff(self, rules: Rules) -> tuple[Rules, list[str]]:
        """Return the rules with the cutoff chosen on the validation rows, if the spec asks for it, and warnings.

        The rows must be ones the judged model has not learned from: one that was fitted again on train and validation
        together is stood in for by the same learner fitted on train alone.
        """
        if not isinstance(rules.cutoff, str) or self.model.classes is None or len(self.model.classes) != 2:
            return rules, []
        if rules.cutoff == CHEAPEST and rules.rule.costs is None:
            raise BadData("evaluate.cutoff is cheapest, and evaluate.costs says no costs: name fp and fn.")
        answers, scores, why = self._validation()
        if answers is None:
            return rules, [f"The cutoff could not be chosen ({why}): the labels are the likelier class."]
        table = thresholds.table(answers == rules.rule.positive, scores[:, rules.rule.positive])
        chosen = (
            thresholds.cheapest(table, rules.rule.costs)
            if rules.cutoff == CHEAPEST and rules.rule.costs is not None
            else thresholds.best_f1(table)
        )
        return replace(rules, rule=replace(rules.rule, cutoff=chosen["cutoff"])), []

    def _validation(self) -> tuple[Any, Any, str]:
        if self.validation is None or not len(self.validation):
            return None, None, "there are no validation rows: raise split.validation"
        if self.model.manifest["hyperparameters"].get("refit") is False:
            rows = self.validation
            return rows.target, scored(self.model, rows, "model"), ""
        found, why = refit.answer("validation", self.places, self.model.manifest)
        return (None, None, why) if found is None else (found.answers, found.scores, "")

    def leak_free(self, rules: Rules, sample: Sample) -> leakfree.Outcome | None:
        """Return the judgement by rows whose kin the model has not learned from, None if none belong together."""
        texts = [column.name for column in self.dataset.features if column.role == "text"]
        learned = [part for part in (self.train, self.validation) if part is not None and len(part)]
        found = kin.find(rules.group, texts, [part.columns for part in learned], self.test.columns)

        def again(mode: str) -> tuple[refit.Judged | None, str]:
            if mode == "random":
                return refit.answer(mode, self.places, self.model.manifest)
            pool = refit.joined([*learned, self.test])
            if why := kin.too_many(rules.group, pool):
                return None, why
            together = kin.clusters(rules.group, texts, pool.columns)
            return refit.answer(mode, self.places, self.model.manifest, together)

        return leakfree.outcome(found, sample, rules.grouped, again)

    def permutation(self, rules: Rules, sample: Sample) -> list[dict[str, Any]]:
        """Return what the model would lose without each of its columns, those of most gain first."""
        names = [feature.name for feature in self.model.features]
        gained = [row["column"] for row in self.model.manifest["importance"] if row["column"] in names]
        metric = figures.main_metric(rules, figures.measure(sample.answers, sample.scores, rules))

        def measure(rows: Array, scores: Array) -> float | None:
            return figures.measure(sample.answers[rows], scores, rules).get(metric)

        order = [*gained, *(name for name in names if name not in gained)]
        columns = {name: self.test.columns[name] for name in order if name in self.test.columns}
        if not columns:
            return []
        return permutation.permutation(self.model.model.predict, columns, order, measure, metric)


def scored(model: Any, rows: Any, who: str) -> Array:
    """Return a model's scores of some rows; raise BadData if they are no probabilities, or no numbers."""
    scores: Array = np.asarray(model.model.predict(rows.columns, len(rows)), dtype=np.float64)
    shape = (len(rows),) if model.classes is None else (len(rows), len(model.classes))
    if scores.shape != shape:
        raise BadData(
            f"The {who} gives scores of the shape {scores.shape}, not {shape}: look at its predict."
        )
    bad = ~np.isfinite(scores if scores.ndim == 1 else scores.sum(axis=1))
    if bad.any():
        raise BadData(
            f"The {who} gives no number for {int(bad.sum())} of {len(rows)} rows: look at its predict."
        )
    if scores.ndim > 1 and ((scores < -_SUM).any() or (np.abs(scores.sum(axis=1) - 1) > _SUM).any()):
        raise BadData(
            f"The {who}'s scores are no probabilities: each row's must be 0 or more and add up to 1."
        )
    return scores
