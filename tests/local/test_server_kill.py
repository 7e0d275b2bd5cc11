"""A killed server: what it had is there at the next start, and nothing of it lives on."""

import contextlib
import io
import json
import os
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.localaws import control, process
from penstock.localaws.settings import layout
from tests.local.conftest import EmbeddedAws, until

ROLE = "arn:aws:iam::000000000000:role/anything"
CODE = """
import os, pathlib, time, helper
def handler(event, context):
    print("called with", event, flush=True)
    if "mark" in event:
        pathlib.Path(event["mark"]).write_text(str(os.getpid()))
        while True:
            time.sleep(1)
    return [helper.VALUE, os.environ.get("STAGE")]
"""


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(name.replace("__", "/") + ".py", text)
    return content.getvalue()


def kill(aws: EmbeddedAws) -> None:
    running = control.status(aws.root)
    assert running
    mark = process.fingerprint(running.pid)
    assert mark
    os.kill(running.pid, signal.SIGKILL)
    assert process.wait_for_end(running.pid, mark, 10)


def saved(aws: EmbeddedAws, service: str, text: str) -> None:
    """Wait until the checkpoint has written `text` into a service's state."""
    path = layout(aws.root).state / f"{service}.json"
    until(lambda: path.exists() and text in path.read_text())


def furnish(aws: EmbeddedAws) -> str:
    """Put something into every service that matters; returns the id of an API."""
    layer = aws.client("lambda").publish_layer_version(
        LayerName="helper", Content={"ZipFile": archive(python__helper="VALUE = 7")}
    )["LayerVersionArn"]
    aws.client("lambda").create_function(
        FunctionName="penstock-local-sweep",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": archive(app=CODE)},
        Layers=[layer],
        Timeout=60,
        Environment={"Variables": {"STAGE": "local"}},
    )
    aws.client("s3").create_bucket(Bucket="kept")
    aws.client("s3").put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    aws.client("events").put_rule(Name="kept", ScheduleExpression="rate(1 hour)")
    aws.client("ssm").put_parameter(Name="/kept", Value="yes", Type="String")
    aws.client("dynamodb").create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "kept"}}}}
    aws.client("cloudformation").create_stack(StackName="kept", TemplateBody=json.dumps(topic))
    return str(aws.client("apigateway").create_rest_api(name="kept")["id"])


def waiting_execution(aws: EmbeddedAws) -> str:
    states = aws.client("stepfunctions")
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
    arn = states.create_state_machine(name="kept", definition=json.dumps(definition), roleArn=ROLE)[
        "stateMachineArn"
    ]
    return str(states.start_execution(stateMachineArn=arn)["executionArn"])


def test_what_was_there_a_second_before_the_kill_is_there_after_it(
    own_aws: Callable[[], EmbeddedAws],
) -> None:
    aws = own_aws()
    api, execution = furnish(aws), waiting_execution(aws)
    for number in range(50):
        aws.client("dynamodb").put_item(TableName="kept", Item={"pk": {"S": f"item-{number}"}})
    saved(aws, "dynamodb", "item-49")
    saved(aws, "stepfunctions", "WaitStateEntered")
    for service in ("cloudformation", "ssm", "eventbridge", "apigateway_v1", "s3"):
        saved(aws, service, "kept")
    saved(aws, "lambda", "penstock-local-sweep")
    version = aws.client("s3").put_object(Bucket="kept", Key="a/b", Body=b"just before")["VersionId"]
    kill(aws)

    again = own_aws()
    found = again.client("s3").get_object(Bucket="kept", Key="a/b")
    with found["Body"] as body:
        assert body.read() == b"just before"
    assert found["VersionId"] == version
    assert again.client("dynamodb").scan(TableName="kept", Select="COUNT")["Count"] == 50
    assert again.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "yes"
    assert again.client("events").describe_rule(Name="kept")["State"] == "ENABLED"
    assert again.client("apigateway").get_rest_api(restApiId=api)["name"] == "kept"
    assert again.client("cloudformation").describe_stacks(StackName="kept")["Stacks"][0]["StackStatus"] == (
        "CREATE_COMPLETE"
    )
    described = again.client("stepfunctions").describe_execution(executionArn=execution)
    assert (described["status"], described["error"]) == ("FAILED", "States.ServiceRestart")
    assert invoke(again) == [7, "local"]


def invoke(aws: EmbeddedAws) -> Any:
    answer = aws.client("lambda").invoke(FunctionName="penstock-local-sweep", Payload=b"{}")
    with answer["Payload"] as payload:
        return json.loads(payload.read())


def test_sweeps_are_woken_by_a_start_with_saved_state(own_aws: Callable[[], EmbeddedAws]) -> None:
    aws = own_aws()
    furnish(aws)
    control.down(aws.root)
    again = own_aws()
    logs = again.client("logs")

    def said() -> list[str]:
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            events = logs.filter_log_events(logGroupName="/aws/lambda/penstock-local-sweep")["events"]
            return [event["message"] for event in events if "Scheduled Event" in event["message"]]
        return []

    assert len(until(said)) == 1
    assert any("waking penstock-local-sweep" in line for line in control.logs(again.root))


def test_a_busy_worker_ends_with_a_killed_server(own_aws: Callable[[], EmbeddedAws], tmp_path: Path) -> None:
    aws = own_aws()
    furnish(aws)
    mark = tmp_path / "busy"
    aws.client("lambda").invoke(
        FunctionName="penstock-local-sweep", InvocationType="Event", Payload=json.dumps({"mark": str(mark)})
    )
    worker = int(until(lambda: mark.exists() and mark.read_text()))
    assert process.fingerprint(worker)
    kill(aws)
    until(lambda: process.fingerprint(worker) is None)


def test_workers_end_with_a_stopped_server(own_aws: Callable[[], EmbeddedAws], tmp_path: Path) -> None:
    aws = own_aws()
    furnish(aws)
    mark = tmp_path / "busy"
    aws.client("lambda").invoke(
        FunctionName="penstock-local-sweep", InvocationType="Event", Payload=json.dumps({"mark": str(mark)})
    )
    worker = int(until(lambda: mark.exists() and mark.read_text()))
    control.down(aws.root)
    until(lambda: process.fingerprint(worker) is None)
