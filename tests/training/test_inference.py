"""inference.py inside a model: the same answers as the learner gives offline, and what it refuses."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import inference
import numpy as np
import pandas as pd
import pytest
from learners import artifact

from tests.training.optml import KINDS, held_out, trained


@functools.cache
def model(kind: str) -> artifact.Artifact:
    return inference.model_fn(str(trained(kind)[0] / "model"))


def ask(
    kind: str, body: Any, content_type: str = "application/json", accept: str = "application/json"
) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    predictions = inference.predict_fn(inference.input_fn(text, content_type), model(kind))
    answer, answer_type = inference.output_fn(predictions, accept)
    return json.loads(answer)["predictions"] if answer_type == "application/json" else answer


def records(kind: str) -> list[dict[str, Any]]:
    names = [feature.name for feature in model(kind).features]
    rows = held_out(kind)[names].astype(object)
    return [
        {name: _json(value) for name, value in row.items() if not pd.isna(value)}
        for row in rows.to_dict("records")
    ]


def offline(kind: str) -> Any:
    rows = held_out(kind)
    columns = {
        name: rows[name].to_numpy() if rows[name].dtype.kind in "fM" else rows[name].tolist() for name in rows
    }
    return model(kind).model.predict(columns, len(rows))


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


@pytest.mark.parametrize("kind", KINDS)
def test_answers_exactly_as_the_learner_does_offline(kind: str) -> None:
    """Golden: the same rows, all at once and one by one, over JSON and offline."""
    expected = offline(kind)
    rows = records(kind)
    assert len(rows) >= 50
    one_by_one = [ask(kind, {"instances": [row]})[0] for row in rows]
    assert ask(kind, {"instances": rows}) == one_by_one
    classes = model(kind).classes
    if classes is None:
        assert [answer["prediction"] for answer in one_by_one] == expected.tolist()
        return
    assert [list(answer["probabilities"].values()) for answer in one_by_one] == expected.tolist()
    assert [answer["prediction"] for answer in one_by_one] == [classes[k] for k in expected.argmax(axis=1)]
    assert [answer["score"] for answer in one_by_one] == expected.max(axis=1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_csv_answers_as_json_does(kind: str) -> None:
    rows = records(kind)[:20]
    names = [feature.name for feature in model(kind).features]
    expected = ask(kind, {"instances": rows})
    bare, headed = io.StringIO(), io.StringIO()
    csv.writer(headed).writerow(reversed(names))
    for row in rows:
        csv.writer(bare).writerow([row.get(name, "") for name in names])
        csv.writer(headed).writerow([row.get(name, "") for name in reversed(names)])
    assert ask(kind, bare.getvalue(), "text/csv; charset=utf-8") == expected
    assert ask(kind, "\ufeff" + headed.getvalue(), "text/csv") == expected  # as spreadsheets write it
    assert ask(kind, headed.getvalue(), "text/csv") == expected


def test_the_packed_code_answers_in_a_process_that_has_nothing_else_of_ours(tmp_path: Path) -> None:
    base, _ = trained("binary")
    row = records("binary")[0]
    program = (
        "import sys, json; sys.path.insert(0, sys.argv[1] + '/code'); import inference;"
        "m = inference.model_fn(sys.argv[1]);"
        "print(inference.output_fn(inference.predict_fn(inference.input_fn(sys.argv[2], 'application/json'), m))[0]);"
        "assert not {'sklearn', 'pandas', 'container', 'tables', 'pyarrow'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(base / "model"), json.dumps(row)],
        env={**os.environ, "SAGEMAKER_PROGRAM": "inference.py"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"] == ask("binary", row)


def test_bare_records_and_extra_keys() -> None:
    row = records("binary")[1]
    expected = ask("binary", {"instances": [row]})
    assert ask("binary", row) == expected
    assert ask("binary", {**row, "colour": {"of": "hair"}, "answer": "benign"}) == expected
    assert ask("binary", [row, row]) == expected * 2


def test_missing_null_and_empty_are_one() -> None:
    row = {"mean radius": 14.2}
    empty = {"clinic": None, "mean texture": " ", "mean smoothness": float("nan")}
    assert ask("binary", row) == ask("binary", {**row, **empty})


def test_an_unseen_category_is_a_missing_value() -> None:
    row = records("binary")[1]
    assert ask("binary", {**row, "clinic": "on the moon"}) == ask("binary", {**row, "clinic": None})


def test_numbers_may_be_text() -> None:
    row = records("binary")[1]
    assert ask("binary", {**row, "mean radius": f" {row['mean radius']} "}) == ask("binary", row)


def test_text_stands_for_the_first_text_column() -> None:
    assert ask("texts", {"text": "number of instances"}) == ask("texts", {"line": "number of instances"})
    assert (
        ask("texts", {"instances": [{"text": "petal"}]})[0]["prediction"]
        == ask("texts", {"line": "petal"})[0]["prediction"]
    )


def test_csv_answer_is_one_line_a_row() -> None:
    rows = records("binary")[:2]
    expected = ask("binary", {"instances": rows})
    lines = ask("binary", {"instances": rows}, accept="text/csv").splitlines()
    assert lines == [f"{answer['prediction']},{answer['score']}" for answer in expected]
    assert float(ask("numbers", records("numbers")[0], accept="text/csv")) > 0


def test_every_value_that_cannot_be_used_is_named() -> None:
    row = records("binary")[0]
    bad = {
        "mean radius": "wide",
        "mean texture": [1],
        "clinic": {"a": 1},
        "seen": "yesterday",
        "mean smoothness": 1e999,
    }
    with pytest.raises(Exception, match="5 value") as caught:
        ask("binary", {"instances": [row, {**row, **bad}]})
    assert getattr(caught.value, "status", None) == 400
    faults = caught.value.detail["faults"]  # type: ignore[attr-defined]
    assert {fault["column"] for fault in faults} == set(bad)
    assert {fault["instance"] for fault in faults} == {1}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("[]", "application/json", 400),
        ('{"instances": []}', "application/json", 400),
        ('{"instances": [1]}', "application/json", 400),
        ("7", "application/json", 400),
        ('{"colour": "red"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ("1,2\n", "text/csv", 400),
        ("", "text/csv", 400),
        ("mean radius,clinic\n", "text/csv", 400),
        ('"open', "text/csv", 400),
        ("<a/>", "application/xml", 415),
    ],
)
def test_requests_at_fault_are_refused_with_a_status(
    body: str | bytes, content_type: str, status: int
) -> None:
    with pytest.raises(Exception, match=r"\w") as caught:
        ask("binary", body, content_type)
    assert getattr(caught.value, "status", None) == status
    json.dumps(caught.value.detail)  # type: ignore[attr-defined]


def test_an_accept_we_do_not_write_is_406() -> None:
    with pytest.raises(Exception, match="image/png") as caught:
        ask("binary", records("binary")[0], accept="image/png")
    assert getattr(caught.value, "status", None) == 406
    assert ask("binary", records("binary")[0], accept="image/png, */*;q=0.1")


def test_an_altered_model_is_not_served(tmp_path: Path) -> None:
    source = trained("binary")[0] / "model"
    for path in source.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.ubj").write_bytes((source / "model.ubj").read_bytes() + b" ")
    with pytest.raises(Exception, match=r"Not as training left them: model\.ubj"):
        inference.model_fn(str(tmp_path))


def test_probabilities_sum_to_one() -> None:
    for kind in ("binary", "classes", "texts"):
        np.testing.assert_allclose(offline(kind).sum(axis=1), 1, rtol=1e-6)
