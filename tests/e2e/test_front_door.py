"""The front door of a deployed stage: the workshop's requests, every status, batches, variants, feedback."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.e2e.stage import Answer, Stage

ROOT = Path(__file__).parents[2]
PROJECT = "moods"
GOOD = ("great", "love", "excellent", "wonderful", "happy", "best")
BAD = ("bad", "hate", "awful", "terrible", "sad", "worst")
FILLING = ("service", "really", "day", "experience", "it", "was", "this", "that")
EMPTY_TEXT = "Invalid input. The text key can not be empty."


def moods(count: int, seed: int = 7) -> list[tuple[str, str]]:
    """Sentences of filling words, names so that no two sentences are nearly the same, and two that say the mood."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        words, label = ((GOOD, "Positive"), (BAD, "Negative"))[number % 2]
        names = [f"guest{draw.randrange(500)}" for _ in range(5)]
        said = [*draw.choices(FILLING, k=4), *names, *draw.choices(words, k=2)]
        draw.shuffle(said)
        rows.append((" ".join(said), label))
    return rows


def spec(project: str) -> dict[str, Any]:
    """A small text classification whose requests are all captured."""
    return {
        "project": project,
        "task": "classification",
        "columns": {"body": "text", "mood": "label"},
        "learner": {"name": "text_forest", "hyperparameters": {"n_estimators": 20}},
        "gate": {"beat_champion": False},
        "watch": {"capture_percent": 100},
    }


def as_csv(rows: list[tuple[str, str]]) -> bytes:
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(["body", "mood"])
    write.writerows(rows)
    return out.getvalue().encode()


@pytest.fixture(scope="module")
def door(stage: Stage) -> Stage:
    """The stage with a model that tells moods."""
    stage.put_project(spec(PROJECT))
    key = stage.drop(PROJECT, "rows.csv", as_csv(moods(240)))
    runs = stage.settled(PROJECT, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    return stage


def problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    found: dict[str, Any] = answer.document
    return found


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


def test_rows_that_do_not_fit_are_uploaded_and_scored(door: Stage) -> None:
    """The way a 413 names: a link, a PUT, and a batch that tells of every row."""
    rows = moods(1000, seed=3)
    lines = [json.dumps({"body": text, "id": number}) for number, (text, _) in enumerate(rows)]
    lines[17], lines[500] = "{", json.dumps({"body": 5})
    content = "\n".join(lines).encode()
    asked = {
        "name": "many.jsonl",
        "size": len(content),
        "folder": "score",
        "content_type": "application/jsonlines",
    }
    link = door.ask(
        "POST", f"/projects/{PROJECT}/uploads", json.dumps(asked).encode(), content_type="application/json"
    )
    assert link.status == 201, link.body
    told = link.document
    put = urllib3.request("PUT", told["url"], body=content, headers=told["headers"])
    assert put.status == 200, put.data
    body = json.dumps({"key": told["key"]}).encode()
    accepted = door.ask("POST", f"/projects/{PROJECT}/batch", body, content_type="application/json")
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
    door.until(lambda: name in captured(door), "the captured request")
    assert selected(door, f"SELECT truth FROM feedback WHERE inference_id = '{name}'") == [["Negative"]]


def captured(stage: Stage) -> str:
    s3, bucket = stage.client("s3"), stage.deployed.bucket
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"capture/penstock-local-{PROJECT}/").get("Contents", [])
    return "".join(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode() for one in found)


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


def test_the_api_describes_itself(door: Stage) -> None:
    document = door.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert "/projects/{project}/predict" in document["paths"]


# ── Several models, and bad ones ──────────────────────────────────────────────────────────────────────────────────
BAD_MODELS = {
    "fails": "raise ValueError('the model file is empty')",
    "garbage": "return b'<html>oops', 'text/html'",
    "short": "return b'{\"predictions\": []}', 'application/json'",
    "refuses": "import time\n    return b'no', 'text/plain', 503",
}


def install(stage: Stage, name: str, code: str) -> str:
    """A model of our own behind the project's endpoint; answers its configuration's name."""
    source = f"def model_fn(model_dir):\n    return 1\n\ndef transform_fn(model, data, kind, accept):\n    {code}\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(source)
        archive.addfile(entry, io.BytesIO(textwrap.dedent(source).encode()))
    bucket, key = stage.deployed.bucket, f"models/{PROJECT}/{name}/model.tar.gz"
    stage.client("s3").put_object(Bucket=bucket, Key=key, Body=packed.getvalue())
    sagemaker = stage.client("sagemaker")
    known = sagemaker.describe_model(ModelName=model_in(stage))
    image = known["PrimaryContainer"]["Image"]
    environment = known["PrimaryContainer"]["Environment"]
    config = f"penstock-local-{PROJECT}-{name}"
    container = {"Image": image, "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": environment}
    sagemaker.create_model(
        ModelName=config, PrimaryContainer=container, ExecutionRoleArn=known["ExecutionRoleArn"]
    )
    variant = {
        "VariantName": "live",
        "ModelName": config,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    return config


def model_in(stage: Stage) -> str:
    return str(stage.get(f"/projects/{PROJECT}/endpoint")["released"])


def serve(stage: Stage, config: str) -> None:
    """Move the endpoint, and wait until it has."""
    sagemaker, name = stage.client("sagemaker"), f"penstock-local-{PROJECT}"
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)

    def there() -> bool:
        found = sagemaker.describe_endpoint(EndpointName=name)
        return bool(found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == config)

    stage.until(there, f"{name} serving {config}")


@pytest.mark.slow
def test_a_bad_model_is_the_models_fault_and_the_alarm_sees_it(door: Stage) -> None:
    released = model_in(door)
    expected = {"fails": 502, "garbage": 502, "short": 502, "refuses": 503}
    for name, code in BAD_MODELS.items():
        serve(door, install(door, name, code))
        for body in ({"text": "x"}, {"instances": [{"body": "x"}] * 500}):
            told = problem(door.predict(PROJECT, body), expected[name])
            assert "Traceback" not in told["detail"]
            assert "opt/ml" not in told["detail"]
    alarm = "penstock-local-callers-get-errors"
    watch = door.client("cloudwatch")
    errors = watch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]
    seen = watch.get_metric_statistics(
        Namespace=errors["Namespace"], MetricName=errors["MetricName"], Dimensions=errors["Dimensions"],
        StartTime="2020-01-01T00:00:00Z", EndTime="2040-01-01T00:00:00Z", Period=3600, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    assert sum(one["Sum"] for one in seen) >= 8
    serve(door, released)
    assert door.predict(PROJECT, {"text": "love"}).status == 200


SIZES = {
    "one row": lambda: {"text": "x"},
    "1 MB": lambda: {"instances": [{"body": "x" * 1000}] * 1000},
    "just fits": lambda: {"instances": [{"body": "x" * 100_000}] * 52},
    "above the door's limit": lambda: {"text": "x" * (5 << 20)},
    "above Lambda's": lambda: {"text": "x" * (6 << 20)},
    "above API Gateway's": lambda: {"text": "x" * (10 << 20)},
}
FITS = ("one row", "1 MB", "just fits")
WORKS = """import json
    asked = json.loads(data)
    answers = [{"prediction": "Positive", "score": 1.0}] * len(asked.get("instances", [0]))
    return json.dumps({"predictions": answers}), accept"""
HUGE = 'return \'{"predictions": [{"prediction": "\' + "x" * 6_000_000 + \'"}]}\', "application/json"'
SLOW = "import time\n    time.sleep(60)"
GRID = {  # a model → the status of what fits, by the table of docs/steps/predict.md
    "works": (WORKS, {"one row": 200, "1 MB": 200, "just fits": 200}),
    "raises": (BAD_MODELS["fails"], {"one row": 502, "1 MB": 502, "just fits": 502}),
    "answers-too-much": (HUGE, {"one row": 413}),
    "sleeps": (SLOW, {"one row": 504}),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", GRID)
def test_every_size_meets_every_model_as_the_table_says(door: Stage, model: str) -> None:
    """Nothing hangs, nothing is HTML, nothing is a bare 500."""
    released = model_in(door)
    code, fitting = GRID[model]
    serve(door, install(door, model, code))
    for size, body in SIZES.items():
        if size in FITS and size not in fitting:
            continue
        answer = door.predict(PROJECT, body())
        if fitting.get(size, 413) == 200:
            assert answer.status == 200, (size, answer.body[:300])
        else:
            told = problem(answer, fitting.get(size, 413))
            assert told["status"] == 413 or size in FITS
            assert told["status"] != 413 or "batch" in told["detail"]
    serve(door, released)


@pytest.mark.slow
def test_make_load_compares_two_modes_and_leaves_the_endpoint_as_it_was(door: Stage) -> None:
    released = model_in(door)
    shutil.copytree(ROOT / "loadtest", door.root / "loadtest")
    command = [
        sys.executable,
        "-m",
        "penstock.cli",
        "load",
        "smoke",
        "--compare",
        "batching",
        "--project",
        PROJECT,
    ]
    done = subprocess.run(
        [*command, "--root", str(door.root), "--", "--run-time", "3s", "--max-p95-ms", "60000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = (door.root / ".penstock" / "load").glob("*/compared.json")
    runs = json.loads(report.read_text())["runs"]
    assert [run["name"] for run in runs] == ["batching off", "batching on"]
    assert all(run["requests"] > run["failures"] == 0 for run in runs)
    assert in_service(door, released)


@pytest.mark.slow
def test_an_endpoint_that_is_away_is_a_503_and_can_be_woken(door: Stage) -> None:
    released = model_in(door)
    assert door.ask("DELETE", f"/projects/{PROJECT}/endpoint").status == 200
    door.until(lambda: door.ask("GET", f"/projects/{PROJECT}/endpoint").status == 404, "the endpoint gone")
    away = door.predict(PROJECT, {"text": "love"})
    problem(away, 503)
    assert away.headers["retry-after"]
    woken = door.ask("PUT", f"/projects/{PROJECT}/endpoint", b"{}", content_type="application/json")
    assert woken.status == 202, woken.body
    problem(door.predict(PROJECT, {"text": "love"}), 503)
    door.until(lambda: in_service(door, released), "the endpoint again")
    assert door.predict(PROJECT, {"text": "love"}).status == 200


@pytest.mark.slow
def test_two_models_share_and_callers_stay_with_theirs(door: Stage) -> None:
    key = door.drop(PROJECT, "more.csv", as_csv(moods(120, seed=11)))
    runs = door.settled(PROJECT, {key})
    assert runs[-1]["state"] == "SUCCEEDED", runs[-1]
    first, second = runs[0]["run"], runs[-1]["run"]
    body = json.dumps({"variants": {second: 0.7, first: 0.3}}).encode()
    answer = door.ask("PUT", f"/projects/{PROJECT}/endpoint", body, content_type="application/json")
    assert answer.status == 202, answer.body
    door.until(lambda: in_service(door, answer.document["config"]), "both models")
    seen: dict[str, set[str]] = {}
    for _ in range(3):
        for caller in range(40):
            told = door.predict(PROJECT, {"text": "love"}, x_penstock_caller=f"caller-{caller}")
            assert told.status == 200, told.body
            seen.setdefault(f"caller-{caller}", set()).add(told.headers["x-penstock-model"])
    assert all(len(models) == 1 for models in seen.values())
    assert {model for models in seen.values() for model in models} == {first, second}
    named = door.predict(PROJECT, {"text": "love"}, x_penstock_variant=first)
    assert named.headers["x-penstock-model"] == first
    shadow = json.dumps({"shadow": {"model": first, "sample": 0.5}}).encode()
    answer = door.ask("PUT", f"/projects/{PROJECT}/endpoint", shadow, content_type="application/json")
    door.until(lambda: in_service(door, answer.document["config"]), "the shadow")
    assert door.predict(PROJECT, {"text": "love"}).headers["x-penstock-model"] == second


def in_service(stage: Stage, config: str) -> bool:
    told = stage.get(f"/projects/{PROJECT}/endpoint")
    return bool(told["status"] == "InService" and told["config"] == config)
