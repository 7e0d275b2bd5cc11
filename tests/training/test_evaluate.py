"""evaluate.py as SageMaker starts it: a processing job's tree in, scorecard, report, plots and probe out."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import inference
import jsonschema
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from tests.training.optml import KINDS, ROOT, evaluated, fill, frame, held_out, pack, run, trained

SCHEMA = json.loads((ROOT / "statemachine/contracts/scorecard.schema.json").read_text())


def card(kind: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((evaluated(kind)[0] / "scorecard.json").read_text())
    return document


def copied(kind: str, base: Path) -> Path:
    shutil.copytree(
        trained(kind)[0] / "processing", base / "processing", ignore=shutil.ignore_patterns("output")
    )
    return base


@pytest.mark.parametrize("kind", KINDS)
def test_the_scorecard_keeps_its_contract(kind: str) -> None:
    jsonschema.validate(card(kind), SCHEMA)
    assert (card(kind)["project"], card(kind)["run"]) == (kind, f"{kind}-0001-x")
    assert card(kind)["rows"]["test"] == len(held_out(kind))
    assert card(kind)["champion"] is None


def test_the_figures_are_those_of_the_test_rows() -> None:
    document = card("binary")
    model = inference.model_fn(str(trained("binary")[0] / "model"))
    rows = held_out("binary")
    names = [feature.name for feature in model.features]
    records = [
        {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in row.items()
            if not pd.isna(value)
        }
        for row in rows[names].astype(object).to_dict("records")
    ]
    said = inference.predict_fn(records, model)
    right = [answer["prediction"] for answer in said]
    positive = document["classes"][1]
    assert document["metrics"]["accuracy"] == pytest.approx(
        theirs.accuracy_score(rows["answer"], right), abs=1e-6
    )
    area = theirs.roc_auc_score(
        rows["answer"] == positive, [answer["probabilities"][positive] for answer in said]
    )
    assert document["metrics"]["auc"] == pytest.approx(area, abs=1e-6)
    expected = theirs.confusion_matrix(rows["answer"], right, labels=document["classes"])
    assert document["confusion_matrix"] == expected.tolist()
    assert sum(row["support"] for row in document["per_class"]) == len(rows)


def test_the_baseline_is_trained_on_train() -> None:
    numbers = card("numbers")
    mean = pd.read_parquet(trained("numbers")[0] / "processing/train")["answer"].mean()
    rmse = float(np.sqrt(np.mean((held_out("numbers")["answer"] - mean) ** 2)))
    assert numbers["baseline"]["name"] == "mean"
    assert numbers["baseline"]["metrics"]["rmse"] == pytest.approx(rmse, abs=1e-5)
    assert card("classes")["baseline"]["metrics"]["auc"] == 0.5


def test_columns_that_were_left_out_are_looked_at_too() -> None:
    found = {row["column"]: row for row in card("binary")["leakage"]}
    assert {"patient", "size after surgery", "clinic", "seen"} <= set(found)
    assert found["size after surgery"]["flagged"]
    assert found["size after surgery"]["verdict"].startswith("left out, rightly")
    assert not found["patient"]["flagged"]
    assert not {"answer", "_row", "_source"} & set(found)


def test_a_used_leak_is_loud(tmp_path: Path) -> None:
    made, document = frame("binary")
    made["size after surgery"] = made["size after surgery"].astype(float)
    for column in document["columns"]:
        if column["name"] == "size after surgery":
            column["role"] = "number"
    fill(tmp_path, made, document)
    assert run("train.py", tmp_path, "--n_estimators", "5").returncode == 0
    pack(tmp_path)
    done = run("evaluate.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: size after surgery: LEAK?" in done.stdout
    assert (
        '<tr class="leak"><td class=name>size after surgery'
        in (tmp_path / "processing/output/report.html").read_text()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_probe_is_answered_as_the_endpoint_will(kind: str) -> None:
    probe = json.loads((evaluated(kind)[0] / "probe.json").read_text())
    model = inference.model_fn(str(trained(kind)[0] / "model"))
    assert 1 <= len(probe["body"]["instances"]) <= 5
    request = inference.input_fn(json.dumps(probe["body"]), probe["content_type"])
    answer, _ = inference.output_fn(inference.predict_fn(request, model))
    assert json.loads(answer)["predictions"] == probe["predictions"]


def test_the_champion_is_scored_on_the_same_rows(tmp_path: Path) -> None:
    base = copied("binary", tmp_path)
    shutil.copytree(base / "processing/model", base / "processing/champion")
    done = run("evaluate.py", base)
    assert done.returncode == 0, done.stderr
    document = json.loads((base / "processing/output/scorecard.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["champion"]["metrics"] == document["metrics"]
    assert "As good as the released model" in (base / "processing/output/report.html").read_text()


def test_a_champion_that_fails_is_a_warning_and_can_be_replaced(tmp_path: Path) -> None:
    """Whatever it raises: its files are whole, but its code of today cannot read them."""
    base = copied("binary", tmp_path)
    champion = base / "processing/champion"
    shutil.copytree(trained("binary")[0] / "model", champion)
    about = json.loads((champion / "manifest.json").read_text())
    name = next(name for name in about["files"] if name.endswith(".json") and name != "request.schema.json")
    (champion / name).write_text("[]")
    about["files"][name] = hashlib.sha256(b"[]").hexdigest()
    (champion / "manifest.json").write_text(json.dumps(about))
    done = run("evaluate.py", base)
    assert done.returncode == 0, done.stderr
    document = json.loads((base / "processing/output/scorecard.json").read_text())
    assert document["champion"] is None
    assert any("The champion could not be scored" in warning for warning in document["warnings"])


def test_a_champion_of_another_task_is_a_warning(tmp_path: Path) -> None:
    base = copied("binary", tmp_path)
    shutil.copytree(trained("numbers")[0] / "processing/model", base / "processing/champion")
    assert run("evaluate.py", base).returncode == 0
    document = json.loads((base / "processing/output/scorecard.json").read_text())
    assert document["champion"] is None
    assert any("The champion could not be scored" in warning for warning in document["warnings"])


def test_says_what_is_missing(tmp_path: Path) -> None:
    done = run("evaluate.py", tmp_path)
    assert done.returncode == 1
    assert (
        tmp_path / "output/message"
    ).read_text() == "BadData: The job needs the input model: name it in ProcessingInputs."


def test_refuses_a_model_of_other_data(tmp_path: Path) -> None:
    base = copied("binary", tmp_path)
    shutil.copy(
        trained("classes")[0] / "processing/model/model.tar.gz", base / "processing/model/model.tar.gz"
    )
    assert run("evaluate.py", base).returncode == 1
    assert "evaluate it on the dataset version it was trained on" in (base / "output/message").read_text()


def test_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    base = copied("binary", tmp_path)
    with tarfile.open(base / "processing/model/model.tar.gz", "w:gz") as packed:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 1
        packed.addfile(entry, io.BytesIO(b"x"))
    assert run("evaluate.py", base).returncode == 1
    assert "model.tar.gz cannot be unpacked" in (base / "output/message").read_text()
    assert not list(tmp_path.rglob("escaped"))


def test_metrics_go_to_cloudwatch(tmp_path: Path, aws_environment: dict[str, str], aws: Any) -> None:
    base = copied("numbers", tmp_path)
    named = {"PENSTOCK_STAGE": "local", "PENSTOCK_PROJECT": "numbers", "PENSTOCK_RUN": "numbers-0001-x"}
    done = run(
        "evaluate.py", base, **named, **{k: v for k, v in aws_environment.items() if k.startswith("AWS_")}
    )
    assert "warning: metrics not put" not in done.stdout
    listed = aws("cloudwatch").list_metrics(Namespace="Penstock")["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {"rmse", "mae", "r2"}
    dimensions = {(d["Name"], d["Value"]) for metric in listed for d in metric["Dimensions"]}
    assert dimensions == {("Project", "numbers"), ("Stage", "local")}


def test_cloudwatch_out_of_reach_is_said_and_no_failure(tmp_path: Path) -> None:
    base = copied("numbers", tmp_path)
    done = run(
        "evaluate.py",
        base,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    assert "warning: metrics not put to CloudWatch: EndpointConnectionError" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_front_door_gets_the_models_own_request_schema(kind: str) -> None:
    """What the model itself has, with each column's role and the classes beside it; the probe keeps to it."""
    written = json.loads((evaluated(kind)[0] / "request.schema.json").read_text())
    model = inference.model_fn(str(trained(kind)[0] / "model"))
    assert [feature["name"] for feature in written["x-features"]] == [
        feature.name for feature in model.features
    ]
    assert written["x-classes"] == model.classes
    jsonschema.validate(json.loads((evaluated(kind)[0] / "probe.json").read_text())["body"], written)
