"""Batch transform on a running embedded AWS: every record answered once, in order, in a file of its own."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import new_name
from tests.local.transforms import Transforms


@pytest.fixture
def jobs(embedded_aws: EmbeddedAws) -> Iterator[Transforms]:
    made = Transforms(embedded_aws, new_name("transform"))
    yield made
    assert made.servers() == []


def test_a_prefix_becomes_outputs_of_the_same_names(jobs: Transforms) -> None:
    model = jobs.model()
    jobs.put("in/a.csv", "1,2\n3,4\n")
    jobs.put("in/deep/b c.csv", "5,6")
    jobs.put("in/empty.csv", "")
    jobs.put("in/folder/", "")
    name = jobs.create(model, Tags=[{"Key": "team", "Value": "ml"}])
    jobs.sagemaker.delete_model(ModelName=model)  # the job has its own copy

    described = jobs.over(name)
    assert described["TransformJobStatus"] == "Completed", described
    assert jobs.keys() == ["a.csv.out", "deep/b c.csv.out", "empty.csv.out"]
    assert jobs.get("out/a.csv.out") == "1,2:2\n3,4:2\n"
    assert jobs.get("out/deep/b c.csv.out") == "5,6:1\n"
    assert jobs.get("out/empty.csv.out") == ""

    arn = f"arn:aws:sagemaker:us-east-1:000000000000:transform-job/{name}"
    assert described["TransformJobArn"] == arn
    assert described["CreationTime"] <= described["TransformStartTime"] <= described["TransformEndTime"]
    assert described["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert described["TransformInput"]["CompressionType"] == "None"
    assert described["ModelName"] == model
    assert "FailureReason" not in described
    assert jobs.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_logs_have_awss_names_and_say_what_holds(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1,2\n")
    name = jobs.completed(
        jobs.model(), MaxConcurrentTransforms=3, MaxPayloadInMB=5, BatchStrategy="SingleRecord"
    )
    container, data_log = sorted(jobs.streams(name))
    assert re.fullmatch(rf"{name}/i-[0-9a-f]{{17}}-\d{{10}}", container)
    assert data_log == f"{container}/data-log"
    assert jobs.data_log(name) == ["MaxConcurrentTransforms=3, MaxPayloadInMB=5, BatchStrategy=SINGLE_RECORD"]
    (event,) = jobs.aws.client("logs").get_log_events(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamName=data_log
    )["events"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}:\[sagemaker logs\]: Max", event["message"])


def test_the_container_is_told_what_the_caller_set_and_nothing_else(jobs: Transforms) -> None:
    jobs.put("in/a", "x")
    model = jobs.model(ANSWER="environment", PLACE="the model's")
    jobs.completed(model, Environment={"PLACE": "the job's", "SAGEMAKER_BATCH": "no"})
    found = json.loads(jobs.get("out/a.out"))
    assert (found["PLACE"], found["SAGEMAKER_BATCH"]) == ("the job's", "true")
    batch = {"SAGEMAKER_MAX_PAYLOAD_IN_MB", "SAGEMAKER_BATCH_STRATEGY", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"}
    assert not batch & set(found)

    jobs.completed(model, MaxPayloadInMB=7, BatchStrategy="MultiRecord", MaxConcurrentTransforms=2)
    found = json.loads(jobs.get("out/a.out"))
    assert {name: found[name] for name in batch} == {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }


def test_a_payload_holds_as_many_whole_records_as_fit(jobs: Transforms) -> None:
    line = "x" * 400_000
    jobs.put("in/a.csv", f"{line}\n" * 5)
    name = jobs.completed(jobs.model(ANSWER="size"), MaxPayloadInMB=1)
    assert jobs.get("out/a.csv.out") == "".join(
        f"{size} None text/csv text/csv\n" for size in (800002, 800002, 400001)
    )
    # nobody set these: the container's own proposal holds
    assert re.fullmatch(
        r"MaxConcurrentTransforms=\d+, MaxPayloadInMB=1, BatchStrategy=MULTI_RECORD", jobs.data_log(name)[0]
    )


def test_without_a_split_a_file_is_one_request_whatever_the_strategy(jobs: Transforms) -> None:
    jobs.put("in/a.bin", "a\nb\n")
    source = {"SplitType": "None", "ContentType": "application/x-image"}
    jobs.completed(
        jobs.model(ANSWER="size"),
        Input=source,
        Output={"AssembleWith": "None", "Accept": "image/png"},
        BatchStrategy="SingleRecord",
    )
    assert jobs.get("out/a.bin.out") == "4 None application/x-image image/png"


def test_a_payload_of_0_is_streamed_in_chunks(jobs: Transforms) -> None:
    jobs.put("in/a.bin", b"x" * (26 << 20))  # over what a request may have otherwise
    jobs.completed(jobs.model(ANSWER="size"), MaxPayloadInMB=0, Input={"SplitType": "None"})
    assert jobs.get("out/a.bin.out") == f"{26 << 20} chunked text/csv text/csv\n"


def test_order_is_kept_by_several_requests_and_instances(jobs: Transforms) -> None:
    files = {f"{n}.csv": [f"sleep 0.0{(n * k) % 4}" for k in range(12)] for n in range(5)}
    for name, lines in files.items():
        jobs.put(f"in/{name}", "\n".join(lines))
    name = jobs.completed(jobs.model(), MaxConcurrentTransforms=4, BatchStrategy="SingleRecord", Instances=2)
    assert len(jobs.streams(name)) == 4, "a container's and a data log of two instances"
    for name, lines in files.items():
        assert jobs.get(f"out/{name}.out") == "".join(f"{line}:1\n" for line in lines)


def test_a_manifest_names_the_inputs(jobs: Transforms) -> None:
    for key in ("in/a.csv", "in/x/b.csv", "in/left-out.csv"):
        jobs.put(key, f"{key}\n")
    jobs.put("list.json", json.dumps([{"prefix": f"s3://{jobs.prefix}/in/"}, "x/b.csv", "a.csv"]))
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{jobs.prefix}/list.json"}}
    jobs.completed(jobs.model(), Input={"DataSource": source})
    assert jobs.keys() == ["a.csv.out", "x/b.csv.out"]
    assert jobs.get("out/x/b.csv.out") == "in/x/b.csv:1\n"


def test_csv_predictions_are_joined_with_their_rows(jobs: Transforms) -> None:
    jobs.put_gzip("in/a.csv.gz", 'id-1,1,2\n"id,2",3,4\nid-3,5,6\n')
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    name = jobs.completed(
        jobs.model(ANSWER="sum"),
        Input={"CompressionType": "Gzip"},
        DataProcessing=processing,
        DataCaptureConfig={"DestinationS3Uri": f"s3://{jobs.prefix}/captured", "GenerateInferenceId": True},
    )
    rows = [line.rsplit(",", 2) for line in jobs.get("out/a.csv.gz.out").splitlines()]
    assert [row[0] for row in rows] == ["id-1,3.0", '"id,2",7.0', "id-3,11.0"]
    started = jobs.describe(name)["TransformStartTime"]
    assert {row[2][:14] for row in rows} == {started.strftime("%Y-%m-%dT%H:")}
    assert len({row[1] for row in rows}) == 3

    hour = started.strftime("%Y/%m/%d/%H")
    assert jobs.keys("captured/") == [f"{side}/{hour}/{name}.jsonl" for side in ("input", "output")]
    captured = {
        side: json.loads(jobs.get(f"captured/{side}/{hour}/{name}.jsonl")) for side in ("input", "output")
    }
    assert captured == {
        "input": [{"prefix": f"s3://{jobs.prefix}/in/"}, "a.csv.gz"],
        "output": [{"prefix": f"s3://{jobs.prefix}/out/"}, "a.csv.gz.out"],
    }


def test_handlers_a_user_leaves_out_are_the_toolkits(jobs: Transforms) -> None:
    """Script mode with model_fn only: CSV in and out by the framework's own functions, a line a row."""
    code = """
        import numpy as np

        class Sums:
            def predict(self, rows):
                return np.atleast_2d(rows).sum(axis=1)

        def model_fn(model_dir):
            return Sums()
    """
    jobs.put("in/a.csv", "1,2\n3,4\n")
    jobs.put("in/b.csv", "5,6\n")
    jobs.completed(jobs.model(code), DataProcessing={"JoinSource": "Input"})
    assert jobs.get("out/a.csv.out") == "1,2,3.0\n3,4,7.0\n"
    assert jobs.get("out/b.csv.out") == "5,6,11.0\n"


def test_json_predictions_are_joined_with_their_objects(jobs: Transforms) -> None:
    jobs.put("in/a.jsonl", '{"id":1,"features":[1,2]}\n{"id":2,"features":[3]}\n')
    kind = "application/jsonlines"
    jobs.completed(
        jobs.model(ANSWER="json"),
        Input={"ContentType": kind},
        Output={"Accept": kind},
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    assert jobs.get("out/a.jsonl.out") == (
        '{"SageMakerOutput":{"got":[1,2]},"id":1}\n{"SageMakerOutput":{"got":[3]},"id":2}\n'
    )


def test_lists_are_filtered_sorted_and_paged(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    jobs.put("bad/a.csv", "bad\n")
    model = jobs.model()
    good = [jobs.completed(model) for _ in range(2)]
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{jobs.prefix}/bad/"}}
    bad = jobs.run(model, Input={"DataSource": source})["TransformJobName"]

    def listed(**filters: Any) -> list[str]:
        found = jobs.sagemaker.list_transform_jobs(NameContains=jobs.prefix, **filters)
        return [one["TransformJobName"] for one in found["TransformJobSummaries"]]

    assert listed() == [bad, *reversed(good)]
    assert listed(SortOrder="Ascending", SortBy="Name") == sorted([*good, bad])
    assert listed(StatusEquals="Failed") == [bad]
    assert listed(MaxResults=1, SortOrder="Ascending") == good[:1]
    assert listed(CreationTimeAfter=jobs.describe(good[0])["TransformEndTime"]) == [bad, good[1]]
    found = jobs.sagemaker.list_transform_jobs(NameContains=jobs.prefix, StatusEquals="Failed")
    (summary,) = found["TransformJobSummaries"]
    assert summary["FailureReason"] == "ClientError: See job logs for more information"
    assert summary["LastModifiedTime"] >= summary["CreationTime"]
    assert summary["TransformEndTime"] == jobs.describe(bad)["TransformEndTime"]


def test_state_changes_are_events_and_step_functions_waits(jobs: Transforms) -> None:
    sqs, events = jobs.aws.client("sqs"), jobs.aws.client("events")
    url = sqs.create_queue(QueueName=jobs.prefix)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "detail-type": ["SageMaker Transform Job State Change"],
        "detail": {"TransformJobName": [{"prefix": jobs.prefix}]},
    }
    events.put_rule(Name=jobs.prefix, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=jobs.prefix, Targets=[{"Id": "1", "Arn": arn}])
    jobs.put("in/a.csv", "1\n")
    request = jobs.request(jobs.model())

    result = executed(jobs, request)
    assert result["status"] == "SUCCEEDED", result
    output = json.loads(result["output"])
    assert output["TransformJobStatus"] == "Completed"
    assert output["TransformStartTime"] <= output["TransformEndTime"]
    assert isinstance(output["TransformEndTime"], int)
    assert jobs.keys() == ["a.csv.out"]

    seen: list[str] = []

    def ended() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            assert event["resources"] == [output["TransformJobArn"]]
            seen.append(event["detail"]["TransformJobStatus"])
        return "Completed" in seen

    until(ended)
    assert seen[0] == "InProgress"

    jobs.put("in/b.csv", "bad\n")
    failed = executed(jobs, {**request, "TransformJobName": jobs.name()})
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(failed["cause"])["TransformJobStatus"] == "Failed"


def executed(jobs: Transforms, request: dict[str, Any]) -> dict[str, Any]:
    """An execution of a machine with the one task createTransformJob.sync, ended."""
    states = jobs.aws.client("stepfunctions")
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync",
        "Arguments": request,
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Task", "States": {"Task": task}}
    machine = states.create_state_machine(
        name=jobs.name(), definition=json.dumps(definition), roleArn="arn:aws:iam::000000000000:role/machine"
    )["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    found: dict[str, Any] = until(
        lambda: (one := states.describe_execution(executionArn=arn))["status"] != "RUNNING" and one
    )
    return found
