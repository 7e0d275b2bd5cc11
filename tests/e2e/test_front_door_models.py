"""Several models behind the front door, bad ones, slow ones and none: what callers see, and what is counted of it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.moods import PROJECT, as_csv, captured, model_in, moods, problem, spec
from tests.e2e.stage import Stage

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BAD_MODELS = {  # their code, and the status callers get
    "fails": ("raise ValueError('the model file is empty')", 502),
    "garbage": ("return b'<html>oops', 'text/html'", 502),
    "short": ("return b'{\"predictions\": []}', 'application/json'", 502),
    "refuses": ("return b'no', 'text/plain', 503", 503),
}
SLOW = "import time\n    time.sleep(60)"


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


def serve(stage: Stage, config: str) -> None:
    """Move the endpoint, and wait until it has."""
    sagemaker, name = stage.client("sagemaker"), f"penstock-local-{PROJECT}"
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)

    def there() -> bool:
        found = sagemaker.describe_endpoint(EndpointName=name)
        return bool(found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == config)

    stage.until(there, f"{name} serving {config}")


def test_the_alarm_goes_off_while_callers_get_errors_and_somebody_is_told(door: Stage) -> None:
    """It asks for errors in two of three minutes: the model fails until then."""
    door.until(lambda: state_of_alarm(door) == "OK", "no alarm, after the errors of other tests")
    released, heard = model_in(door), hearing(door)
    serve(door, install(door, "fails-for-long", BAD_MODELS["fails"][0]))

    def gone_off() -> bool:
        problem(door.predict(PROJECT, {"text": "x"}), 502)
        return state_of_alarm(door) == "ALARM"

    door.until(gone_off, "the alarm")
    assert any(ALARM in message for message in heard())
    serve(door, released)
    assert door.predict(PROJECT, {"text": "love"}).status == 200


def test_a_bad_model_is_the_models_fault_and_the_metric_counts_what_callers_see(door: Stage) -> None:
    """Statuses and counts, model by model; to Lambda each of these answers is a success."""
    released, function = model_in(door), [{"Name": "FunctionName", "Value": "penstock-local"}]
    failed = counted(door, "AWS/Lambda", "Errors", function)
    for name, (code, status) in {**BAD_MODELS, "sleeps": (SLOW, 504)}.items():
        serve(door, install(door, name, code))
        before = counted(door, **watched(door))
        bodies = [{"text": "x"}, {"instances": [{"body": "x"}] * 500}][: 1 if name == "sleeps" else 2]
        for body in bodies:
            told = problem(door.predict(PROJECT, body), status)
            assert "Traceback" not in told["detail"]
            assert "opt/ml" not in told["detail"]
        wanted = before + len(bodies)
        door.until(lambda wanted=wanted: counted(door, **watched(door)) == wanted, f"the count of {name}")
    assert counted(door, "AWS/Lambda", "Errors", function) == failed
    serve(door, released)
    assert door.predict(PROJECT, {"text": "love"}).status == 200


ALARM = "penstock-local-callers-get-errors"


def alarm(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = stage.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"][0]
    return found


def state_of_alarm(stage: Stage) -> str:
    return str(alarm(stage)["StateValue"])


def watched(stage: Stage) -> dict[str, Any]:
    """The metric the alarm watches."""
    known = alarm(stage)
    return {
        "namespace": known["Namespace"],
        "metric": known["MetricName"],
        "dimensions": known["Dimensions"],
    }


def counted(stage: Stage, namespace: str, metric: str, dimensions: list[dict[str, str]]) -> float:
    """The sum of a metric since the stage began."""
    seen = stage.client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=metric, Dimensions=dimensions, StartTime="2020-01-01T00:00:00Z",
        EndTime="2040-01-01T00:00:00Z", Period=86_400, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    return float(sum(one["Sum"] for one in seen))


def hearing(stage: Stage) -> Callable[[], list[str]]:
    """What is said on the stage's topic from now on."""
    sqs, sns = stage.client("sqs"), stage.client("sns")
    queue = sqs.create_queue(QueueName="hears-alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    (topic,) = alarm(stage)["AlarmActions"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def messages() -> list[str]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        return [one["Body"] for one in found.get("Messages", [])]

    return messages


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
GRID = {  # a model → the status of what fits, by the table of docs/steps/predict.md
    "works": (WORKS, {"one row": 200, "1 MB": 200, "just fits": 200}),
    "raises": (BAD_MODELS["fails"][0], {"one row": 502, "1 MB": 502, "just fits": 502}),
    "garbage": (BAD_MODELS["garbage"][0], {"one row": 502, "1 MB": 502, "just fits": 502}),
    "busy": ("return b'', 'text/plain', 429", {"one row": 429, "1 MB": 429, "just fits": 429}),
    "dies": ("import os\n    os._exit(1)", {"one row": 503}),
    "answers-too-much": (HUGE, {"one row": 413}),
    "takes-its-time": (f"import time\n    time.sleep(5)\n    {WORKS}", {"one row": 200, "just fits": 200}),
    "sleeps": (SLOW, {"one row": 504, "just fits": 504}),
}


@pytest.mark.parametrize("model", GRID)
def test_every_size_meets_every_model_as_the_table_says(door: Stage, model: str) -> None:
    """Nothing hangs, nothing is HTML, nothing is a bare 500."""
    released = model_in(door)
    code, fitting = GRID[model]
    serve(door, install(door, f"grid-{model}", code))
    for size, body in SIZES.items():
        if size in FITS and size not in fitting:
            continue
        answer = door.predict(PROJECT, body())
        if fitting.get(size, 413) == 200:
            assert answer.status == 200, (size, answer.body[:300])
        else:
            told = problem(answer, fitting.get(size, 413))
            assert told["status"] == 413 or size in FITS
            assert told["status"] not in (413, 504) or "batch" in told["detail"] + told["title"]
            assert (told["status"] in (429, 503)) == ("retry-after" in answer.headers)
    serve(door, released)


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


def test_two_models_share_and_callers_stay_with_theirs(door: Stage) -> None:
    """The second is released with the first as its shadow; then both answer, by weights that are changed in place."""
    first = door.runs(PROJECT)[0]["run"]
    door.put_project({**spec(PROJECT), "release": {"shadow": {"sample": 1}}})
    key = door.drop(PROJECT, "more.csv", as_csv(moods(120, seed=11)))
    runs = door.settled(PROJECT, {key})
    assert runs[-1]["state"] == "SUCCEEDED", runs[-1]
    second = runs[-1]["run"]
    compared(door)
    config = share(door, {"variants": {second: 0.7, first: 0.3}})
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
    assert share(door, {"variants": {second: 0, first: 1}}) == config
    door.until(lambda: weights(door) == {"live": 0.0, first: 1.0}, "the weights")
    everybody = {f"caller-{caller}" for caller in range(10)}
    told = [door.predict(PROJECT, {"text": "love"}, x_penstock_caller=one) for one in everybody]
    assert {one.headers["x-penstock-model"] for one in told} == {first}
    share(door, {"shadow": {"model": first, "sample": 1}})
    compared(door)
    assert door.predict(PROJECT, {"text": "love"}).headers["x-penstock-model"] == second
    share(door, {})
    sagemaker = door.client("sagemaker")
    found = sagemaker.describe_endpoint(EndpointName=f"penstock-local-{PROJECT}")
    assert [one["VariantName"] for one in found["ProductionVariants"]] == ["live"]
    assert not found.get("ShadowProductionVariants")


def share(stage: Stage, wanted: dict[str, Any]) -> str:
    """What answers from now on; returns the configuration once it is in service."""
    body = json.dumps(wanted).encode()
    answer = stage.ask("PUT", f"/projects/{PROJECT}/endpoint", body, content_type="application/json")
    assert answer.status == 202, answer.body
    config = str(answer.document["config"])
    stage.until(lambda: in_service(stage, config), f"{config} in service")
    return config


def weights(stage: Stage) -> dict[str, float]:
    found: dict[str, float] = stage.get(f"/projects/{PROJECT}/endpoint")["weights"]
    return found


def compared(stage: Stage) -> None:
    """A request is captured twice under its id: as the caller was answered, and as the shadow answered."""
    name = stage.predict(PROJECT, {"text": "love"}).headers["x-penstock-inference-id"]

    def both() -> bool:
        stage.advance(60)  # what is captured is written once a minute
        return name in captured(stage, "live") and name in captured(stage, "shadow")

    stage.until(both, "both answers")


def in_service(stage: Stage, config: str) -> bool:
    told = stage.get(f"/projects/{PROJECT}/endpoint")
    return bool(told["status"] == "InService" and told["config"] == config)
