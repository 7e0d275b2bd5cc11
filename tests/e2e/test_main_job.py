"""The main job: drop a file, get a prediction API; and what the API says while there is none."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer

from tests.e2e.stage import Stage

PROJECT = "cancer"


def _csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def breast_cancer() -> list[dict[str, Any]]:
    """scikit-learn's set as rows: thirty numbers and a diagnosis."""
    found = load_breast_cancer()
    names = [name.replace(" ", "_") for name in found.feature_names]
    return [
        dict(zip(names, map(float, values), strict=True)) | {"diagnosis": found.target_names[target]}
        for values, target in zip(found.data, found.target, strict=True)
    ]


def cancer_spec(project: str) -> dict[str, Any]:
    """A spec for that set."""
    columns = {name: "number" for name in breast_cancer()[0] if name != "diagnosis"}
    return {
        "project": project,
        "task": "classification",
        "columns": columns | {"diagnosis": "label"},
        "learner": {"name": "gradient_boosting"},
        "gate": {"metric": "macro_f1", "at_least": 0.8},
    }


@pytest.fixture(scope="module")
def released(stage: Stage) -> Stage:
    """The stage with the breast-cancer model released."""
    stage.put_project(cancer_spec(PROJECT))
    key = stage.drop(PROJECT, "first.csv", _csv(breast_cancer()[:-5]))
    runs = stage.settled(PROJECT, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    return stage


def test_dropped_file_becomes_an_api(released: Stage) -> None:
    """One upload and no other call: rows never seen are answered, with who answered in the headers."""
    rows = [{k: v for k, v in row.items() if k != "diagnosis"} for row in breast_cancer()[-5:]]
    truth = [row["diagnosis"] for row in breast_cancer()[-5:]]
    answer = released.predict(PROJECT, {"instances": rows}, "?probabilities=true")
    assert answer.status == 200, answer.body
    predictions = answer.document["predictions"]
    assert sum(p["prediction"] == t for p, t in zip(predictions, truth, strict=True)) >= 4
    assert all(abs(sum(p["probabilities"].values()) - 1) < 1e-6 for p in predictions)
    assert answer.headers["x-penstock-project"] == PROJECT
    assert answer.headers["x-penstock-model"].startswith(f"{PROJECT}-0001-")
    assert answer.headers["x-penstock-inference-id"]


def test_json_csv_one_and_many_agree(released: Stage) -> None:
    """The same row asked four ways gets one answer."""
    row = {k: v for k, v in breast_cancer()[-1].items() if k != "diagnosis"}
    alone = released.predict(PROJECT, row).document
    many = released.predict(PROJECT, {"instances": [row, row]}).document["predictions"]
    csv_in = released.predict(PROJECT, _csv([row]), content_type="text/csv", accept="application/json")
    csv_out = released.predict(PROJECT, _csv([row]), content_type="text/csv", accept="text/csv")
    assert many == [alone, alone]
    assert csv_in.document["predictions"] == [alone]
    assert csv_out.body.decode().split(",")[0] == alone["prediction"]


def test_endpoint_answers_as_the_api_does(released: Stage) -> None:
    """InvokeEndpoint and POST /predict give the same answer."""
    row = {k: v for k, v in breast_cancer()[-2].items() if k != "diagnosis"}
    direct = released.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"penstock-local-{PROJECT}",
        ContentType="application/json",
        Body=json.dumps({"instances": [row]}),
    )
    answer = released.predict(PROJECT, {"instances": [row]}, "?probabilities=true")
    assert json.loads(direct["Body"].read()) == answer.document


def test_scorecard_and_report_lie_in_the_bucket(released: Stage) -> None:
    """The judgement is there to read, beside the baseline, with a page for people."""
    run = released.runs(PROJECT)[0]["run"]
    get = released.client("s3").get_object
    card = json.loads(
        get(Bucket=released.deployed.bucket, Key=f"runs/{run}/evaluate/scorecard.json")["Body"].read()
    )
    assert card["metrics"]["macro_f1"] > 0.9 > card["baseline"]["metrics"]["macro_f1"]
    page = (
        get(Bucket=released.deployed.bucket, Key=f"runs/{run}/evaluate/report.html")["Body"].read().decode()
    )
    assert "<html" in page
    assert "data:image/png;base64," in page


def test_every_upload_has_a_verdict(released: Stage) -> None:
    """`objects` says of each upload what became of it, row by row."""
    found = [item for item in released.objects(PROJECT) if item["key"].endswith("first.csv")]
    assert [item["verdict"] for item in found] == ["prepared"]
    assert found[0]["rows"] == {"good": 564, "refused": 0, "unlabelled": 0}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/projects/nobody", None, 404),
        ("POST", "/projects/nobody/predict", b"{}", 404),
        ("POST", f"/projects/{PROJECT}/predict", b"{not json", 400),
        ("POST", f"/projects/{PROJECT}/predict", b"", 400),
        ("PUT", "/projects/bad", b'{"project": "bad", "task": "guess", "columns": {}}', 422),
    ],
)
def test_refusals_are_problem_documents(
    released: Stage, method: str, path: str, body: bytes, status: int
) -> None:
    """Every error is RFC 9457, says what is wrong, and carries the request's id."""
    answer = released.ask(method, path, body, content_type="application/json")
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert {"title", "status", "detail", "request_id"} <= set(answer.document)


def test_all_faults_of_a_spec_are_listed_at_once(stage: Stage) -> None:
    """A person mends a spec in one go, not fault by fault."""
    spec = {
        "project": "faulty",
        "task": "guess",
        "columns": {"a": "colour", "b": "number"},
        "gate": {"metric": "luck"},
    }
    answer = stage.ask("PUT", "/projects/faulty", json.dumps(spec).encode(), content_type="application/json")
    assert answer.status == 422
    assert len(answer.document["errors"]) >= 3
