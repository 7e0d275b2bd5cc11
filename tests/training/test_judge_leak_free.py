"""Rows that belong together: found, kept apart, and judged by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import kin, leakfree, refit
from judge.figures import Sample
from judge.kin import Kin

from tests.training.optml import ROOT, fill, pack, run

SCHEMA = json.loads((ROOT / "statemachine/contracts/scorecard.schema.json").read_text())


def sentence(dice: np.random.Generator) -> str:
    """Eight words that no other sentence has but by chance."""
    return " ".join(f"w{number}" for number in dice.integers(0, 10_000, 8))


def test_kin_by_group_and_a_row_without_group_has_none() -> None:
    found = kin.find("Id", [], [{"Id": ["a", None]}, {"Id": ["b"]}], {"Id": ["a", "b", "c", None]})
    assert found is not None
    assert found.seen.tolist() == [True, True, False, False]
    assert found.share == 0.5
    numbers = kin.clusters("Id", [], {"Id": ["a", None, "a", None]})
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3
    assert kin.find(None, [], [{}], {}) is None


def test_kin_by_text_and_chains_of_it() -> None:
    first = "one two three four five six seven eight"
    near, far = first.replace("eight", "nine"), "alpha beta gamma delta epsilon zeta eta theta"
    found = kin.find(None, ["t"], [{"t": [first]}], {"t": [near, far, None, first]})
    assert found is not None
    assert found.seen.tolist() == [True, False, False, True]
    further = near.replace("one", "ten").replace("two", "eleven")  # near to `near`, and by it to `first`
    numbers = kin.clusters(None, ["t"], {"t": [first, far, near, further, None]})
    assert numbers[0] == numbers[2] == numbers[3]
    assert len({int(numbers[k]) for k in (0, 1, 4)}) == 3


@given(
    st.lists(st.integers(0, 30), min_size=10, max_size=120),
    st.integers(1, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_dealing_loses_no_row_and_parts_no_cluster(
    groups: list[int], test: int, validation: int, grouped: bool
) -> None:
    clusters, target = np.array(groups), np.array(groups) % 2
    sizes = {"test": test, "validation": validation}
    dealt = refit.deal(sizes, target, clusters if grouped else None, classes=True)
    assert sorted(np.concatenate(list(dealt.values())).tolist()) == list(range(len(groups)))
    sides = [set(clusters[rows].tolist()) for rows in dealt.values()]
    if grouped:
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    else:
        assert (len(dealt["test"]), len(dealt["validation"])) == (test, min(validation, len(groups) - test))


def test_a_script_is_not_fitted_anew() -> None:
    """Its archive and its channels are not there."""
    found, why = refit.answer("random", {}, {"learner": "script", "hyperparameters": {}})
    assert found is None
    assert why.startswith("a script is run once")


def test_so_many_texts_are_not_put_together() -> None:
    texts = ["a few words in each of them"] * 4
    assert kin.too_many(None, texts, most=3) == "there are too many texts to group (4)"
    assert kin.too_many("id", texts, most=3) is None
    assert kin.too_many(None, texts, most=4) is None


def test_random_dealing_keeps_the_classes_in_proportion() -> None:
    target = np.array([1] * 40 + [0] * 960)
    dealt = refit.deal({"test": 250, "validation": 0}, target, None, classes=True)
    assert 9 <= target[dealt["test"]].sum() <= 11


def outcome(seen: int, rows: int, grouped: bool, found: Any) -> leakfree.Outcome | None:
    answers = np.arange(rows) % 2
    sample = Sample(answers, np.eye(2)[answers], answers)
    related = Kin("Id", np.arange(rows) < seen, np.ones(rows, bool))
    return leakfree.outcome(related, sample, grouped, lambda mode: (found, "it took too long"))


def test_which_rows_judge() -> None:
    """No kin: nothing to tell apart. Few without kin: the learner anew, or nothing, and then the gate refuses."""
    again = refit.Judged(np.array([0, 1]), np.eye(2), np.array([0, 1]))
    assert outcome(0, 300, False, None) is None
    split = outcome(0, 300, True, again)
    assert split is not None
    assert (split.protocol, split.sample is not None, split.random is not None) == (
        "grouped_split",
        True,
        True,
    )
    timed_out = outcome(0, 300, True, None)
    assert timed_out is not None
    assert timed_out.random is None
    assert "took too long" in timed_out.note
    unseen = outcome(150, 300, False, None)
    assert unseen is not None
    assert unseen.sample is not None
    assert (unseen.protocol, len(unseen.sample.answers)) == ("unseen_rows", 150)
    anew = outcome(290, 300, False, again)
    assert anew is not None
    assert anew.sample is not None
    assert (anew.protocol, len(anew.sample.answers)) == ("grouped_refit", 2)
    nothing = outcome(290, 300, False, None)
    assert nothing is not None
    assert nothing.sample is None


def paraphrases(base: Path, by_group: bool) -> None:
    """Six copies of each text, which has a label by chance: a model can only remember, and has nothing to know."""
    dice = np.random.default_rng(4)
    texts = [sentence(dice) for _ in range(60)]
    labels = dice.permutation(["yes", "no"] * 30)
    made = pd.DataFrame(
        {
            "text": [f"{text} {copy}" for text in texts for copy in range(6)],
            "id": [f"g{number}" for number in range(60) for _ in range(6)],
            "answer": np.repeat(labels, 6),
        }
    )
    made = made.sample(frac=1, random_state=1).reset_index(drop=True)
    made["_row"] = range(len(made))
    if by_group:
        made = made.sort_values("id", kind="stable")
    columns = [
        {"name": name, "role": role}
        for name, role in (("text", "text"), ("id", "group"), ("answer", "label"))
    ]
    document = {"project": "copies", "version": 1, "task": "classification", "target": "answer",
                "classes": ["no", "yes"], "columns": columns, "rows": {}, "source_objects": []}  # fmt: skip
    fill(base, made, document)
    done = run(
        "train.py", base, "--learner", "text_forest", "--n_estimators", "20", "--min_samples_leaf", "1"
    )
    assert done.returncode == 0, done.stderr
    pack(base)


def evaluate(base: Path, spec: dict[str, Any]) -> dict[str, Any]:
    (base / "processing/spec").mkdir(parents=True, exist_ok=True)
    (base / "processing/spec/project.json").write_text(json.dumps(spec))
    done = run("evaluate.py", base)
    assert done.returncode == 0, done.stderr
    card: dict[str, Any] = json.loads((base / "processing/output/scorecard.json").read_text())
    jsonschema.validate(card, SCHEMA)
    return card


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"leaks": {"group": "id"}}, marks=pytest.mark.slow, id="group"),
        pytest.param({}, id="near"),
    ],
)
def test_what_is_only_remembered_does_not_count(tmp_path: Path, spec: dict[str, Any]) -> None:
    """Random split of paraphrases: nearly perfect by all rows, a coin by rows without kin; both are told."""
    paraphrases(tmp_path, by_group=False)
    card = evaluate(tmp_path, spec)
    part = card["leak_free"]
    assert card["metrics"]["accuracy"] > 0.9
    assert part["protocol"] == "grouped_refit"
    assert part["by"] == ("id" if spec else "nearly equal text")
    assert part["random"] == card["metrics"]
    assert part["metrics"]["accuracy"] < 0.75
    assert any("the gate does not use them" in warning for warning in card["warnings"])
    assert "Knowledge or memory?" in (tmp_path / "processing/output/report.html").read_text()


@pytest.mark.slow
def test_a_split_by_group_is_judged_by_and_the_random_score_told(tmp_path: Path) -> None:
    paraphrases(tmp_path, by_group=True)
    card = evaluate(tmp_path, {"split": {"group": "id"}})
    part = card["leak_free"]
    assert part["protocol"] == "grouped_split"
    assert part["metrics"] == card["metrics"]
    assert part["metrics"]["accuracy"] < 0.75
    assert part["random"]["accuracy"] > 0.9


def test_a_learner_that_cannot_be_fitted_anew_is_said(tmp_path: Path) -> None:
    places = {"train": str(tmp_path), "dataset": str(tmp_path), "test": str(tmp_path)}
    found, why = refit.answer("random", places, {"learner": "text_forest", "hyperparameters": {}})
    assert found is None
    assert why.startswith("the learner could not be fitted anew: ")
    assert "dataset.json" in why
