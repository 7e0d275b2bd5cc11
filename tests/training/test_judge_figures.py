"""Metrics, thresholds, calibration, intervals and paired tests against scikit-learn, scipy and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import calibration, figures, metrics, paired, resample, rules, thresholds
from judge.figures import Sample
from judge.metrics import Costs, Rule
from scipy import stats
from sklearn import calibration as theirs_calibration
from sklearn import metrics as theirs

from tests.training.test_judge_metrics import judged

COSTS = Costs(fp=100, fn=500, tp=100, tn=0)  # workshop 002's


@given(judged(2), st.sampled_from([0, 1]), st.sampled_from([0.0, 0.1, 0.34, 1.0]))
def test_what_only_two_classes_have(given_: tuple[Any, Any], positive: int, most: float) -> None:
    answers, scores = given_
    found = metrics.classification(answers, scores, Rule(positive, 0.3, most, COSTS))
    true, score = answers == positive, scores[:, positive]
    said = score >= 0.3
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(true, said))
    assert found["f1"] == pytest.approx(theirs.f1_score(true, said))
    assert found["pr_auc"] == pytest.approx(theirs.average_precision_score(true, score))
    alarms, hits, _ = theirs.roc_curve(true, score, drop_intermediate=False)
    assert found["tpr_at_fpr"] == pytest.approx(max(hits[alarms <= most + 1e-12]))
    _, fp, fn, tp = theirs.confusion_matrix(true, said, labels=[False, True]).ravel()
    assert found["cost"] == pytest.approx((100 * fp + 500 * fn + 100 * tp) / len(true))


@given(judged(2), st.lists(st.integers(0, 10), min_size=1, max_size=5))
def test_the_threshold_table_counts_what_a_confusion_matrix_does(
    given_: tuple[Any, Any], tenths: list[int]
) -> None:
    answers, scores = given_
    for row in thresholds.table(answers == 1, scores[:, 1], [number / 10 for number in tenths]):
        said = scores[:, 1] >= row["cutoff"]
        expected = theirs.confusion_matrix(answers == 1, said, labels=[False, True]).ravel()
        assert [row[name] for name in ("tn", "fp", "fn", "tp")] == expected.tolist()
        told = thresholds.rates(row, COSTS)
        assert told["recall"] == pytest.approx(theirs.recall_score(answers, said, zero_division=0))
        assert told["precision"] == pytest.approx(theirs.precision_score(answers, said, zero_division=0))
        assert told["cost"] == 100 * row["fp"] + 500 * row["fn"] + 100 * row["tp"]


@given(judged(2))
def test_no_cutoff_of_the_table_is_better_than_the_best(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    table = thresholds.table(answers == 1, scores[:, 1])
    assert thresholds.cost(thresholds.cheapest(table, COSTS), COSTS) == min(
        thresholds.cost(row, COSTS) for row in table
    )
    best = thresholds.best_f1(table)["cutoff"]
    each = [2 * row["tp"] / max(2 * row["tp"] + row["fp"] + row["fn"], 1) for row in table]
    assert theirs.f1_score(answers, scores[:, 1] >= best, zero_division=0) == pytest.approx(max(each))


def test_equal_costs_and_calibrated_scores_put_the_cutoff_at_one_half() -> None:
    """Elkan (2001): with costs fp and fn alone the best cutoff of true probabilities is fp / (fp + fn)."""
    chance = np.tile((np.arange(100) + 0.5) / 100, 400)
    true = np.arange(len(chance)) // 100 < np.repeat(0, len(chance)) + chance * 400
    for costs in (Costs(1, 1), Costs(1, 3), Costs(3, 1)):
        table = thresholds.table(true, chance)
        assert thresholds.cheapest(table, costs)["cutoff"] == pytest.approx(
            costs.fp / (costs.fp + costs.fn), abs=0.011
        )


@given(judged(2))
def test_calibration_of_two_classes(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    found = calibration.calibration(answers, scores, 1)
    assert found["brier"] == pytest.approx(theirs.brier_score_loss(answers, scores[:, 1]))
    assert sum(one["rows"] for one in found["bins"]) == len(answers)
    shares, means = theirs_calibration.calibration_curve(answers, scores[:, 1], n_bins=10)
    if not np.any(
        np.isclose(scores[:, 1] * 10, np.round(scores[:, 1] * 10))
    ):  # they put an edge in the bin below
        np.testing.assert_allclose([one["share"] for one in found["bins"]], shares)
        np.testing.assert_allclose([one["score"] for one in found["bins"]], means)
    told = calibration.histogram(answers, scores, 1)
    assert (sum(told["positive"]), sum(told["negative"])) == ((answers == 1).sum(), (answers == 0).sum())


def test_calibration_in_closed_form() -> None:
    scores = np.array([[0.2, 0.8]] * 10)
    answers = np.array([1] * 6 + [0] * 4)
    found = calibration.calibration(answers, scores, 1)
    assert found["ece"] == pytest.approx(0.2)
    assert found["brier"] == pytest.approx(0.6 * 0.04 + 0.4 * 0.64)
    three = calibration.calibration(np.array([0, 1]), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), 1)
    assert (three["of"], three["ece"]) == ("said", pytest.approx(0.0))
    assert three["brier"] == pytest.approx((0.25 + 0.09 + 0.04 + 0.25 + 0.49 + 0.04) / 2)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(only: int, others: int) -> None:
    right = np.array([True] * only + [False] * others + [True, False])
    other = np.array([False] * only + [True] * others + [True, False])
    found = paired.mcnemar(right, other)
    assert (found["only_model_right"], found["only_other_right"]) == (only, others)
    expected = stats.binomtest(only, only + others).pvalue if only + others else 1.0
    assert found["p_value"] == pytest.approx(expected)


def test_mcnemar_of_very_many_rows_is_a_number() -> None:
    right = np.arange(300_000) % 2 == 0
    assert paired.mcnemar(right, ~right)["p_value"] == 1.0
    assert paired.mcnemar(right, np.zeros_like(right))["p_value"] == 0.0


@given(judged(2), st.sampled_from([None, 0.4]))
def test_a_resample_of_every_row_once_gives_the_figures_themselves(
    given_: tuple[Any, Any], cutoff: float | None
) -> None:
    """Weights of one: whatever is computed from weights is what metrics.py computes from rows."""
    answers, scores = given_
    rule = Rule(1, cutoff, 0.2, COSTS)
    family = resample.classification(answers, scores, rule)
    again = {name: values[0] for name, values in family(np.ones((1, len(answers)))).items()}
    assert again == pytest.approx(metrics.classification(answers, scores, rule), nan_ok=True)


@given(judged(2), st.integers(0, 1000))
def test_weights_are_rows_drawn_that_often(given_: tuple[Any, Any], seed: int) -> None:
    answers, scores = given_
    weights = np.random.default_rng(seed).integers(0, 3, len(answers))
    rows = np.repeat(np.arange(len(answers)), weights)
    rule = Rule(1, 0.4, 0.2)
    if not len(rows) or len(np.unique(answers[rows])) < 2:
        return
    family = resample.classification(answers, scores, rule)
    found = {
        name: values[0] * _scale(name, weights) for name, values in family(weights[None, :] * 1.0).items()
    }
    expected = metrics.classification(answers[rows], scores[rows], rule)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def _scale(name: str, weights: Any) -> float:
    """Means are over as many draws as there are rows, which these weights need not add up to."""
    return len(weights) / weights.sum() if name in {"accuracy", "log_loss"} else 1.0


@given(judged(4))
def test_several_classes_and_numbers_likewise(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    ones = np.ones((1, len(answers)))
    again = {name: v[0] for name, v in resample.classification(answers, scores, Rule())(ones).items()}
    assert again == pytest.approx(metrics.classification(answers, scores))
    numbers = {name: v[0] for name, v in resample.regression(answers * 1.0, scores[:, 0])(ones).items()}
    expected = metrics.regression(answers * 1.0, scores[:, 0])
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)


def test_the_interval_of_accuracy_is_the_binomial_one() -> None:
    dice = np.random.default_rng(1)
    answers = dice.integers(0, 2, 1000)
    said = np.where(dice.random(1000) < 0.8, answers, 1 - answers)
    scores = np.eye(2)[said] * 0.8 + 0.1
    drawn = resample.replicates({"it": resample.classification(answers, scores, Rule())}, 1000, 2000)["it"]
    ends = resample.interval(drawn["accuracy"], 0.95)
    share = np.mean(said == answers)
    half = 1.96 * math.sqrt(share * (1 - share) / 1000)
    assert ends == pytest.approx({"low": share - half, "high": share + half}, abs=0.004)
    assert drawn["auc"].std() == pytest.approx(_hanley(answers, scores), rel=0.15)


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.9, 0.95]))
def test_shares_have_the_score_interval(hits: int, misses: int, confidence: float) -> None:
    rows = hits + misses
    if rows:
        found = resample.wilson(hits / rows, rows, confidence)
        expected = stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_thirteen_of_thirteen_is_not_certain() -> None:
    answers = np.array([1] * 13 + [0] * 400)
    perfect = Sample(answers, np.eye(2)[answers] * 0.8 + 0.1, answers)
    ends = figures.document(perfect, rules.read({}, ["a", "b"]))["intervals"]
    assert ends["tpr_at_fpr"]["low"] < 0.8
    assert "f1" not in ends


def _hanley(answers: Any, scores: Any) -> float:
    """DeLong's standard error, by its definition."""
    ones, zeros = scores[answers == 1, 1], scores[answers == 0, 1]
    wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
    above, below = wins.mean(axis=1), wins.mean(axis=0)
    return math.sqrt(above.var(ddof=1) / len(ones) + below.var(ddof=1) / len(zeros))


def test_the_auc_of_many_classes_spreads_as_resampling_says() -> None:
    dice = np.random.default_rng(2)
    answers = dice.integers(0, 3, 400)
    scores = np.eye(3)[answers] * 0.4 + dice.random((400, 3))
    scores /= scores.sum(axis=1, keepdims=True)
    drawn = resample.replicates({"it": resample.classification(answers, scores, Rule())}, 400, 1000)["it"]
    rows = [dice.integers(0, 400, 400) for _ in range(300)]
    true = np.std([metrics.auc(answers[some], scores[some]) for some in rows])
    assert drawn["auc"].std() == pytest.approx(true, rel=0.2)


def test_the_same_resamples_for_all_and_again() -> None:
    first, again = (np.concatenate(list(resample.weights(50, 30))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first.sum(axis=1) == 50).all()
    assert resample.times(1000, 200_000) == 200
    assert resample.times(1000, 500) == 1000


def sample(rows: int, better: float, seed: int = 0) -> Sample:
    """Two models of which the first is right more often by `better`."""
    dice = np.random.default_rng(seed)
    answers = dice.integers(0, 2, rows)
    both = [
        np.eye(2)[np.where(dice.random(rows) < share, answers, 1 - answers)] for share in (0.8 + better, 0.8)
    ]
    return Sample(answers, both[0] * 0.8 + 0.1, dice.integers(0, 2, 100), both[1] * 0.8 + 0.1)


def test_a_paired_test_tells_better_from_lucky() -> None:
    sure = figures.document(sample(3000, 0.08), rules.read({}, ["a", "b"]))
    by = {one["with"]: one for one in sure["comparisons"]}
    assert by["champion"]["p_value"] < 0.01
    assert "hardly by chance" in by["champion"]["words"]
    assert by["champion"]["low"] > 0
    same = sample(3000, 0.0)
    equal = Sample(same.answers, same.scores, same.learned, same.scores)
    [_, champion] = figures.document(equal, rules.read({}, ["a", "b"]))["comparisons"]
    assert (champion["difference"], champion["p_value"]) == (0, 1.0)
    assert champion["accuracy"]["p_value"] == 1.0
    lucky = figures.document(sample(40, 0.05, seed=5), rules.read({}, ["a", "b"]))["comparisons"][1]
    assert "may well be chance" in lucky["words"]


@pytest.mark.slow
def test_a_paired_test_errs_as_often_as_it_says() -> None:
    """Of two equally good models one in twenty pairs differs at 5 %."""
    found = [
        paired.bootstrap(*(drawn[who]["accuracy"] for who in ("one", "two")))
        for drawn in (_equally_good(seed) for seed in range(200))
    ]
    assert 0.01 <= np.mean(np.array(found) < 0.05) <= 0.11


def _equally_good(seed: int) -> Any:
    made = sample(300, 0.0, seed)
    families = {
        name: resample.classification(made.answers, scores, Rule())
        for name, scores in (("one", made.scores), ("two", made.champion))
        if scores is not None
    }
    return resample.replicates(families, 300, 400)


def test_the_baseline_pays_what_the_cheaper_constant_answer_does() -> None:
    made = sample(200, 0.1)
    spec = {"evaluate": {"costs": {"fp": 1, "fn": 100}}}
    found = figures.document(made, rules.read(spec, ["a", "b"]))
    assert found["baseline"]["metrics"]["cost"] == pytest.approx(np.mean(made.answers == 0))  # always "b"
    assert found["baseline"]["metrics"]["auc"] == 0.5
