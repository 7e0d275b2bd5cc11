"""The smaller ports on MiniStack: what the steps rely on in S3, Step Functions, SNS and SSM."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest

from chalicelib.adapters.files import S3Files
from chalicelib.adapters.s3 import S3Documents
from chalicelib.adapters.scheduler import EventBridgeSchedules
from chalicelib.adapters.sns import SnsNotices
from chalicelib.adapters.ssm import read_parameter
from chalicelib.adapters.stepfunctions import StepFunctionsWorkflow
from chalicelib.errors import BadUpload, JobFailed, Misconfigured
from chalicelib.settings import load, parameter_name
from chalicelib.wiring import _SIGNED

Clients = Callable[[str], Any]
WAITING = {"StartAt": "Hold", "States": {"Hold": {"Type": "Wait", "Seconds": 600, "End": True}}}


@pytest.fixture
def bucket(client: Clients) -> str:
    """A bucket of this test's own."""
    name = f"penstock-{uuid.uuid4().hex}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def workflow(client: Clients) -> StepFunctionsWorkflow:
    """A machine whose executions run until they are stopped."""
    made = client("stepfunctions").create_state_machine(
        name=f"m-{uuid.uuid4().hex}",
        definition=json.dumps(WAITING),
        roleArn="arn:aws:iam::000000000000:role/machine",
    )
    return StepFunctionsWorkflow(client("stepfunctions"), made["stateMachineArn"])


def test_a_document_is_read_as_written(client: Clients, bucket: str) -> None:
    documents = S3Documents(client("s3"), bucket)
    uri, document = f"s3://{bucket}/runs/r/a b+ö.json", {"a": 0.1234567890123, "b": ["ö", None]}
    assert documents.read(uri) is None
    documents.write(uri, document)
    assert documents.read(uri) == document


def test_what_is_not_json_is_a_failed_job(client: Clients, bucket: str) -> None:
    client("s3").put_object(Bucket=bucket, Key="x.json", Body=b"<a/>")
    with pytest.raises(JobFailed, match="not JSON"):
        S3Documents(client("s3"), bucket).read(f"s3://{bucket}/x.json")


def test_what_is_removed_is_gone_however_much_it_is(client: Clients, bucket: str) -> None:
    """More than one request's worth; what is not there is no trouble."""
    documents = S3Documents(client("s3"), bucket)
    for name in ("a", "b+ö"):
        documents.write(f"s3://{bucket}/lake/{name}", {})
    documents.remove(["lake/a", *(f"lake/absent-{place}" for place in range(1000))])
    assert [one.key for one in documents.listing("lake/")] == ["lake/b+ö"]
    documents.remove(["lake/b+ö"])
    documents.remove([])
    assert list(documents.listing("lake/")) == []


def test_a_listing_shows_what_an_event_would(client: Clients, bucket: str) -> None:
    put = client("s3").put_object(Bucket=bucket, Key="drop/churn/a b+ö#.csv", Body=b"123")
    client("s3").put_object(Bucket=bucket, Key="drop/churner/x.csv", Body=b"123")
    (listed,) = S3Documents(client("s3"), bucket).listing("drop/churn/")
    assert (listed.key, listed.etag, listed.size) == ("drop/churn/a b+ö#.csv", put["ETag"].strip('"'), 3)
    assert listed.modified.tzinfo is not None


def test_starting_an_execution_twice_is_starting_it_once(workflow: StepFunctionsWorkflow) -> None:
    document = {"project": "churn", "run": "churn-0001-x", "attempt": 1}
    assert workflow.status("churn-0001-x-1") == "MISSING"
    workflow.start("churn-0001-x-1", document)
    workflow.start("churn-0001-x-1", dict(reversed(document.items())))
    assert workflow.status("churn-0001-x-1") == "RUNNING"


def test_an_execution_that_has_ended_is_not_started_again(
    client: Clients, workflow: StepFunctionsWorkflow
) -> None:
    workflow.start("churn-0001-x-1", {"attempt": 1})
    client("stepfunctions").stop_execution(executionArn=workflow.arn("churn-0001-x-1"))
    workflow.start("churn-0001-x-1", {"attempt": 1})
    assert workflow.status("churn-0001-x-1") == "ABORTED"


def test_a_notice_reaches_a_subscriber(client: Clients) -> None:
    topic = client("sns").create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    url = client("sqs").create_queue(QueueName=f"q-{uuid.uuid4().hex}")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    SnsNotices(client("sns"), topic).send("S" * 200, "all is well", {"project": "churn"})
    (message,) = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    body = json.loads(message["Body"])
    assert (body["Message"], len(body["Subject"])) == ("all is well", 100)
    assert body["MessageAttributes"]["project"]["Value"] == "churn"


def test_settings_say_everything_that_is_missing_at_once(client: Clients) -> None:
    ssm = client("ssm")

    def read(name: str) -> str:
        return read_parameter(ssm, name)

    with pytest.raises(Misconfigured, match="there is no such parameter"):
        load({"PENSTOCK_STAGE": "nowhere"}, read)
    document = {"stage": "halfway", "bucket": "b", "images": {"sklearn": "x"}}
    ssm.put_parameter(Name=parameter_name("halfway"), Value=json.dumps(document), Type="String")
    with pytest.raises(
        Misconfigured, match=r"missing table, machine_arn, .*images\.xgboost, images\.pytorch"
    ):
        load({"PENSTOCK_STAGE": "halfway"}, read)
    with pytest.raises(Misconfigured, match="PENSTOCK_STAGE is not set"):
        load({}, read)


def test_a_schedule_is_made_changed_left_alone_and_removed(client: Clients) -> None:
    """Setting it as it is changes nothing, or a rate would begin anew with every PUT of the spec."""
    scheduler = client("scheduler")
    role = "arn:aws:iam::000000000000:role/penstock-test-schedule"
    function = "arn:aws:lambda:us-east-1:000000000000:function:penstock-test-recur"
    schedules = EventBridgeSchedules(scheduler, "test", function, role)
    name = "penstock-test-project-churn-retrain"
    schedules.remove("churn", "retrain")
    schedules.set("churn", "retrain", "rate(1 day)")
    made = scheduler.get_schedule(Name=name)
    assert json.loads(made["Target"]["Input"]) == {"project": "churn", "kind": "retrain"}
    schedules.set("churn", "retrain", "rate(1 day)")
    assert scheduler.get_schedule(Name=name)["LastModificationDate"] == made["LastModificationDate"]
    schedules.set("churn", "retrain", "cron(0 2 * * ? *)")
    assert scheduler.get_schedule(Name=name)["ScheduleExpression"] == "cron(0 2 * * ? *)"
    schedules.remove("churn", "retrain")
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name=name)


def test_files_are_put_fetched_counted_and_linked_to(client: Clients, bucket: str) -> None:
    files = S3Files(client("s3"), bucket)
    assert files.head("a") is None
    assert files.lines("a", 100) is None
    files.put("a", b"1\n2\n3")
    assert files.lines("a", 100) == 3
    assert files.lines("a", 4) is None
    stored = files.head("a")
    assert stored is not None
    assert stored.size == 5
    with files.fetch("a", 5) as copy:
        assert copy.read() == b"1\n2\n3"
    for key, most in (("a", 4), ("b", 100)):
        with pytest.raises(BadUpload), files.fetch(key, most):
            pass


def test_a_link_takes_what_was_signed_and_no_other_size(endpoint_url: str, bucket: str) -> None:
    """As wiring signs: size and type are among what the signature covers."""
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    s3 = session.create_client("s3", region_name="us-east-1", endpoint_url=endpoint_url, config=_SIGNED)
    asked = parse_qs(urlsplit(S3Files(s3, bucket).upload("drop/p/a ö.csv", "text/csv", 5, 60)).query)
    assert asked["X-Amz-SignedHeaders"] == ["content-length;content-type;host"]
    assert asked["X-Amz-Expires"] == ["60"]
