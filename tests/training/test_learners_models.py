"""The learners, without files or processes but for save and load."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from judge import metrics
from learners import LEARNERS, get, gradient_boosting, text_forest
from learners.errors import BadData
from learners.forest import Forest
from learners.problem import Dataset, Problem, problem, rows_of
from learners.tfidf import TfIdf
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.training.optml import LEARNER, SHARED, frame

FEW = {"n_estimators": "30"}


def few(learner: str) -> dict[str, str]:
    """Hyperparameters that make a small model."""
    return FEW if learner in ("gradient_boosting", "text_forest") else {}


def table(rows: Any) -> dict[str, Any]:
    return {
        name: rows[name].to_numpy()
        if rows[name].dtype.kind in "fM"
        else [None if pd.isna(value) else value for value in rows[name]]
        for name in rows
    }


def case(kind: str) -> tuple[Problem, Any]:
    made, document = frame(kind)
    dataset = Dataset.read(document)
    cuts = int(0.6 * len(made)), int(0.75 * len(made))
    given = problem(dataset, table(made[: cuts[0]]), table(made[cuts[0] : cuts[1]]))
    return given, rows_of(dataset, table(made[cuts[1] :]), "test")


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("kind", ["binary", "classes", "numbers", "texts"])
def test_learns_and_is_the_same_after_saving(kind: str, tmp_path: Path) -> None:
    given, test = case(kind)
    learner = get(LEARNER.get(kind, "gradient_boosting"))
    model = learner.finish(learner.fit(given, FEW, quiet, 2), given, FEW, quiet, 2)
    scores = model.predict(test.columns, len(test))
    if kind == "numbers":
        assert metrics.regression(test.target, scores)["r2"] > 0.3
    else:
        assert metrics.classification(test.target, scores)["auc"] > 0.6
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    names = model.save(tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    again = learner.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test.columns, len(test)), scores)
    assert again.features == model.features
    assert dict(again.importance) == pytest.approx(dict(model.importance))


# Two need PyTorch; a curve draws nothing by chance; a script is the project's own; word vectors have no label.
SEEDED = sorted(set(LEARNERS) - {"text_sequence", "text_cnn", "curve", "script", "word_vectors"})


@pytest.mark.parametrize("name", SEEDED)
def test_the_same_seed_gives_the_same_model(name: str) -> None:
    given, test = case("texts" if name.startswith("text_") else "binary")
    learner = get(name)
    one, two, other = (
        learner.fit(given, {**few(name), "seed": seed}, quiet).predict(test.columns, len(test))
        for seed in "112"
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_unknown_learner_is_refused_by_name() -> None:
    with pytest.raises(BadData, match="no learner 'oracle'"):
        get("oracle")


def test_boosting_serves_what_xgboost_itself_predicts() -> None:
    """inplace_predict on our codes equals DMatrix with declared categories, on every row."""
    given, test = case("binary")
    model = gradient_boosting.fit(given, FEW, quiet)
    matrix = model._encoder.matrix(test.columns, len(test))
    declared = xgboost.DMatrix(matrix, feature_types=model._encoder.types, enable_categorical=True)
    np.testing.assert_array_equal(
        model.predict(test.columns, len(test))[:, 1], model._booster.predict(declared)
    )


def test_boosting_stops_when_validation_does_and_fits_again_on_both() -> None:
    given, _ = case("classes")
    said: list[str] = []
    model = gradient_boosting.fit(given, {"early_stopping_rounds": "5"}, said.append)
    rounds = model._booster.num_boosted_rounds()
    assert rounds < 1000
    assert f"{rounds} rounds kept" in said
    shipped = gradient_boosting.finish(model, given, {}, said.append)
    assert shipped is not model
    assert shipped._booster.num_boosted_rounds() == rounds
    assert gradient_boosting.finish(model, given, {"refit": "false"}, said.append) is model


def test_boosting_leaves_text_out_and_says_so() -> None:
    given, _ = case("texts")
    columns = [
        dataclasses.replace(c, role="category") if c.name == "note" else c for c in given.dataset.columns
    ]
    said: list[str] = []
    mixed = dataclasses.replace(given, dataset=dataclasses.replace(given.dataset, columns=columns))
    model = gradient_boosting.fit(mixed, FEW, said.append)
    assert "warning: gradient_boosting does not read text; left out: line" in said
    assert [feature.name for feature in model.features] == ["note"]


def test_boosting_importance_is_a_share_by_column() -> None:
    given, _ = case("binary")
    importance = gradient_boosting.fit(given, FEW, quiet).importance
    assert sum(share for _, share in importance) == pytest.approx(1)
    assert {name for name, _ in importance} == {column.name for column in given.dataset.features}


def test_tfidf_is_scikit_learns() -> None:
    given, test = case("texts")
    texts = [*given.train.columns["line"], "", "zzz unknown words"]
    ours = TfIdf.fit(texts, longest=2, min_rows=2, max_terms=10_000)
    theirs = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(texts)
    assert ours.terms == theirs.get_feature_names_out().tolist()
    asked = [*test.columns["line"], *texts]
    np.testing.assert_allclose(ours.sparse(asked).toarray(), theirs.transform(asked).toarray(), atol=1e-7)
    np.testing.assert_array_equal(ours.sparse(asked).toarray(), ours.dense(asked))


def exact(texts: list[str], answers: list[str]) -> None:
    """Assert that our arrays answer as scikit-learn's forest does, on every row, together and alone."""
    terms = TfIdf.fit(texts, 2, 2, 50_000)
    matrix = terms.sparse(texts)
    theirs = RandomForestClassifier(10, min_samples_leaf=2, random_state=0, n_jobs=2).fit(matrix, answers)
    theirs.n_jobs = 1  # threads add up in the order they finish
    ours = Forest.of(theirs)
    expected = theirs.predict_proba(matrix)
    np.testing.assert_array_equal(ours.predict(matrix), expected)
    some = range(0, len(texts), max(1, len(texts) // 300))
    alone = np.concatenate([ours.predict(terms.dense([texts[k]])) for k in some])
    np.testing.assert_array_equal(alone, expected[some])


def test_the_forest_answers_exactly_as_scikit_learn_does() -> None:
    made, _ = frame("texts")
    exact(made["line"].tolist(), made["answer"].tolist())


def test_the_forest_answers_exactly_as_scikit_learn_does_on_all_tweets() -> None:
    path = SHARED / "tweets_semeval_sentiment.csv"
    if not path.is_file():
        pytest.skip("the shared data is not here: ../shared/data/tweets_semeval_sentiment.csv")
    made = pd.read_csv(path)
    exact(made["text"].tolist(), made["sentiment"].tolist())


def test_the_forest_gives_an_absent_class_no_share() -> None:
    given, test = case("texts")
    classes = [*(given.dataset.classes or ()), "zoo"]
    wider = dataclasses.replace(given, dataset=dataclasses.replace(given.dataset, classes=classes))
    scores = text_forest.fit(wider, FEW, quiet).predict(test.columns, len(test))
    assert scores.shape[1] == len(classes)
    assert (scores[:, -1] == 0).all()


def test_the_forest_file_holds_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "forest.npz"
    with path.open("wb") as file:
        np.savez(file, sizes=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        Forest.load(path)


def test_the_forest_refuses_what_it_cannot_learn() -> None:
    given, _ = case("numbers")
    with pytest.raises(BadData, match="text_forest classifies"):
        text_forest.fit(given, FEW, quiet)
    words, _ = case("texts")
    with pytest.raises(BadData, match="No word occurs in 9999 texts"):
        text_forest.fit(words, {"min_df": "9999"}, quiet)
