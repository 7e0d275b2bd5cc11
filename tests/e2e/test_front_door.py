"""The front door of a deployed stage: the workshop's requests, every status, batches, feedback."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.e2e.moods import PROJECT, as_csv, captured, model_in, moods, problem
from tests.e2e.stage import Answer, Stage

EMPTY_TEXT = "Invalid input. The text key can not be empty."


def test_the_workshops_curl(door: Stage) -> None:
    answer = door.predict(PROJECT, {"text": "That was a great experience, I love it"})
    assert answer.status == 200, answer.body
    assert answer.document.keys() == {"prediction", "score"}
    assert answer.document["prediction"] == "Positive"
    assert 0 < answer.document["score"] <= 1
    for name in ("project", "model", "variant", "inference-id"):
        assert answer.headers[f"x-penstock-{name}"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"text": ""}', {}, 400),
        (b'{"text": ', {}, 400),
        (b"", {}, 400),
        (b"{}", {}, 422),
        (b'{"tekst": "x"}', {}, 422),
        (b'{"text": 5}', {}, 422),
        (b"7", {}, 422),
        (b'{"instances": [{"body": "x"}, {"body": []}]}', {}, 422),
        (b"<a/>", {"content_type": "application/xml"}, 415),
        (b'{"text": "x"}', {"accept": "text/html"}, 406),
        (b'{"text": "x"}', {"x_penstock_variant": "nobody"}, 404),
        (b'{"text": "' + b"x" * (5 << 20) + b'"}', {}, 413),
        (b'{"text": "\\ud800"}', {}, 400),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_wrong_question_gets_its_status(
    door: Stage, body: bytes, headers: dict[str, str], status: int
) -> None:
    told = problem(door.predict(PROJECT, body, **headers), status)
    assert told["request_id"]
    assert (told.get("error") == EMPTY_TEXT) == (body == b'{"text": ""}')


def test_methods_and_addresses_that_are_none(door: Stage) -> None:
    answer = door.ask("GET", f"/projects/{PROJECT}/predict")
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    problem(door.ask("PATCH", "/projects", b"{}"), 405)
    assert "no such address" in problem(door.ask("GET", "/nowhere"), 404)["title"]
    head = door.ask("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")


def test_csv_batches_and_probabilities(door: Stage) -> None:
    rows = moods(300, seed=9)
    body = as_csv(rows).replace(b"body,mood", b"body,_")
    answer = door.predict(PROJECT, body, content_type="text/csv", accept="text/csv")
    told = list(csv.reader(io.StringIO(answer.body.decode())))
    assert len(told) == 300
    assert sum(line[0] == label for line, (_, label) in zip(told, rows, strict=True)) > 290
    every = door.predict(PROJECT, {"instances": [{"body": "love"}]}, "?probabilities=true").document
    assert sum(every["predictions"][0]["probabilities"].values()) == pytest.approx(1)


def test_the_models_schema_can_be_asked_for(door: Stage) -> None:
    schema = door.get(f"/projects/{PROJECT}/schema")
    assert schema["properties"]["instances"]["items"]["properties"].keys() == {"body"}


GOLDEN = [
    "That was a great experience!",
    "I HATE this. Worst day",
    "@airline http://t.co/x1 #love \N{SMILING FACE WITH HEART-SHAPED EYES} &amp; happy",
    "ärgerlich, naïve\tcafé\n",
    "nothing that was ever seen",
    "great " * 2000,
    "1 2 3",
]
OFFLINE = """
import json, sys
import inference
asked = json.load(sys.stdin)
rows = inference.input_fn(json.dumps(asked), "application/json")
print(json.dumps(inference.predict_fn(rows, inference.model_fn(sys.argv[1]))))
"""


def test_golden_texts_get_the_same_answer_offline_from_the_endpoint_and_from_the_api(
    door: Stage, tmp_path: Path
) -> None:
    """The artefact's own code, run here on its own, is what the endpoint runs: one preprocessing, one class map."""
    bucket, _, key = door.get(f"/projects/{PROJECT}")["champion"]["artifact_uri"][5:].partition("/")
    packed = door.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path, filter="data")
    asked = json.dumps({"instances": [{"body": text} for text in GOLDEN]})
    command = [sys.executable, "-c", OFFLINE, str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path / "code", input=asked, capture_output=True, text=True, check=True
    )
    offline = json.loads(done.stdout)
    direct = door.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"penstock-local-{PROJECT}", ContentType="application/json", Body=asked
    )
    online = door.predict(PROJECT, asked.encode(), "?probabilities=true").document
    assert json.loads(direct["Body"].read()) == online
    assert [one["prediction"] for one in offline] == [one["prediction"] for one in online["predictions"]]
    for here, there in zip(offline, online["predictions"], strict=True):
        assert here["probabilities"] == pytest.approx(there["probabilities"], abs=1e-9)
    assert {offline[0]["prediction"], offline[1]["prediction"]} == {"Positive", "Negative"}


def test_rows_that_do_not_fit_are_uploaded_and_scored(door: Stage) -> None:
    """The way a 413 names, taken by its words: a link, a PUT, and a batch that tells of every row."""
    rows = moods(1000, seed=3)
    records: list[Any] = [
        {"body": text, "id": number, "notes": "x" * 5300} for number, (text, _) in enumerate(rows)
    ]
    refused = problem(door.predict(PROJECT, {"instances": records}), 413)
    to_link, to_batch = re.findall(r"POST (/projects/{project}/\w+)", refused["detail"])
    records[500] = {"body": 5}
    lines = [json.dumps(record) for record in records]
    lines[17] = "{"
    content = "\n".join(lines).encode()
    asked = {"name": "many.jsonl", "size": len(content), "folder": "score", "content_type": "text/plain"}
    link = tell(door, to_link, asked)
    assert link.status == 201, link.body
    told = link.document
    put = urllib3.request("PUT", told["url"], body=content, headers=told["headers"])
    assert put.status == 200, put.data
    accepted = tell(door, to_batch, {"key": told["key"]})
    assert accepted.status == 202, accepted.body
    batch = finished(door, accepted.headers["location"])
    assert (batch["status"], batch["rows"]) == (
        "done",
        {"read": 1000, "refused": 2, "sent": 998, "answered": 998},
    )
    answers = [json.loads(line) for line in fetched(batch["links"]["answers"])]
    assert [one["id"] for one in answers] == [number for number in range(1000) if number not in (17, 500)]
    right = sum(one["SageMakerOutput"]["prediction"] == rows[one["id"]][1] for one in answers)
    assert right > 970
    assert [json.loads(line)["row"] for line in fetched(batch["links"]["errors"])] == [18, 501]


def test_a_drop_below_score_is_scored_and_never_learnt_from(door: Stage) -> None:
    runs = len(door.runs(PROJECT))
    key = door.drop(PROJECT, "score/rows.csv", as_csv(moods(50, seed=4)))
    door.until(lambda: bool(batches(door) - {"many"}) and any_done(door, key), "the batch of the drop")
    assert len(door.runs(PROJECT)) == runs
    assert all(item["key"] != key for item in door.objects(PROJECT))


@pytest.mark.slow
def test_ten_files_are_ten_batches_with_as_many_answers_as_rows(door: Stage) -> None:
    wanted = {
        door.drop(PROJECT, f"score/part-{number}.csv", as_csv(moods(20 + number, seed=number))): 20 + number
        for number in range(10)
    }

    def answered() -> dict[str, int]:
        told = [door.get(f"/batch/{one}") for one in batches(door)]
        return {one["key"]: one["rows"]["answered"] for one in told if one["status"] == "done"}

    door.until(lambda: wanted.items() <= answered().items(), "ten batches")


def tell(stage: Stage, path: str, document: Any) -> Answer:
    """POST JSON to an address of the project."""
    body = json.dumps(document).encode()
    return stage.ask("POST", path.format(project=PROJECT), body, content_type="application/json")


def batches(stage: Stage) -> set[str]:
    return {one["id"] for one in stage.get(f"/projects/{PROJECT}/batch")["batches"]}


def any_done(stage: Stage, key: str) -> bool:
    told = [stage.get(f"/batch/{one}") for one in batches(stage)]
    return any(
        one["key"] == key and one["status"] == "done" and one["rows"]["answered"] == 50 for one in told
    )


def finished(stage: Stage, address: str) -> dict[str, Any]:
    stage.until(lambda: stage.get(address)["status"] in {"done", "failed", "refused"}, f"batch {address}")
    found: dict[str, Any] = stage.get(address)
    return found


def fetched(url: str) -> list[bytes]:
    answer = urllib3.request("GET", url)
    assert answer.status == 200, answer.data
    return answer.data.splitlines()


def test_rows_in_the_request_are_a_batch_too(door: Stage) -> None:
    body = json.dumps({"instances": [{"body": "love it"}, {"body": "hate it"}, {"x": 1}]}).encode()
    accepted = door.ask("POST", f"/projects/{PROJECT}/batch", body, content_type="application/json")
    batch = finished(door, accepted.headers["location"])
    assert batch["rows"] == {"read": 3, "refused": 1, "sent": 2, "answered": 2}


def test_feedback_joins_what_was_asked(door: Stage) -> None:
    """In SQL: the truth of a prediction; in the capture: its request under the same id."""
    asked = door.predict(PROJECT, {"text": "a terrible day"})
    name = asked.headers["x-penstock-inference-id"]
    body = json.dumps({"inference_id": name, "truth": "Negative"}).encode()
    told = door.ask("POST", f"/projects/{PROJECT}/feedback", body, content_type="application/json")
    assert told.status == 201, told.body
    wrong = json.dumps({"inference_id": name, "truth": "Angry"}).encode()
    wrong_told = door.ask("POST", f"/projects/{PROJECT}/feedback", wrong, content_type="application/json")
    assert problem(wrong_told, 422)["errors"][0]["where"] == "truth"
    door.advance(60)  # what is captured is written once a minute
    door.until(lambda: name in captured(door), "the captured request")
    assert selected(door, f"SELECT truth FROM feedback WHERE inference_id = '{name}'") == [["Negative"]]


def selected(stage: Stage, sql: str) -> list[list[str]]:
    athena = stage.client("athena")
    asked = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext={"Database": "penstock_local"}, WorkGroup="penstock-local"
    )["QueryExecutionId"]

    def state() -> str:
        return str(athena.get_query_execution(QueryExecutionId=asked)["QueryExecution"]["Status"]["State"])

    stage.until(lambda: state() in {"SUCCEEDED", "FAILED"}, "the query")
    rows = athena.get_query_results(QueryExecutionId=asked)["ResultSet"]["Rows"][1:]
    return [[cell["VarCharValue"] for cell in row["Data"]] for row in rows]


def test_the_endpoints_own_doors_ask_the_function_that_may(door: Stage) -> None:
    """What the function refuses is told by the API as its own; the champion alone is what answers already."""
    path, kind = f"/projects/{PROJECT}/endpoint", {"content_type": "application/json"}
    told = problem(door.ask("PUT", path, b'{"variants": {"nobody": 1}}', **kind), 422)
    assert told["errors"] == [
        {"where": "variants.nobody", "problem": "is no registered model of this project"}
    ]
    answer = door.ask("PUT", path, b"{}", **kind)
    assert (answer.status, answer.document["config"]) == (202, model_in(door))
    assert door.get(path)["weights"] == {"live": 1.0}


def test_the_api_describes_itself(door: Stage) -> None:
    document = door.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert "/projects/{project}/predict" in document["paths"]
