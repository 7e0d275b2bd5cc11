"""What a judge must bear: odd test rows, odd scores, many classes, many rows; and a spec's wishes, end to end."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from judge import inquiry, mistakes, permutation, plots, report, rules, scorecard, slices
from judge.figures import Sample
from learners.errors import BadData

from chalicelib.domain.scorecard import judge as gate
from tests.training.optml import ROOT, held_out, run, trained

SCHEMA = json.loads((ROOT / "statemachine/contracts/scorecard.schema.json").read_text())
COSTS = {"fp": 100, "fn": 500, "tp": 100, "tn": 0}


def manifest(classes: list[str] | None) -> dict[str, Any]:
    task = "regression" if classes is None else "classification"
    return {
        "project": "p", "run": "r", "learner": "gradient_boosting", "task": task, "target": "y", "classes": classes,
        "schema": [{"name": "x"}], "importance": [], "hyperparameters": {}, "versions": {}, "dataset": {"version": 1},
    }  # fmt: skip


def card(sample: Sample, classes: list[str] | None, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    """A scorecard of scores alone, held against its schema, drawn and written as a page."""
    rows, learned = len(sample.answers), len(sample.learned)
    wanted = {
        "gate": {"metric": "rmse" if classes is None else "macro_f1", "beat_baseline": True},
        **(spec or {}),
    }
    evidence = scorecard.Evidence(
        manifest=manifest(classes), columns=["x"], categories=["c"], sample=sample,
        train={"x": np.arange(learned) * 1.0}, test={"x": np.arange(rows) * 1.0, "c": ["a", "b"] * (rows // 2)},
        rules=rules.read(wanted, classes),
    )  # fmt: skip
    made = scorecard.scorecard(evidence, "", "")
    json.dumps(made, allow_nan=False)
    jsonschema.validate(made, SCHEMA)
    figures = plots.draw(made, sample.answers, sample.scores, sample.learned)
    assert "<h1>" in report.page(made, figures, manifest(classes))
    return made


def scores(answers: Any, classes: int, seed: int = 0) -> Any:
    dice = np.random.default_rng(seed)
    raw = dice.random((len(answers), classes)) + np.eye(classes)[answers]
    return raw / raw.sum(axis=1, keepdims=True)


def test_two_rows_of_one_class() -> None:
    answers = np.array([1, 1])
    made = card(Sample(answers, scores(answers, 2), np.array([0, 1, 1])), ["a", "b"])
    assert "auc" not in made["metrics"]
    assert any("Only 2 test rows" in warning for warning in made["warnings"])
    assert not {"roc.png", "precision_recall.png"} & set(made["plots"])


def test_one_class_and_costs_and_a_gate_that_cannot_be_held_against_it() -> None:
    answers = np.zeros(50, int)
    spec = {"evaluate": {"costs": COSTS}, "gate": {"metric": "pr_auc", "at_least": 0.5}}
    made = card(Sample(answers, scores(answers, 2), np.array([0, 1])), ["a", "b"], spec)
    assert "pr_auc" not in made["metrics"]
    assert not gate(made, spec["gate"], champion=False).passed
    assert made["operating_points"][0]["fn"] == 0


def test_scores_that_are_all_the_same() -> None:
    answers = np.arange(60) % 2
    made = card(Sample(answers, np.tile([0.4, 0.6], (60, 1)), answers), ["a", "b"])
    assert made["metrics"]["auc"] == 0.5
    assert any("gets the same scores" in warning for warning in made["warnings"])


def test_two_rows_of_numbers() -> None:
    made = card(Sample(np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.array([0.0, 3.0])), None)
    assert "r2" not in made["metrics"]


def model(answer: Any, classes: list[str] | None) -> Any:
    """A model that gives these scores to any rows."""
    return SimpleNamespace(classes=classes, model=SimpleNamespace(predict=lambda columns, rows: answer))


class Two:
    """Two rows."""

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("answer", "classes", "words"),
    [
        ([[0.5, 0.5], [np.nan, 0.5]], ["a", "b"], "gives no number for 1 of 2 rows"),
        ([1.0, np.inf], None, "gives no number for 1 of 2 rows"),
        ([[0.5, 0.5], [-0.5, 1.5]], ["a", "b"], "no probabilities"),
        ([[3.0, 1.0], [0.5, 0.5]], ["a", "b"], "no probabilities"),
        ([0.5, 0.5], ["a", "b"], "of the shape"),
    ],
)
def test_scores_that_are_none_are_refused(answer: Any, classes: list[str] | None, words: str) -> None:
    with pytest.raises(BadData, match=words):
        inquiry.scored(model(np.array(answer), classes), Two(), "model")


def test_a_column_without_which_nothing_can_be_measured_is_left_out() -> None:
    """Dealt anew, its values may give scores of which the metric is not defined; NaN is no JSON."""
    told = iter([0.9, None, None, None, 0.5, 0.6, None])
    dealt = {"a": [1, 2, 3], "b": [1, 2, 3]}
    found = permutation.permutation(
        lambda columns, rows: np.zeros(rows), dealt, ["a", "b"], lambda *_: next(told), "auc"
    )
    assert [row["column"] for row in found] == ["b"]
    assert found[0]["loss"] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("spec", "group", "grouped"),
    [
        ({}, None, False),
        ({"columns": {"id": "group", "x": {"type": "number"}}}, "id", True),
        ({"columns": {"id": {"type": "group"}}, "split": {"method": "hash", "group": None}}, "id", True),
        ({"columns": {"id": "group", "of": "group"}}, None, False),
        ({"columns": {"id": "group", "of": "group"}, "split": {"group": "of"}}, "of", True),
        ({"columns": {"id": "group"}, "split": {"method": "time", "by": "t"}}, "id", False),
        ({"columns": {"id": "group"}, "leaks": {"group": "of"}}, "of", False),
    ],
)
def test_rows_belong_together_as_prepare_deals_them(
    spec: dict[str, Any], group: str | None, grouped: bool
) -> None:
    found = rules.read(spec, ["a", "b"])
    assert (found.group, found.grouped) == (group, grouped)


def test_a_hundred_classes() -> None:
    answers = np.arange(3000) % 100
    called = np.where(np.arange(3000) % 7, answers, (answers + 1) % 100)
    made = card(Sample(answers, scores(called, 100), answers), [f"class {k}" for k in range(100)])
    assert len(made["per_class"]) == 100
    assert set(made["intervals"]) == {"accuracy", "macro_f1", "auc", "log_loss"}


@pytest.mark.slow
def test_very_many_rows_take_bounded_memory() -> None:
    answers = (np.arange(200_000) % 10 == 0).astype(int)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = card(Sample(answers, scores(answers, 2), answers, scores(answers, 2, 1)), ["a", "b"])
    assert made["settings"]["bootstrap"] == 200
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 700  # MB


def test_slices_are_worst_first_and_only_those_with_rows_enough() -> None:
    answers = np.arange(200) % 2
    wrong = np.arange(200) < 80
    said = np.where(wrong & (np.arange(200) % 3 == 0), 1 - answers, answers)
    place = ["north"] * 80 + ["south"] * 100 + ["tiny"] * 20
    spec = rules.read({"gate": {"metric": "accuracy"}}, ["a", "b"])
    metric, rows = slices.slices(
        {"place": place, "x": np.arange(200.0)}, ["place", "x"], answers, np.eye(2)[said], spec
    )
    assert metric == "accuracy"
    named = {f"{row['column']} {row['slice']}": row for row in rows}
    assert "place tiny" not in named
    assert named["place north"]["value"] == pytest.approx(1 - np.mean(said[:80] != answers[:80]))
    assert (named["place north"]["worse"], named["place south"]["worse"]) == (True, False)
    assert [row["value"] for row in rows] == sorted(row["value"] for row in rows)
    assert sum(row["rows"] for row in rows if row["column"] == "x") == 200  # quarters


def test_mistakes_are_the_surest_and_shorten_texts() -> None:
    answers = np.array([0, 0, 1])
    given = np.array([[0.1, 0.9], [0.4, 0.6], [0.2, 0.8]])
    columns = {
        "text": ["word " * 100, "b", "c"],
        "x": np.array([1.0, np.nan, 3.0]),
        "_row": np.array([7, 8, 9]),
    }
    found = mistakes.of_classes(columns, ["text", "x"], answers, given, given.argmax(axis=1), ["no", "yes"])
    assert [row["row"] for row in found] == [7, 8]
    assert len(found[0]["shown"]["text"]) == 160
    assert (found[0]["truth"], found[0]["said"], found[1]["shown"]["x"]) == ("no", "yes", "")


def test_permutation_finds_the_column_that_tells() -> None:
    dice = np.random.default_rng(0)
    columns = {"tells": dice.random(500), "noise": dice.random(500)}
    answers = (columns["tells"] > 0.5).astype(int)

    def predict(given: Any, rows: int) -> Any:
        return np.eye(2)[(given["tells"] > 0.5).astype(int)]

    def measure(rows: Any, given: Any) -> float:
        return float(np.mean(given.argmax(axis=1) == answers[rows]))

    found = permutation.permutation(predict, columns, ["tells", "noise"], measure, "accuracy")
    assert [row["column"] for row in found] == ["tells", "noise"]
    assert found[0]["loss"] == pytest.approx(0.5, abs=0.1)
    assert found[1]["loss"] == 0


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binary data judged as a spec asks for it: costs, the cheapest cutoff, its own slices, a problem sheet."""
    base = tmp_path_factory.mktemp("asked")
    shutil.copytree(
        trained("binary")[0] / "processing", base / "processing", ignore=shutil.ignore_patterns("output")
    )
    shutil.copytree(base / "processing/model", base / "processing/champion")
    spec = {
        "problem": {"goal": "Miss no <tumour>", "success": "95 of 100 found"},
        "evaluate": {"positive": "malignant", "costs": COSTS, "cutoff": "cheapest", "max_fpr": 0.1, "bootstrap": 300,
                     "confidence": 0.9, "slices": ["mean radius"]},
        "gate": {"metric": "cost", "at_most": 200, "beat_baseline": True, "beat_champion": True},
    }  # fmt: skip
    (base / "processing/spec").mkdir()
    (base / "processing/spec/project.json").write_text(json.dumps(spec))
    done = run("evaluate.py", base, PENSTOCK_RUN="binary-0001-x")
    assert done.returncode == 0, done.stderr
    return base / "processing"


def test_the_cutoff_comes_from_rows_the_model_judged_by_has_not_learned_from(asked: Path) -> None:
    """The same as train.py's own model before it was fitted again: it is fitted here once more, on train alone."""
    made = json.loads((asked / "output/scorecard.json").read_text())
    jsonschema.validate(made, SCHEMA)
    settings = made["settings"]
    assert (settings["positive"], settings["chosen"], settings["costs"]) == ("malignant", "cheapest", COSTS)
    assert 0 < settings["cutoff"] < 1
    point = next(row for row in made["operating_points"] if row["name"] == "in use")
    assert point["cutoff"] == settings["cutoff"]
    assert made["metrics"]["cost"] == pytest.approx(point["cost"] / made["rows"]["test"], abs=1e-5)
    place = made["classes"].index("malignant")
    assert made["confusion_matrix"][place][place] == point["tp"]
    assert {row["column"] for row in made["slices"]["rows"]} == {"mean radius"}
    assert any("The endpoint's `prediction` is the likelier class" in warning for warning in made["warnings"])


def test_the_problem_sheet_is_printed_beside_what_the_gate_asks(asked: Path) -> None:
    page = (asked / "output/report.html").read_text()
    assert "Miss no &lt;tumour&gt;" in page
    assert "95 of 100 found" in page
    assert "at most 200.0" in page


def test_the_tables_say_what_the_scorecard_says(asked: Path) -> None:
    made = json.loads((asked / "output/scorecard.json").read_text())
    lines = pq.read_table(next((asked / "scorecards").glob("*.parquet"))).to_pylist()
    told = {line["metric"]: line for line in lines if (line["judged"], line["basis"]) == ("model", "all")}
    assert {name: line["value"] for name, line in told.items()} == made["metrics"]
    assert told["cost"]["low"] == made["intervals"]["cost"]["low"]
    rows = pq.read_table(next((asked / "predictions").glob("binary-0001-x.parquet"))).to_pylist()
    assert [row["row"] for row in rows] == held_out("binary")["_row"].tolist()
    assert [row["truth"] for row in rows] == held_out("binary")["answer"].tolist()
    cutoff = made["settings"]["cutoff"]
    assert all((row["predicted"] == "malignant") == (row["positive"] >= cutoff) for row in rows)


def test_the_page_and_the_gate_decide_alike(asked: Path) -> None:
    """Two places hold figures against hurdles; whatever the limits, they must agree."""
    made = json.loads((asked / "output/scorecard.json").read_text())
    from judge import hurdles  # noqa: PLC0415

    for metric in made["metrics"]:
        for limit in ({"at_least": 0.5}, {"at_least": 0.99}, {"at_most": 0.2}, {"at_most": 150}, {}):
            for wanted in ({}, {"beat_baseline": True}, {"beat_champion": True}):
                spec = {"metric": metric, **limit, **wanted}
                document = {**made, "settings": {**made["settings"], "metric": metric, "gate": spec}}
                assert hurdles.passed(document) is gate(made, spec, champion=True).passed, spec


def test_a_positive_class_that_is_none_is_refused() -> None:
    with pytest.raises(BadData, match="the classes are a, b"):
        rules.read({"evaluate": {"positive": "c"}}, ["a", "b"])


def test_the_cheapest_cutoff_needs_costs(tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(
        trained("binary")[0] / "processing", base / "processing", ignore=shutil.ignore_patterns("output")
    )
    (base / "processing/spec").mkdir()
    (base / "processing/spec/project.json").write_text(json.dumps({"evaluate": {"cutoff": "cheapest"}}))
    assert run("evaluate.py", base).returncode == 1
    assert "evaluate.costs says no costs" in (base / "output/message").read_text()
