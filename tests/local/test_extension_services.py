"""What Chalice, CloudFormation and S3 events need of the embedded AWS, over HTTP as their clients use it."""

import importlib.util
import io
import json
import urllib.error
import urllib.request
import uuid
import zipfile
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until

ROLE = "arn:aws:iam::000000000000:role/anything"
HANDLER = """
import json, os
def handler(event, context):
    print("called", flush=True)
    return {"statusCode": 200, "headers": {"X-Seen": event.get("path", "")}, "body": json.dumps(VALUE)}
"""


def archive(value: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("app.py", HANDLER.replace("VALUE", str(value)))
    return content.getvalue()


def make_function(aws: EmbeddedAws, name: str, value: int = 1) -> dict[str, Any]:
    made: dict[str, Any] = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": archive(value)},
    )
    return made


def document(function_arn: str, *paths: str) -> bytes:
    """A document as Chalice sends it (chalice/deploy/swagger.py), cut to what matters."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    integration = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": uri,
        "passthroughBehavior": "when_no_match",
    }
    operation = {"responses": {}, "x-amazon-apigateway-integration": integration}
    return json.dumps(
        {
            "swagger": "2.0",
            "info": {"version": "1.0", "title": "penstock"},
            "schemes": ["https"],
            "paths": {path: {"get": operation} for path in paths},
            "x-amazon-apigateway-binary-media-types": ["image/*"],
        }
    ).encode()


CHATTY = """
import sys
def handler(event, context):
    for number in range(event["lines"]):
        print("line", number)
    sys.stderr.write("no newline at the end")
    if event.get("fail"):
        raise ValueError("on purpose")
"""


@pytest.mark.parametrize("event", [{"lines": 0}, {"lines": 500}, {"lines": 3, "fail": True}])
def test_a_functions_lines_are_all_in_its_log_and_nothing_else(
    embedded_aws: EmbeddedAws, event: dict[str, Any]
) -> None:
    name = f"chatty-{uuid.uuid4().hex[:8]}"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("app.py", CHATTY)
    embedded_aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": content.getvalue()},
    )
    for _ in range(2):
        embedded_aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].close()
    logs = embedded_aws.client("logs")
    expected = [*(f"line {number}" for number in range(event["lines"])), "no newline at the end"]
    streams = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert len(streams) == 2
    for stream in streams:
        events = logs.get_log_events(
            logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"]
        )["events"]
        assert [line["message"] for line in events][1:-2][: len(expected)] == expected
        assert not any("\x1e" in line["message"] for line in events)


def get(aws: EmbeddedAws, api: str, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"{aws.endpoint_url}/restapis/{api}/api/_user_request_{path}") as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_function_is_active_in_the_answer_that_made_it(embedded_aws: EmbeddedAws) -> None:
    assert make_function(embedded_aws, "active")["State"] == "Active"
    updated = embedded_aws.client("lambda").update_function_code(FunctionName="active", ZipFile=archive(2))
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "Successful")
    configured = embedded_aws.client("lambda").update_function_configuration(
        FunctionName="active", MemorySize=256
    )
    assert (configured["State"], configured["LastUpdateStatus"]) == ("Active", "Successful")


def test_an_imported_api_answers_and_is_replaced_in_place(embedded_aws: EmbeddedAws) -> None:
    gateway = embedded_aws.client("apigateway")
    arn = make_function(embedded_aws, "behind-an-api")["FunctionArn"]
    made = gateway.import_rest_api(
        body=document(arn, "/one", "/two/{id}"), parameters={"endpointConfigurationTypes": "EDGE"}
    )
    assert made["name"] == "penstock"
    assert made["endpointConfiguration"]["types"] == ["EDGE"]
    assert made["binaryMediaTypes"] == ["image/*"]
    gateway.create_deployment(restApiId=made["id"], stageName="api")
    assert get(embedded_aws, made["id"], "/two/3") == (200, b"1")

    gateway.put_rest_api(restApiId=made["id"], mode="overwrite", body=document(arn, "/one", "/three"))
    gateway.create_deployment(restApiId=made["id"], stageName="api")
    assert get(embedded_aws, made["id"], "/three")[0] == 200
    assert get(embedded_aws, made["id"], "/two/3")[0] in (403, 404)
    paths = {item["path"] for item in gateway.get_resources(restApiId=made["id"])["items"]}
    assert paths == {"/", "/one", "/three"}

    gateway.put_rest_api(restApiId=made["id"], mode="merge", body=document(arn, "/four"))
    paths = {item["path"] for item in gateway.get_resources(restApiId=made["id"])["items"]}
    assert paths == {"/", "/one", "/three", "/four"}


def test_what_is_not_a_document_is_refused(embedded_aws: EmbeddedAws) -> None:
    gateway = embedded_aws.client("apigateway")
    with pytest.raises(gateway.exceptions.BadRequestException, match="API document"):
        gateway.import_rest_api(body=b"swagger: no")
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.put_rest_api(restApiId="nothing", mode="overwrite", body=b"{}")


def bucket_with_events(aws: EmbeddedAws, versioning: bool) -> tuple[str, str]:
    """A bucket that sends its events to EventBridge, and a queue that gets them."""
    name = f"events-{uuid.uuid4().hex[:12]}"
    s3, events, sqs = aws.client("s3"), aws.client("events"), aws.client("sqs")
    s3.create_bucket(Bucket=name)
    if versioning:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return name, queue


def received(aws: EmbeddedAws, queue: str, count: int) -> list[dict[str, Any]]:
    """That many events, in the order in which they happened."""
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        answer = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
        return len(found) >= count

    until(enough)
    return sorted(found, key=lambda event: str(event["detail"]["object"]["sequencer"]))


def test_events_of_a_versioned_bucket_name_the_version(embedded_aws: EmbeddedAws) -> None:
    bucket, queue = bucket_with_events(embedded_aws, versioning=True)
    s3 = embedded_aws.client("s3")
    put = s3.put_object(Bucket=bucket, Key="drop/a b/é.csv", Body=b"123")
    marker = s3.delete_object(Bucket=bucket, Key="drop/a b/é.csv")
    s3.delete_object(Bucket=bucket, Key="drop/a b/é.csv", VersionId=put["VersionId"])
    created, marked, deleted = received(embedded_aws, queue, 3)
    assert created["detail-type"] == "Object Created"
    assert created["detail"]["object"] == {
        "key": "drop/a b/é.csv",
        "size": 3,
        "etag": put["ETag"].strip('"'),
        "sequencer": created["detail"]["object"]["sequencer"],
        "version-id": put["VersionId"],
    }
    assert created["detail"]["reason"] == "PutObject"
    assert marked["detail-type"] == deleted["detail-type"] == "Object Deleted"
    assert (marked["detail"]["deletion-type"], marked["detail"]["reason"]) == (
        "Delete Marker Created",
        "DeleteObject",
    )
    assert marked["detail"]["object"]["version-id"] == marker["VersionId"]
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted"
    assert deleted["detail"]["object"]["version-id"] == put["VersionId"]
    assert "size" not in deleted["detail"]["object"]


def test_events_of_an_unversioned_bucket_name_none(embedded_aws: EmbeddedAws) -> None:
    bucket, queue = bucket_with_events(embedded_aws, versioning=False)
    embedded_aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")
    (created,) = received(embedded_aws, queue, 1)
    assert "version-id" not in created["detail"]["object"]


def test_a_stack_keeps_lifecycles_and_run_limits(embedded_aws: EmbeddedAws) -> None:
    cloudformation = embedded_aws.client("cloudformation")
    name = f"stack-{uuid.uuid4().hex[:12]}"
    rule = {"Id": "old", "Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 2}
    bucket = {"BucketName": name, "LifecycleConfiguration": {"Rules": [rule]}}
    job = {
        "Name": name,
        "Role": ROLE,
        "Command": {"Name": "pythonshell", "ScriptLocation": "s3://x/y.py"},
        "ExecutionProperty": {"MaxConcurrentRuns": 20},
    }
    template = {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket},
            "Job": {"Type": "AWS::Glue::Job", "Properties": job},
        }
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    until(lambda: status() == "CREATE_COMPLETE")
    rules = embedded_aws.client("s3").get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert rules == [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 2}}
    ]
    made = embedded_aws.client("glue").get_job(JobName=name)["Job"]
    assert made["ExecutionProperty"] == {"MaxConcurrentRuns": 20}

    del bucket["LifecycleConfiguration"], job["ExecutionProperty"]
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(template))
    until(lambda: status() == "UPDATE_COMPLETE")
    with pytest.raises(
        embedded_aws.client("s3").exceptions.ClientError, match="NoSuchLifecycleConfiguration"
    ):
        embedded_aws.client("s3").get_bucket_lifecycle_configuration(Bucket=name)
    assert embedded_aws.client("glue").get_job(JobName=name)["Job"]["ExecutionProperty"] == {
        "MaxConcurrentRuns": 1
    }


def test_executions_are_counted_where_alarms_look(embedded_aws: EmbeddedAws) -> None:
    states, cloudwatch = embedded_aws.client("stepfunctions"), embedded_aws.client("cloudwatch")
    definition = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Because"}}}
    arn = states.create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    begun = states.start_execution(stateMachineArn=arn)["executionArn"]
    until(lambda: states.describe_execution(executionArn=begun)["status"] == "FAILED")
    listed = cloudwatch.list_metrics(
        Namespace="AWS/States", Dimensions=[{"Name": "StateMachineArn", "Value": arn}]
    )
    assert {"ExecutionsStarted", "ExecutionsFailed", "ExecutionTime"} <= {
        metric["MetricName"] for metric in listed["Metrics"]
    }


SCRIPT = """
import os, sys
import extra
print("arguments:", sys.argv[1:])
if "--fail" in sys.argv:
    sys.exit("BadUpload: nothing here to learn from")
"""


def test_a_glue_job_really_runs_and_a_machine_gets_its_reason(embedded_aws: EmbeddedAws) -> None:
    name = f"glue-{uuid.uuid4().hex[:12]}"
    s3, glue, states = (embedded_aws.client(service) for service in ("s3", "glue", "stepfunctions"))
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="code/prepare.py", Body=SCRIPT.encode())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("extra.py", "")
    s3.put_object(Bucket=name, Key="code/training.zip", Body=content.getvalue())
    glue.create_job(
        Name=name,
        Role=ROLE,
        Command={"Name": "pythonshell", "ScriptLocation": f"s3://{name}/code/prepare.py"},
        DefaultArguments={"--extra-py-files": f"s3://{name}/code/training.zip"},
    )
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Prepare",
        "States": {
            "Prepare": {
                "Type": "Task",
                "Resource": "arn:aws:states:::glue:startJobRun.sync",
                "Arguments": {"JobName": name, "Arguments": "{% $states.input %}"},
                "End": True,
            }
        },
    }
    machine = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)[
        "stateMachineArn"
    ]

    def run(arguments: dict[str, str]) -> dict[str, Any]:
        begun = states.start_execution(stateMachineArn=machine, input=json.dumps(arguments))["executionArn"]
        until(lambda: states.describe_execution(executionArn=begun)["status"] != "RUNNING", seconds=60)
        described: dict[str, Any] = states.describe_execution(executionArn=begun)
        return described

    good = run({"--project": "churn"})
    assert good["status"] == "SUCCEEDED", good.get("cause")
    assert json.loads(good["output"])["JobRunState"] == "SUCCEEDED"
    bad = run({"--fail": "now"})
    assert bad["error"] == "States.TaskFailed"
    assert json.loads(bad["cause"])["ErrorMessage"] == "BadUpload: nothing here to learn from"


@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is not None, reason="PySpark is here: the script would run"
)
@pytest.mark.parametrize("imported", ["pyspark.sql", "awsglue.context"])
def test_a_script_that_needs_spark_says_so(embedded_aws: EmbeddedAws, imported: str) -> None:
    """A glueetl job runs whatever Python it is; one that imports Spark fails with what to do about it."""
    name = f"spark-{uuid.uuid4().hex[:12]}"
    s3, glue = embedded_aws.client("s3"), embedded_aws.client("glue")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="job.py", Body=f"import {imported}".encode())
    glue.create_job(
        Name=name,
        Role=ROLE,
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{name}/job.py"},
        GlueVersion="5.0",
    )
    run = glue.start_job_run(JobName=name)["JobRunId"]

    def found() -> dict[str, Any]:
        answer: dict[str, Any] = glue.get_job_run(JobName=name, RunId=run)["JobRun"]
        return answer

    until(lambda: found()["JobRunState"] not in ("STARTING", "RUNNING"), seconds=60)
    assert found()["JobRunState"] == "FAILED"
    assert "install pyspark and Java" in found()["ErrorMessage"]
