"""What gradient_boosting does beyond trees: weights, monotone answers, derived columns, a log target, going on."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learners import derived, gradient_boosting, warm_start
from learners.errors import BadData
from learners.problem import Dataset, Problem, problem

from tests.training.optml import fill, frame, pack, run

FEW = {"n_estimators": "40", "early_stopping_rounds": "0"}


def made(task: str = "classification", rows: int = 400, seed: int = 1, **more: Any) -> Problem:
    """Two numbers; the answer is whether (or how much) they differ."""
    source = np.random.default_rng(seed)
    paid, due = source.normal(100, 30, rows), source.normal(100, 30, rows)
    due = np.where(source.random(rows) < 0.8, paid, due)
    answer = (paid - due) if task == "regression" else np.where(np.abs(paid - due) > 1e-9, "odd", "even")
    table = {"paid": paid, "due": due, "answer": answer if task == "regression" else answer.tolist()}
    columns = [{"name": "paid", "role": "number"}, {"name": "due", "role": "number"}]
    described = {
        "project": "p", "version": 1, "task": task, "target": "answer", "classes": ["even", "odd"],
        "columns": [*columns, {"name": "answer", "role": "label"}], **more,
    }  # fmt: skip
    half = {name: values[: rows // 2] for name, values in table.items()}
    rest = {name: values[rows // 2 :] for name, values in table.items()}
    return problem(Dataset.read(described), half, rest)


def fitted(given: Problem, **values: str) -> gradient_boosting.Model:
    return gradient_boosting.fit(given, {**FEW, **values}, str)


def answers(model: gradient_boosting.Model, given: Problem) -> Any:
    assert given.validation is not None
    return model.predict(given.validation.columns, len(given.validation))


def test_a_derived_column_shows_what_two_columns_hide() -> None:
    """Equal or not is no cut of one column; saved and loaded, the answers stay the same."""
    given = made()
    assert given.validation is not None
    plain, helped = (
        np.mean(answers(fitted(given, **more), given).argmax(axis=1) == given.validation.target)
        for more in ({}, {"derive": "gap = paid - due"})
    )
    assert plain < 0.95 < helped


def test_a_derived_column_is_saved_and_counts_as_important(tmp_path: Path) -> None:
    given = made()
    model = fitted(given, derive="gap = paid - due")
    model.save(tmp_path)
    again = gradient_boosting.load(tmp_path)
    np.testing.assert_array_equal(answers(again, given), answers(model, given))
    assert again.importance[0][0] == "gap"
    assert [feature.name for feature in again.features] == ["paid", "due"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gap", "must be like"),
        ("gap = paid - colour", "'colour', no number column"),
        ("gap = paid due", "cannot be read at"),
        ("paid = paid - due", "column already"),
        ("a = paid; a = due", "column already"),
        ("gap = paid * due", "no number column|cannot be read"),
        (";".join(f"n{n} = paid" for n in range(101)), "100 are allowed"),
    ],
)
def test_a_formula_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        derived.read(text, ["paid", "due"], ["paid", "due", "answer"])


def test_formulas_take_any_name_in_backquotes() -> None:
    found = derived.read("x = -`net - worth` + `a b` ; y = c", ["net - worth", "a b", "c"], [])
    assert [made.terms for made in found] == [(("net - worth", -1.0), ("a b", 1.0)), (("c", 1.0),)]


def test_class_weights_move_answers_to_the_weighted_class() -> None:
    """Balanced and by name; a weight of 1 each is no weight."""
    given = made(rows=300)
    odd = {
        text: answers(fitted(given, class_weight=text), given)[:, 1].mean() for text in ("none", "balanced")
    }
    named = answers(fitted(given, class_weight="odd=20"), given)[:, 1].mean()
    same = answers(fitted(given, class_weight='{"odd": 1, "even": 1}'), given)[:, 1].mean()
    assert odd["none"] < odd["balanced"] < named
    assert same == pytest.approx(odd["none"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"class_weight": "grey=2"}, "'grey'"),
        ({"class_weight": "odd=0"}, "above 0"),
        ({"class_weight": "heavy"}, "must be like"),
        ({"class_weight": "balanced", "scale_pos_weight": "2"}, "both weigh"),
        ({"monotone_constraints": "colour=1"}, "colour=1"),
        ({"monotone_constraints": "paid=2"}, "1, -1 or 0"),
        ({"target_transform": "log1p"}, "for regression"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, str], said: str) -> None:
    with pytest.raises(BadData, match=said):
        fitted(made(), **values)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_monotone_column_only_raises_or_lowers_the_answer(direction: int) -> None:
    given = made("regression")
    grid = {"paid": np.linspace(0, 200, 200), "due": np.full(200, 100.0)}
    free = np.diff(fitted(given).predict(grid, 200))
    bound = np.diff(fitted(given, monotone_constraints=f"due=0, paid={direction}").predict(grid, 200))
    assert (free * direction < 0).any() or direction == 1
    assert (bound * direction >= 0).all()


def test_a_log_target_is_answered_in_its_own_unit() -> None:
    """And refused where there is no logarithm."""
    given = made("regression")
    with pytest.raises(BadData, match="more than -1"):
        fitted(given, target_transform="log1p")
    rows = dataclasses.replace(given.train, target=np.exp(given.train.columns["paid"] / 30))  # type: ignore[operator]
    grown = dataclasses.replace(given, train=rows, validation=None)
    model = fitted(grown, target_transform="log1p", learning_rate="0.3")
    told = model.predict(rows.columns, len(rows))
    assert np.corrcoef(np.log(told), np.log(rows.target))[0, 1] > 0.99
    assert np.median(np.abs(told / rows.target - 1)) < 0.05


@pytest.mark.parametrize("patience", ["0", "5"])
def test_going_on_keeps_the_trees_and_adds_some(patience: str) -> None:
    """Of the booster that has not seen the validation rows, while it is judged; of the shipped one when finished."""
    given = made(rows=800)
    first = gradient_boosting.finish(fitted(given), given, FEW, str)
    values = {**FEW, "n_estimators": "7", "early_stopping_rounds": patience}
    more = gradient_boosting.fit(given, values, str, start=first)
    shipped = gradient_boosting.finish(more, given, values, str)
    rounds = more._booster.num_boosted_rounds()
    assert shipped._booster.num_boosted_rounds() == rounds
    assert rounds == 47 if patience == "0" else 40 < rounds <= 47
    trees = [
        booster.get_dump() for booster in (first._watched, more._booster, first._booster, shipped._booster)
    ]
    assert trees[1][:40] == trees[0]
    assert trees[3][:40] == trees[2]
    assert trees[0] != trees[2]


SPLIT = {"method": "hash", "test": 0.2, "validation": 0.1, "seed": 42, "by": ["mean radius"]}


def trained_again(base: Path, document: dict[str, Any], *more: str) -> tuple[str, dict[str, Any]]:
    """Train on the tree at `base`, then again with the first model as channel `model`; its words and manifest."""
    made, _ = frame("binary")
    fill(base, made, {**document, "split": SPLIT})
    assert run("train.py", base, "--num_round", "20", "--run", "first").returncode == 0
    pack(base)
    (base / "processing/model").rename(base / "input/data/model")
    (base / "input/data/dataset/dataset.json").write_text(json.dumps(document | {"version": 4}))
    done = run("train.py", base, "--num_round", "5", "--run", "second", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((base / "model/manifest.json").read_text())


def test_a_job_goes_on_from_the_model_channel(tmp_path: Path) -> None:
    document = {**frame("binary")[1], "split": SPLIT}
    said, manifest = trained_again(tmp_path, document)
    assert "going on from the model of run first, dataset version 3" in said
    assert manifest["started_from"] == {"run": "first", "version": 3}
    assert (
        len(re.findall(r"^\[\d+\] train-logloss:0\.\d+ validation-logloss:0\.\d+$", said, re.MULTILINE)) == 5
    )


@pytest.mark.parametrize(
    ("change", "arguments", "why"),
    [
        ({"split": {**SPLIT, "method": "shuffled"}}, (), "rows may have changed sides"),
        ({"split": {**SPLIT, "key": ["patient"]}}, (), "a corrected row of the key patient may have changed"),
        ({"split": SPLIT}, ("--derive", "a = mean radius"), "number column|cannot be read"),
        ({"split": SPLIT}, ("--derive", "a = `mean radius` - `mean texture`"), "it derives other columns"),
    ],
)
def test_a_job_that_cannot_go_on_says_why_and_trains_anew(
    tmp_path: Path, change: dict[str, Any], arguments: tuple[str, ...], why: str
) -> None:
    document = {**frame("binary")[1], **change}
    if "number column" in why:  # a fault of the settings stays one
        with pytest.raises(AssertionError, match=why):
            trained_again(tmp_path, document, *arguments)
        return
    said, manifest = trained_again(tmp_path, document, *arguments)
    assert re.search(f"not gone on from the earlier model, but trained anew: .*{why}", said)
    assert manifest["started_from"] is None


def test_a_model_that_cannot_be_read_is_not_gone_on_from(tmp_path: Path) -> None:
    """Damaged, or of a version whose files had other members: that is no reason not to train."""
    given, said = made(rows=80), []
    for damage in ("{", "{}", '{"format": 1}'):
        (tmp_path / "manifest.json").write_text(damage)
        found = warm_start.start(tmp_path, gradient_boosting, given, FEW, tmp_path / "scratch", said.append)
        assert found == (None, None)
        assert "trained anew" in said[-1]
