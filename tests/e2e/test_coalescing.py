"""One upload, one run: however often its event comes, and however many files come at once."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec


def _sequencer(stage: Stage, project: str) -> str:
    """The order S3 gave the project's only upload, as the ledger keeps it."""
    found = stage.client("dynamodb").query(
        TableName="penstock-local-ledger",
        KeyConditionExpression="pk = :project",
        ExpressionAttributeValues={":project": {"S": f"OBJECTS#{project}"}},
    )
    [item] = found["Items"]
    return str(item["sequencer"]["S"])


@pytest.mark.slow
def test_same_event_fifty_times_is_one_run(stage: Stage) -> None:
    """EventBridge delivers at least once: fifty deliveries of one event, many at a time, start one run."""
    project = "repeated"
    stage.put_project(cancer_spec(project))
    key = stage.drop(project, "once.csv", _csv(breast_cancer()))
    head = stage.client("s3").head_object(Bucket=stage.deployed.bucket, Key=key)
    stage.until(lambda: bool(stage.objects(project)), "the first event")
    sequencer = _sequencer(stage, project)
    event = {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000001",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": "2026-11-21T07:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{stage.deployed.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": stage.deployed.bucket},
            "object": {
                "key": key,
                "size": head["ContentLength"],
                "etag": head["ETag"].strip('"'),
                "version-id": head["VersionId"],
                "sequencer": sequencer,
            },
            "reason": "PutObject",
        },
    }
    payload = json.dumps(event).encode()
    function = stage.client("lambda")

    def deliver(_: int) -> str | None:
        answer = function.invoke(FunctionName="penstock-local-ingest", Payload=payload)
        failed: str | None = answer.get("FunctionError")
        return failed

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, range(50))) == {None}
    assert len(stage.settled(project, {key})) == 1
    assert len(stage.objects(project)) == 1
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, range(50))) == {None}
    assert len(stage.settled(project, {key})) == 1


def test_twenty_files_at_once_are_two_runs_at_most(stage: Stage) -> None:
    """A burst costs two runs, not twenty, and every row of it is in the last dataset."""
    project = "burst"
    stage.put_project(cancer_spec(project))
    rows = breast_cancer()
    random.Random(7).shuffle(rows)
    parts = [rows[start::20] for start in range(20)]
    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(lambda n: stage.drop(project, f"part-{n:02}.csv", _csv(parts[n])), range(20)))
    runs = stage.settled(project, keys)
    assert len(runs) <= 2, runs
    assert {item["verdict"] for item in stage.objects(project)} == {"prepared"}
    assert sum(item["rows"]["good"] for item in stage.objects(project)) == len(rows)
    last = stage.client("s3").get_object(
        Bucket=stage.deployed.bucket, Key=f"runs/{runs[-1]['run']}/prepare.json"
    )
    counted = json.loads(last["Body"].read())["rows"]
    assert counted["train"] + counted["validation"] + counted["test"] == len(rows)
