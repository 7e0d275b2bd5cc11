"""Our metrics are scikit-learn's, on anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import metrics
from sklearn import metrics as theirs


@st.composite
def judged(draw: st.DrawFn, classes: int) -> tuple[Any, Any]:
    rows = draw(st.integers(classes, 40))
    answers = np.array(
        list(range(classes)) + draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    )
    raw = draw(st.lists(st.integers(1, 9), min_size=len(answers) * classes, max_size=len(answers) * classes))
    scores = np.array(raw, dtype=float).reshape(len(answers), classes)
    return answers, scores / scores.sum(axis=1, keepdims=True)


@given(judged(2))
def test_two_classes(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    found = metrics.classification(answers, scores)
    said = scores.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(answers, said))
    assert found["macro_f1"] == pytest.approx(theirs.f1_score(answers, said, average="macro"))
    assert found["auc"] == pytest.approx(theirs.roc_auc_score(answers, scores[:, 1]))
    assert found["log_loss"] == pytest.approx(theirs.log_loss(answers, scores))


@given(judged(4))
def test_several_classes(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    found = metrics.classification(answers, scores)
    said = scores.argmax(axis=1)
    assert found["macro_f1"] == pytest.approx(theirs.f1_score(answers, said, average="macro"))
    assert found["auc"] == pytest.approx(theirs.roc_auc_score(answers, scores, multi_class="ovr"))
    matrix = metrics.confusion(answers, said, 4)
    np.testing.assert_array_equal(matrix, theirs.confusion_matrix(answers, said, labels=range(4)))
    ours = [
        [row[name] for row in metrics.per_class(matrix)] for name in ("precision", "recall", "f1", "support")
    ]
    expected = theirs.precision_recall_fscore_support(answers, said, labels=range(4), zero_division=0)
    np.testing.assert_allclose(ours, expected)


@given(judged(2))
def test_curves(given_: tuple[Any, Any]) -> None:
    answers, scores = given_
    score = scores[:, 1]
    alarms, found = metrics.roc(answers == 1, score)
    expected = theirs.roc_curve(answers, score, drop_intermediate=False)
    np.testing.assert_allclose((alarms, found), expected[:2])
    recall, precision = metrics.precision_recall(answers == 1, score)
    right, got, _ = theirs.precision_recall_curve(answers, score)
    np.testing.assert_allclose(recall, got[:-1][::-1])
    np.testing.assert_allclose(precision, right[:-1][::-1])


FLOATS = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=30)


@given(FLOATS)
def test_regression(pairs: list[tuple[float, float]]) -> None:
    answers, values = np.array(pairs).T
    found = metrics.regression(answers, values)
    assert found["rmse"] == pytest.approx(theirs.root_mean_squared_error(answers, values))
    assert found["mae"] == pytest.approx(theirs.mean_absolute_error(answers, values))
    if np.ptp(answers) > 1e-3:
        assert found["r2"] == pytest.approx(theirs.r2_score(answers, values))


def test_what_is_not_defined_is_left_out() -> None:
    assert "auc" not in metrics.classification(np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert "r2" not in metrics.regression(np.array([2.0, 2.0]), np.array([1.0, 2.0]))


def test_several_classes_leave_out_the_absent_ones() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]])
    assert metrics.auc(np.array([0, 1, 1]), scores) == 1.0
