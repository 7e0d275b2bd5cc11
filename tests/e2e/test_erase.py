"""A record erased on a whole stage: then no version of any object says its key or its text, nor does the ledger."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from penstock.cli.__main__ import main
from tests.e2e.stage import Stage
from tests.training.everything import texts

KEY, TEXT = "person 4711 ü%", "these words were written by one person only"
PROJECT = "forgetful"


def spec(project: str, **more: Any) -> dict[str, Any]:
    """Notes of persons."""
    columns = {"who": "id", "size": "number", "note": "text", "kind": "label"}
    return {
        "project": project, "task": "classification", "columns": columns, "labels": ["a", "b"], "key": "who",
        "learner": {"name": "gradient_boosting", "hyperparameters": {"num_round": 2}},
        "gate": {"at_least": 0.1, "beat_baseline": False, "beat_champion": False}, **more,
    }  # fmt: skip


def rows(first: int, count: int, size: int) -> list[str]:
    """Rows of others."""
    return [f"other-{n},{size + n % 2},note {n % 7},{'ab'[n % 2]}" for n in range(first, first + count)]


def table(*lines: str) -> bytes:
    """A CSV."""
    return "\n".join(["who,size,note,kind", *lines, ""]).encode()


def own(size: str) -> str:
    """The person's row."""
    return f"{KEY},{size},{TEXT},a"


def ask(stage: Stage, method: str, path: str, body: Any = None) -> Any:
    """A document of the API that was taken on."""
    raw = None if body is None else json.dumps(body).encode()
    answer = stage.ask(method, path, raw, content_type="application/json")
    assert answer.status == 202, answer.body
    return answer.document


def carried_out(stage: Stage, asked: dict[str, Any]) -> dict[str, Any]:
    """Wait for the receipt, and for the run that goes on with the rest."""
    project = asked["project"]
    stage.until(lambda: bool(stage.get(asked["url"])["receipt"]), f"erasure {asked['erasure']}")
    told: dict[str, Any] = stage.get(asked["url"])
    stage.until(lambda: stage.get(f"/projects/{project}")["run"] is None, "the run's end")
    return told


def holding(stage: Stage, *words: str) -> set[str]:
    """Objects of which any version says one of these, and items of the ledger."""
    found = {
        key for key, _, text in texts(stage.client("s3"), stage.deployed.bucket) if any(w in text for w in words)
    }  # fmt: skip
    pages = stage.client("dynamodb").get_paginator("scan").paginate(TableName="penstock-local-ledger")
    items = [item for page in pages for item in page["Items"]]
    return found | {str(i["pk"]) for i in items if any(w in json.dumps(i, ensure_ascii=False) for w in words)}


def newest_dataset(stage: Stage, project: str) -> dict[str, Any]:
    """prepare.json of the newest run."""
    run = max(record["run"] for record in stage.runs(project))
    body = (
        stage.client("s3")
        .get_object(Bucket=stage.deployed.bucket, Key=f"runs/{run}/prepare.json")["Body"]
        .read()
    )
    document: dict[str, Any] = json.loads(body)
    return document


@pytest.mark.slow
def test_an_erased_record_is_in_no_object_at_all(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.put_project(spec(PROJECT))
    s3, bucket = stage.client("s3"), stage.deployed.bucket
    first = stage.drop(PROJECT, "a.csv", table(own("4"), *rows(0, 60, 10), own("3"), f"{KEY},many,x,b"))
    stage.settled(PROJECT, {first})
    # The same keys, dropped later: their rows win, whatever is rewritten before them.
    second = stage.drop(PROJECT, "b.csv", table(*rows(0, 60, 50), *rows(60, 20, 10), f"{KEY},huge,{TEXT},c"))
    stage.settled(PROJECT, {first, second})
    request = json.dumps({"captureData": {"endpointInput": {"data": json.dumps({"text": TEXT})}}})
    s3.put_object(Bucket=bucket, Key=f"capture/penstock-local-{PROJECT}/live/x.jsonl", Body=request.encode())
    athena = stage.client("athena")
    query = athena.start_query_execution(
        QueryString=f"SELECT * FROM {PROJECT}_versions", WorkGroup="penstock-local",
        QueryExecutionContext={"Database": "penstock_local"},
    )["QueryExecutionId"]  # fmt: skip
    state = lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"]  # noqa: E731
    stage.until(lambda: state() == "SUCCEEDED", "the query")
    places = {key.split("/")[0] for key in holding(stage, KEY, TEXT)}
    assert places >= {"drop", "lake", "capture", "athena"}

    before = newest_dataset(stage, PROJECT)["rows"]
    asked = ask(stage, "POST", f"/projects/{PROJECT}/erasures", {"keys": [KEY]})
    assert (
        ask(stage, "DELETE", f"/projects/{PROJECT}/records/{quote(KEY, safe='')}")["erasure"]
        == asked["erasure"]
    )
    told = carried_out(stage, asked)

    assert holding(stage, KEY, TEXT) == set()
    receipt = told["receipt"]
    assert receipt["zones"]["drops"]["rows"] == 4
    assert {one["version"] for one in receipt["datasets"]} == {1, 2}
    assert [one["champion"] for one in receipt["models"]] == [True, False]
    assert receipt["unsearched"] == []
    body = s3.get_object(Bucket=bucket, Key=first)["Body"].read()
    assert body == table(*rows(0, 60, 10))
    after = newest_dataset(stage, PROJECT)["rows"]
    assert (before["superseded"], after["superseded"]) == (61, 60)  # one of the rows that went
    assert after["quarantined"] == 0
    sides = ("train", "validation", "test")
    assert sum(after[side] for side in sides) == 80
    verdicts = {
        one["key"]: one["verdict"] for one in stage.objects(PROJECT) if one["verdict"] != "superseded"
    }
    assert verdicts == {first: "prepared", second: "prepared"}

    capsys.readouterr()
    assert main(["--json", "--root", str(stage.root), "erase", PROJECT, KEY, "--yes"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert stage.get(f"/projects/{PROJECT}/erasures")["erasures"] == [again, told]
    stage.until(lambda: stage.get(f"/projects/{PROJECT}")["run"] is None, "the run's end")
    assert again["erasure"] != asked["erasure"]
    assert sum(zone["rows"] for zone in again["receipt"]["zones"].values()) == 0
    assert again["receipt"]["models"] == []
    assert stage.runs(PROJECT)[0]["state"] == "NOTHING"
    assert sum(newest_dataset_rows(stage)) == 80


def newest_dataset_rows(stage: Stage) -> list[int]:
    """Rows of the current dataset's sides, as SQL would see them."""
    folder = f"lake/{PROJECT}/prepared/"
    found = stage.client("s3").list_objects_v2(Bucket=stage.deployed.bucket, Prefix=folder)["Contents"]
    newest = max(one["Key"] for one in found if one["Key"].endswith("dataset.json"))
    body = stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=newest)["Body"].read()
    counts = json.loads(body)["rows"]
    return [counts[side] for side in ("train", "validation", "test")]
