"""word_vectors: texts in, vectors out; the whole jobs' trees, and the requests of BlazingText."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import inference
import jsonschema
import numpy as np
import pandas as pd
import pytest
from judge import words
from learners import problem as problems
from learners import word_vectors
from learners.errors import BadData

from chalicelib.domain.request_schema import RequestSchema
from tests.training.optml import ROOT, pack, run

ANIMALS, METALS = ("cat", "dog", "horse", "cow"), ("iron", "copper", "silver", "gold")
FARM, MINE = ("eats", "sleeps", "runs", "barn"), ("melts", "shines", "rusts", "ore")
DATASET = {
    "project": "words", "version": 1, "task": "embeddings", "target": "said", "classes": None,
    "columns": [{"name": "said", "role": "text", "format": None}], "rows": {},
}  # fmt: skip


def texts(count: int, seed: int) -> list[str]:
    """Animals do what animals do, and metals what metals do: what stands near what is known."""
    dice = random.Random(seed)
    kinds = ((ANIMALS, FARM), (METALS, MINE))
    made = []
    for _ in range(count):
        things, deeds = dice.choice(kinds)
        made.append(" ".join(dice.choice(things if place % 2 else deeds) for place in range(8)))
    return made


def learnt(rows: list[str], **given: str) -> word_vectors.Model:
    dataset = problems.Dataset.read(DATASET)
    return word_vectors.fit(problems.problem(dataset, {"said": rows}, None), given, lambda _: None)


def test_words_used_alike_lie_together() -> None:
    model = learnt(texts(400, 1), vector_dim="4", min_count="2")
    near = words.nearest(model, model.of(["cat"])[0], ("cat",), 7)
    assert set(near) == {*ANIMALS, *FARM} - {"cat"}


def test_a_word_that_is_not_known_has_zeros_and_capitals_do_not_matter() -> None:
    model = learnt(texts(50, 1), vector_dim="100", min_count="2")
    found = model.of(["Cat", "cat", "platypus"])
    assert found.shape == (3, 100)
    assert (found[0] == found[1]).all()
    assert np.linalg.norm(found[1]) == pytest.approx(1, abs=1e-5)
    assert not found[2].any()


def test_the_same_texts_give_the_same_vectors() -> None:
    assert (learnt(texts(50, 3)).vectors == learnt(texts(50, 3)).vectors).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["", None, " "], "Every text is empty"),
        (["one two three"], "Fewer than two words occur 5 times"),
    ],
)
def test_texts_without_words_to_learn_are_refused(rows: list[Any], said: str) -> None:
    with pytest.raises(BadData, match=said):
        learnt(rows)


def test_vectors_without_a_meaning_are_no_better_than_chance() -> None:
    model = learnt(texts(400, 1), vector_dim="8", min_count="2")
    asked = words.questions(texts(200, 2), {})
    dice = np.random.default_rng(0).permutation(len(model.words))
    shuffled = word_vectors.Model(model.words, model.vectors[dice], model.features)
    good, bad = words.measured(model, asked), words.measured(shuffled, asked)
    assert good["coverage"] == bad["coverage"] == 1
    assert good["neighbour_auc"] > 0.7 > bad["neighbour_auc"]
    ends = words.interval(model, asked, 200, 0.95)
    assert ends is not None
    assert ends["low"] < good["neighbour_auc"] < ends["high"]


def test_pairs_and_analogies_are_counted_honestly() -> None:
    model = learnt(texts(400, 1), vector_dim="8", min_count="2")
    asked = words.questions(
        texts(20, 2),
        {
            "pairs": [["cat", "dog", 9], ["cat", "iron", 1], ["gold", "silver", 8], ["cat", "unheard", 10]],
            "analogies": [["cat", "dog", "unheard", "iron"]],
        },
    )
    found = words.measured(model, asked)
    assert found["rho"] > 0.4  # the strangers are last
    assert found["analogies"] == 0  # an unknown word is a miss
    assert len(words.known_pairs(model, asked)) == 3
    assert "rho" not in words.measured(
        model, words.questions(texts(20, 2), {"pairs": [["cat", "unheard", 1]]})
    )


@cache
def _jobs() -> tuple[Path, str]:
    import tempfile  # noqa: PLC0415

    base = Path(tempfile.mkdtemp(prefix="words-"))
    channels, processing = base / "input/data", base / "processing"
    for side, count, seed in (("train", 300, 1), ("validation", 60, 2), ("test", 120, 3)):
        for place in (channels / side, processing / side):
            place.mkdir(parents=True)
            rows = pd.DataFrame({"_row": range(count), "_source": "a.csv", "said": texts(count, seed)})
            rows.to_parquet(place / "part.parquet", index=False)
    for place in (channels / "dataset", processing / "dataset", processing / "spec"):
        place.mkdir()
    for place in (channels / "dataset", processing / "dataset"):
        (place / "dataset.json").write_text(json.dumps(DATASET))
    spec = {
        "task": "embeddings",
        "evaluate": {"pairs": [["cat", "dog", 9], ["cat", "iron", 1], ["ore", "iron", 8], ["barn", "gold", 2]],
                     "analogies": [["cat", "eats", "iron", "melts"]]},
        "gate": {"metric": "rho", "at_least": 0.1, "beat_baseline": True},
    }  # fmt: skip
    (processing / "spec/project.json").write_text(json.dumps(spec))
    done = run("train.py", base, "--learner", "word_vectors", "--vector_dim", "20", "--project", "words")
    assert done.returncode == 0, done.stderr
    pack(base)
    judged = run("evaluate.py", base)
    assert judged.returncode == 0, judged.stderr
    return base, done.stdout


def test_train_says_what_the_validation_texts_think_and_leaves_the_workshops_file() -> None:
    base, printed = _jobs()
    assert "validation:neighbour_auc=" in printed
    lines = (base / "model/vectors.txt").read_text().splitlines()
    count, size = map(int, lines[0].split())
    assert (count, size) == (len(lines) - 1, 20)
    vector = inference.model_fn(str(base / "model")).model.of([lines[1].split()[0]])[0]
    assert [float(value) for value in lines[1].split()[1:]] == pytest.approx(vector.tolist(), abs=1e-5)


def test_the_scorecard_keeps_its_contract_and_the_report_shows_the_map() -> None:
    base, _ = _jobs()
    out = base / "processing/output"
    card = json.loads((out / "scorecard.json").read_text())
    jsonschema.validate(card, json.loads((ROOT / "statemachine/contracts/scorecard.schema.json").read_text()))
    assert card["metrics"]["neighbour_auc"] > card["baseline"]["metrics"]["neighbour_auc"] + 0.1
    assert card["metrics"]["rho"] > 0.1
    assert card["plots"] == ["word_map.png"]
    page = (out / "report.html").read_text()
    assert "Nearest words" in page
    assert "Good enough" in page
    assert "data:image/png" in page


def test_an_answer_has_the_form_of_blazing_text() -> None:
    base, _ = _jobs()
    model = inference.model_fn(str(base / "model"))
    asked = inference.input_fn('{"instances": ["cat", "awesome", {"said": "dog"}]}')
    body, kind = inference.output_fn(inference.predict_fn(asked, model))
    found = json.loads(body)
    assert kind == "application/json"
    assert [one["word"] for one in found] == ["cat", "awesome", "dog"]
    assert [len(one["vector"]) for one in found] == [20, 20, 20]
    assert any(found[0]["vector"])
    assert not any(found[1]["vector"])


def test_the_probe_is_answered_as_it_was_evaluated_and_the_front_door_takes_words() -> None:
    base, _ = _jobs()
    out = base / "processing/output"
    probe = json.loads((out / "probe.json").read_text())
    model = inference.model_fn(str(base / "model"))
    asked = inference.input_fn(json.dumps(probe["body"]))
    assert inference.predict_fn(asked, model) == probe["predictions"]
    document = json.loads((out / "request.schema.json").read_text())
    schema = RequestSchema(document)
    assert not list(schema.faults(["cat", {"said": "dog"}]))
    assert len(list(schema.faults(["cat", 7]))) == 1
    jsonschema.validate(probe["body"], document)


def test_a_champion_is_judged_by_the_same_texts(tmp_path: Path) -> None:
    base = shutil.copytree(_jobs()[0], tmp_path / "again")
    pack(base, "champion")
    done = run("evaluate.py", base)
    assert done.returncode == 0, done.stderr
    card = json.loads((base / "processing/output/scorecard.json").read_text())
    assert card["champion"]["metrics"] == card["metrics"]
