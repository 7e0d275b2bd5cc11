"""A subscription to the stage's topic hears once of each stage of a run, and once of its end."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

STAGES = ["prepare", "train", "evaluate", "gate", "register", "release", "report"]


def subscription(stage: Stage, project: str) -> str:
    """A queue that hears what a filter policy lets through: this project's messages."""
    sqs, sns = stage.client("sqs"), stage.client("sns")
    queue: str = sqs.create_queue(QueueName=f"hears-{project}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    [topic] = [
        one["TopicArn"]
        for one in sns.list_topics()["Topics"]
        if one["TopicArn"].endswith(":penstock-local-notices")
    ]
    policy = json.dumps({"project": [project]})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
    return queue


def heard(stage: Stage, queue: str, messages: list[dict[str, Any]]) -> list[str]:
    """Take what has come into the queue; the stages of all messages so far."""
    sqs = stage.client("sqs")
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for one in found:
            messages.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    return [message["MessageAttributes"]["stage"]["Value"] for message in messages]


def test_one_message_a_stage_and_run(stage: Stage) -> None:
    """However often the event of what a job left is delivered again."""
    project = "heard"
    stage.put_project(cancer_spec(project))
    queue, messages = subscription(stage, project), list[dict[str, Any]]()
    key = stage.drop(project, "all.csv", _csv(breast_cancer()))
    [run] = stage.settled(project, {key})
    assert run["state"] == "SUCCEEDED", run
    stage.until(lambda: len(heard(stage, queue, messages)) >= len(STAGES), "a message of each stage")
    assert Counter(heard(stage, queue, messages)) == Counter(STAGES)
    s3, document = stage.client("s3"), f"runs/{run['run']}/prepare.json"
    again = s3.get_object(Bucket=stage.deployed.bucket, Key=document)["Body"].read()
    s3.put_object(Bucket=stage.deployed.bucket, Key=document, Body=again)  # as a second attempt would
    stage.until(lambda: told_before(stage), "the second event's answer in the log")
    assert Counter(heard(stage, queue, messages)) == Counter(STAGES)
    by_stage = {one["MessageAttributes"]["stage"]["Value"]: one for one in messages}
    assert by_stage["prepare"]["Subject"] == f"Penstock: {run['run']} prepare prepared"
    assert "Objects: prepared 1" in by_stage["prepare"]["Message"]
    assert by_stage["train"]["MessageAttributes"]["outcome"]["Value"] == "trained"
    assert "Rows: train" in by_stage["train"]["Message"]


def told_before(stage: Stage) -> bool:
    """Whether the function says that it has met a stage for the second time."""
    found = stage.client("logs").filter_log_events(
        logGroupName="/aws/lambda/penstock-local-notice", filterPattern='"told before"'
    )
    return bool(found["events"])
