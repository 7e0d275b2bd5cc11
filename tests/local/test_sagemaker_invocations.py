"""What happens around an invocation, through boto3: capture, serverless, asynchronous, shadow, stream, raw data."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import BUCKET, IMAGE, ROLE, Hosting


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(embedded_aws, request.node.name.replace("_", "-").replace("test-", "")[:40].rstrip("-["))
    yield made
    made.clean()


def endpoint(hosting: Hosting, variant: dict[str, Any], short: str = "e", **members: Any) -> str:
    """An endpoint in service, of a configuration with one variant."""
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=hosting.name(short), ProductionVariants=[variant], **members
    )
    return hosting.endpoint(hosting.name(short), short)


def refused(call: Any, **members: Any) -> tuple[str, str, int]:
    """Code, message and HTTP status of what the service refuses."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def keys(hosting: Hosting, prefix: str) -> list[str]:
    found = hosting.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [one["Key"] for one in found]


def read(hosting: Hosting, uri: str) -> bytes | None:
    """An object's content, None while it is not there."""
    s3 = hosting.aws.client("s3")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return content


def test_captured_invocations_are_in_s3_when_the_endpoint_is_deleted(hosting: Hosting) -> None:
    model = hosting.model("m")
    destination = f"{hosting.prefix}/captured"
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/{destination}",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        "KmsKeyId": "arn:aws:kms:us-east-1:000000000000:key/any",
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }
    name = endpoint(hosting, hosting.variant(model), DataCaptureConfig=capture)
    shown = hosting.describe(name)["DataCaptureConfig"]
    assert (shown["CaptureStatus"], shown["CurrentSamplingPercentage"]) == ("Started", 100)
    answer = hosting.ask(name, "1,2", InferenceId="i-7", CustomAttributes="t=1")
    with pytest.raises(hosting.runtime.exceptions.ModelError):
        hosting.ask(name, "fail")
    hosting.sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: hosting.gone(name))

    (key,) = keys(hosting, destination)
    assert re.fullmatch(
        rf"{destination}/{name}/live/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[-0-9a-f]{{36}}\.jsonl", key
    )
    (line,) = (read(hosting, f"s3://{BUCKET}/{key}") or b"").splitlines()
    said = json.loads(line)
    assert said["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    output = said["captureData"]["endpointOutput"]
    assert (output["data"], output["encoding"]) == (answer.decode(), "JSON")
    assert (said["eventMetadata"]["inferenceId"], said["eventVersion"]) == ("i-7", "0")


def test_a_serverless_endpoint_has_its_limits(hosting: Hosting, tmp_path: Path) -> None:
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    variant = {"VariantName": "live", "ModelName": hosting.model("m"), "ServerlessConfig": config}
    name = endpoint(hosting, variant)
    (shown,) = hosting.describe(name)["ProductionVariants"]
    assert shown["CurrentServerlessConfig"] == config
    assert shown["CurrentInstanceCount"] == 0

    limit = 4 * 1024 * 1024
    assert json.loads(hosting.ask(name, "x" * limit))["size"] == limit
    invoke = hosting.runtime.invoke_endpoint
    code, what, status = refused(invoke, EndpointName=name, Body=b"x" * (limit + 1))
    assert (code, what, status) == ("413", f"HTTP content length exceeded {limit} bytes.", 413)

    go = tmp_path / "go"
    slow = Hosting(EmbeddedAws(hosting.aws.root, hosting.aws.port), hosting.prefix)
    waiting = threading.Thread(target=slow.ask, args=(name, f"wait {go}"))
    waiting.start()
    until((tmp_path / "go.started").exists)
    assert refused(invoke, EndpointName=name, Body=b"x")[0] == "ThrottlingException"
    go.touch()
    waiting.join()
    slow.runtime.close()
    assert hosting.ask(name)


def topic(hosting: Hosting) -> tuple[str, str]:
    """A topic and the URL of a queue that gets what it is told."""
    sns, sqs = hosting.aws.client("sns"), hosting.aws.client("sqs")
    arn: str = sns.create_topic(Name=hosting.prefix)["TopicArn"]
    queue: str = sqs.create_queue(QueueName=hosting.prefix)["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=target)
    return arn, queue


def asynchronous(hosting: Hosting, **notification: Any) -> dict[str, Any]:
    output = {
        "S3OutputPath": f"s3://{BUCKET}/{hosting.prefix}/out",
        "S3FailurePath": f"s3://{BUCKET}/{hosting.prefix}/failed",
    }
    if notification:
        output["NotificationConfig"] = notification
    return {"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1}}


def test_an_asynchronous_endpoint_answers_in_s3_and_tells_sns(hosting: Hosting) -> None:
    arn, queue = topic(hosting)
    config = asynchronous(
        hosting, SuccessTopic=arn, ErrorTopic=arn, IncludeInferenceResponseIn=["SUCCESS_NOTIFICATION_TOPIC"]
    )
    name = endpoint(hosting, hosting.variant(hosting.model("m")), AsyncInferenceConfig=config)
    assert hosting.describe(name)["AsyncInferenceConfig"] == config
    invoke = hosting.runtime.invoke_endpoint_async

    body = b"x" * (9 * 1024 * 1024)  # more than one part of an upload
    source = f"s3://{BUCKET}/{hosting.prefix}/in/x.csv"
    hosting.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{hosting.prefix}/in/x.csv", Body=body)
    fine = invoke(EndpointName=name, InputLocation=source, ContentType="text/csv", InferenceId="i-1")
    assert (fine["InferenceId"], fine["ResponseMetadata"]["HTTPStatusCode"]) == ("i-1", 202)
    said = json.loads(until(lambda: read(hosting, fine["OutputLocation"])))
    assert said["size"] == len(body)

    inline = invoke(EndpointName=name, Body=b"x" * 128_000, ContentType="text/csv", Filename="own.json")
    assert inline["OutputLocation"] == f"s3://{BUCKET}/{hosting.prefix}/out/own.json"
    assert json.loads(until(lambda: read(hosting, inline["OutputLocation"])))["size"] == 128_000
    code, _, _ = refused(invoke, EndpointName=name, Body=b"x" * 128_001)
    assert code == "ValidationError"

    bad = invoke(EndpointName=name, Body=b"fail", ContentType="text/csv", InferenceId="i-2")
    assert (
        json.loads(until(lambda: read(hosting, bad["FailureLocation"])))["error"] == "ZeroDivisionError: ouch"
    )
    assert read(hosting, bad["OutputLocation"]) is None

    heard: dict[str, dict[str, Any]] = {}

    def all_heard() -> bool:
        sqs = hosting.aws.client("sqs")
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            told = json.loads(json.loads(message["Body"])["Message"])
            heard[told["inferenceId"]] = told
        return len(heard) == 3

    until(all_heard)
    assert heard["i-1"]["responseParameters"]["outputLocation"] == fine["OutputLocation"]
    assert json.loads(base64.b64decode(heard["i-1"]["responseBody"]["content"]))["size"] == len(body)
    assert (heard["i-2"]["invocationStatus"], "responseBody" in heard["i-2"]) == ("Failed", False)
    assert refused(hosting.runtime.invoke_endpoint, EndpointName=name, Body=b"x")[0] == "ValidationError"


def test_an_endpoint_that_is_not_asynchronous_refuses_to_be_asked_so(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one"))
    invoke = hosting.runtime.invoke_endpoint_async
    code, what, status = refused(invoke, EndpointName=name, Body=b"x")
    assert (code, status, "not an asynchronous inference endpoint" in what) == ("ValidationError", 400, True)
    assert refused(invoke, EndpointName="nobody", Body=b"x")[:2] == (
        "ValidationError",
        "Endpoint nobody of account 000000000000 not found.",
    )


def test_a_server_that_stops_loses_neither_what_it_captured_nor_what_is_queued(
    own_aws: Callable[[], EmbeddedAws], tmp_path: Path
) -> None:
    """One request is under way and one waits when the server stops; its successor answers both."""
    aws = own_aws()
    hosting = Hosting(aws, "stopped")
    model = hosting.model("m")
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    direct = endpoint(hosting, hosting.variant(model), "direct", DataCaptureConfig=capture)
    queued = endpoint(hosting, hosting.variant(model), "queued", AsyncInferenceConfig=asynchronous(hosting))
    hosting.ask(direct, "1,2")
    go = tmp_path / "go"
    asked = [
        hosting.runtime.invoke_endpoint_async(EndpointName=queued, Body=body, ContentType="text/csv")
        for body in (f"wait {go}".encode(), b"hello")
    ]
    until((tmp_path / "go.started").exists)
    control.down(aws.root)
    go.touch()

    again = Hosting(own_aws(), "stopped")
    (key,) = keys(again, "captured/")
    line = json.loads(read(again, f"s3://{BUCKET}/{key}") or b"")
    assert base64.b64decode(line["captureData"]["endpointInput"]["data"]) == b"1,2"
    for one in asked:
        assert json.loads(until(lambda one=one: read(again, one["OutputLocation"])))["answer"] == "yes"
    assert len(keys(again, "stopped/out")) == 2
    assert keys(again, "stopped/failed") == []


def test_a_shadow_variant_gets_copies_and_the_caller_the_production_variants_answer(hosting: Hosting) -> None:
    live = hosting.variant(hosting.model("live", ANSWER="live"))
    shadow = hosting.variant(
        hosting.model("shadow", ANSWER="shadow"), VariantName="shadow", InitialVariantWeight=0.5
    )
    name = endpoint(hosting, live, ShadowProductionVariants=[shadow])
    (shown,) = hosting.describe(name)["ShadowProductionVariants"]
    assert (shown["VariantName"], shown["CurrentWeight"]) == ("shadow", 0.5)
    answers = {json.loads(hosting.ask(name))["answer"] for _ in range(10)}
    assert answers == {"live"}

    logs, group = hosting.aws.client("logs"), f"/aws/sagemaker/Endpoints/{name}"

    def asked(variant: str) -> int:
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{variant}/")[
                "logStreams"
            ]
        except logs.exceptions.ResourceNotFoundException:
            return 0  # the group comes with the first lines
        found = [
            logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"])["events"]
            for one in streams
        ]
        return sum(event["message"] == "asked for hello" for events in found for event in events)

    until(lambda: (asked("live"), asked("shadow")) == (10, 5))


def test_a_response_stream_is_read_by_botocore(hosting: Hosting) -> None:
    name = endpoint(hosting, hosting.variant(hosting.model("m")))
    invoke = hosting.runtime.invoke_endpoint_with_response_stream
    answer = invoke(
        EndpointName=name, Body=b"hello", ContentType="text/csv", Accept="a/b", CustomAttributes="t=1"
    )
    parts = [event["PayloadPart"]["Bytes"] for event in answer["Body"]]
    assert json.loads(b"".join(parts)) == {"answer": "yes", "accept": "a/b", "size": 5, "who": "t=1"}
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "live")
    with pytest.raises(hosting.runtime.exceptions.ModelError):
        invoke(EndpointName=name, Body=b"fail", ContentType="text/csv")


def test_model_data_that_is_not_packed_is_served(hosting: Hosting) -> None:
    code = b"""
def model_fn(model_dir):
    return (model_dir and open(model_dir + "/sub/weights").read())

def transform_fn(model, data, content_type, accept):
    return model, "text/plain"
"""
    hosting.upload()
    s3, prefix = hosting.aws.client("s3"), f"{hosting.prefix}/files/"
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}code/inference.py", Body=code)
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}sub/weights", Body=b"heavy")
    source = {"S3Uri": f"s3://{BUCKET}/{prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
    hosting.sagemaker.create_model(
        ModelName=hosting.name("m"),
        PrimaryContainer={"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}},
        ExecutionRoleArn=ROLE,
    )
    name = endpoint(hosting, hosting.variant(hosting.name("m")))
    assert hosting.ask(name) == b"heavy"


HUNGRY = """
    def model_fn(model_dir):
        return "fed"

    def transform_fn(model, data, content_type, accept):
        if data.startswith("eat"):
            eaten = b"x" * (1300 * 1024 * 1024)
            while True:  # until it is noticed
                eaten.find(b"y")
        return model, "text/plain"
"""


@pytest.mark.slow
def test_a_serverless_model_that_takes_more_memory_than_it_has_is_ended_and_started_again(
    hosting: Hosting,
) -> None:
    container = {"Image": IMAGE, "ModelDataUrl": hosting.upload(HUNGRY)}
    hosting.sagemaker.create_model(
        ModelName=hosting.name("m"), PrimaryContainer=container, ExecutionRoleArn=ROLE
    )
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    name = endpoint(
        hosting, {"VariantName": "live", "ModelName": hosting.name("m"), "ServerlessConfig": config}
    )
    with pytest.raises(ClientError) as caught:
        hosting.ask(name, "eat")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"

    def answers() -> bytes | None:
        try:
            return hosting.ask(name)
        except hosting.runtime.exceptions.ServiceUnavailable:
            return None

    assert until(answers) == b"fed"
