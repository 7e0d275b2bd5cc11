"""State machines wait for SageMaker jobs and Glue runs; here the machine is real and the jobs are the test's own."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from ministack.services import glue, stepfunctions

from penstock.localaws.errors import ServiceError
from penstock.localaws.extension import (
    glue_jobs,
    glue_tasks,
    sagemaker_service,
    sagemaker_tasks,
    state_limits,
    task_scope,
)
from tests.local.conftest import until

STARTED = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
STARTED_MS = 1795244400000


class Jobs:
    """A SageMaker plane whose jobs end when the test says so."""

    def __init__(self) -> None:
        self.described: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, threading.Event] = {}
        self.stopped: list[str] = []
        self.refuse: ServiceError | None = None

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        name = params["TrainingJobName"]
        if self.refuse:
            raise self.refuse
        if operation == "StopTrainingJob":
            self.stopped.append(name)
            return {}
        self.described[name] = {**params, "TrainingJobStatus": "InProgress", "CreationTime": STARTED}
        self.ended[name] = threading.Event()
        return {"TrainingJobArn": f"arn:{name}"}

    def wait_job(self, kind: str, name: str, stop: threading.Event | None) -> dict[str, Any]:
        assert kind == "training"
        until(lambda: self.ended[name].is_set() or (stop is not None and stop.is_set()))
        return self.described[name]

    def end(self, name: str, status: str) -> None:
        until(lambda: name in self.ended)
        self.described[name]["TrainingJobStatus"] = status
        self.ended[name].set()

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        answer = {"EndpointName": json.loads(body)["EndpointName"], "CreationTime": STARTED.timestamp()}
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


class Scripts:
    """A Glue runner whose scripts end as their argument says."""

    def __init__(self) -> None:
        self.going: dict[str, threading.Event] = {}
        self.seen: list[dict[str, str]] = []

    def execute(self, run: dict[str, Any], job: dict[str, Any], args: dict[str, str], resolved: str) -> None:
        self.seen.append(args)
        if args.get("--end") == "never":
            self.going[run["Id"]] = threading.Event()
            assert self.going[run["Id"]].wait(20)
            run.update(JobRunState="FAILED", ErrorMessage="killed")
        elif args.get("--end") == "badly":
            run.update(JobRunState="FAILED", ErrorMessage="BadUpload: nothing to learn from")
        else:
            run["JobRunState"] = "SUCCEEDED"

    def stop_run(self, run_id: str) -> None:
        until(lambda: run_id in self.going)
        self.going[run_id].set()


@pytest.fixture(scope="module")
def installed() -> Iterator[tuple[Jobs, Scripts]]:
    jobs, scripts = Jobs(), Scripts()
    task_scope.install()
    state_limits.install()
    sagemaker_service.install(jobs)
    sagemaker_tasks.install(jobs)
    glue_jobs.install(scripts)
    glue_tasks.install()
    yield jobs, scripts
    stepfunctions.reset()


@pytest.fixture
def jobs(installed: tuple[Jobs, Scripts]) -> Jobs:
    installed[0].refuse = None
    return installed[0]


@pytest.fixture
def scripts(installed: tuple[Jobs, Scripts]) -> Scripts:
    return installed[1]


def start(resource: str, arguments: dict[str, Any], **state: Any) -> str:
    """Start an execution of a one-task machine; returns its ARN."""
    name = f"m-{uuid.uuid4().hex[:12]}"
    task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **state}
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Task",
        "States": {"Task": task, "Caught": {"Type": "Pass", "End": True}},
    }
    role = "arn:aws:iam::000000000000:role/machine"
    made = json.loads(
        stepfunctions._create_state_machine(
            {"name": name, "definition": json.dumps(definition), "roleArn": role}
        )[2]
    )
    begun = stepfunctions._start_execution({"stateMachineArn": made["stateMachineArn"], "input": "{}"})
    return str(json.loads(begun[2])["executionArn"])


def ended(arn: str) -> dict[str, Any]:
    """The execution once it runs no longer."""
    execution: dict[str, Any] = stepfunctions._executions[arn]
    until(lambda: execution["status"] != "RUNNING")
    return execution


def name_of() -> str:
    return f"job-{uuid.uuid4().hex[:12]}"


SYNC = "arn:aws:states:::sagemaker:createTrainingJob.sync"


def test_a_completed_job_gives_its_description_in_milliseconds(jobs: Jobs) -> None:
    name = name_of()
    arn = start(SYNC, {"TrainingJobName": name})
    jobs.end(name, "Completed")
    execution = ended(arn)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == {
        "TrainingJobName": name,
        "TrainingJobStatus": "Completed",
        "CreationTime": STARTED_MS,
    }


def test_a_failed_job_is_task_failed_with_the_description_as_cause(jobs: Jobs) -> None:
    name = name_of()
    arn = start(SYNC, {"TrainingJobName": name})
    jobs.end(name, "Failed")
    execution = ended(arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution["cause"])["TrainingJobStatus"] == "Failed"


def test_without_sync_the_answer_of_the_call_is_the_result(jobs: Jobs) -> None:
    name = name_of()
    execution = ended(start("arn:aws:states:::sagemaker:createTrainingJob", {"TrainingJobName": name}))
    assert json.loads(execution["output"]) == {"TrainingJobArn": f"arn:{name}"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        ("ResourceInUse", "SageMaker.ResourceInUseException"),
        ("ValidationException", "SageMaker.AmazonSageMakerException"),
        ("ThrottlingException", "SageMaker.AmazonSageMakerException"),
    ],
)
def test_api_errors_have_the_names_a_machine_catches(jobs: Jobs, code: str, error: str) -> None:
    jobs.refuse = ServiceError(code, "No more of these.")
    execution = ended(start(SYNC, {"TrainingJobName": name_of()}))
    assert execution["error"] == error
    assert execution["cause"].startswith("No more of these.")
    assert code in execution["cause"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"Surprise": 1}, "Surprise"),
        ({"AlgorithmSpecification": {"Image": "x"}}, "AlgorithmSpecification.Image"),
        ({"InputDataConfig": [{"Name": "train"}]}, "InputDataConfig.Name"),
    ],
)
def test_a_parameter_the_api_lacks_is_refused_by_name(
    jobs: Jobs, arguments: dict[str, Any], field: str
) -> None:
    execution = ended(start(SYNC, {"TrainingJobName": name_of(), **arguments}))
    assert execution["error"] == "States.Runtime"
    assert execution["cause"] == f'The field "{field}" is not supported by Step Functions'


@pytest.mark.parametrize(
    "action", ["createEndpoint.sync", "describeEndpoint", "createTrainingJob.waitForTaskToken"]
)
def test_integrations_aws_does_not_have_are_refused(jobs: Jobs, action: str) -> None:
    with pytest.raises(stepfunctions._ExecutionError, match="is not one Step Functions has"):
        sagemaker_tasks.run(jobs, f"arn:aws:states:::sagemaker:{action}", {})


def test_stopping_the_execution_stops_the_job_and_stays_aborted(jobs: Jobs) -> None:
    name = name_of()
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3, "IntervalSeconds": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    arn = start(SYNC, {"TrainingJobName": name}, Retry=retry, Catch=catch)
    until(lambda: name in jobs.ended)
    assert stepfunctions._stop_execution({"executionArn": arn})[0] == 200
    until(lambda: name in jobs.stopped)
    until(lambda: not task_scope._waiting.get(arn))
    assert ended(arn)["status"] == "ABORTED"
    assert len(jobs.stopped) == len(set(jobs.stopped))


def test_a_task_whose_time_is_up_stops_its_job(jobs: Jobs) -> None:
    name = name_of()
    execution = ended(start(SYNC, {"TrainingJobName": name}, TimeoutSeconds=1))
    assert execution["error"] == "States.Timeout"
    until(lambda: name in jobs.stopped)


def test_the_rest_of_sagemaker_is_reached_through_the_sdk_integration(jobs: Jobs) -> None:
    resource = "arn:aws:states:::aws-sdk:sagemaker:describeEndpoint"
    execution = ended(start(resource, {"EndpointName": "e"}))
    assert json.loads(execution["output"]) == {
        "EndpointName": "e",
        "CreationTime": "2026-11-21T07:00:00.000Z",
    }


@pytest.fixture
def glue_job(scripts: Scripts, tmp_path: Any) -> str:
    script = tmp_path / "script.py"
    script.write_text("")
    name = name_of()
    command = {"Name": "pythonshell", "ScriptLocation": str(script)}
    arguments = {"--end": "well", "--kept": "default"}
    assert (
        glue._create_job({"Name": name, "Role": "r", "Command": command, "DefaultArguments": arguments})[0]
        == 200
    )
    return name


GLUE = "arn:aws:states:::glue:startJobRun.sync"


def test_a_glue_run_gives_the_flat_job_run(scripts: Scripts, glue_job: str) -> None:
    execution = ended(start(GLUE, {"JobName": glue_job, "Arguments": {"--x": "1"}}))
    run = json.loads(execution["output"])
    assert (run["JobName"], run["JobRunState"], run["Arguments"]) == (glue_job, "SUCCEEDED", {"--x": "1"})
    assert run["Id"].startswith("jr_")
    assert run["MaxCapacity"] == 0.0625
    assert isinstance(run["StartedOn"], int)
    assert run["CompletedOn"] >= run["StartedOn"] > 1_700_000_000_000
    assert scripts.seen[-1] == {"--end": "well", "--kept": "default", "--x": "1"}


def test_a_failed_glue_run_says_why_in_its_cause(glue_job: str) -> None:
    execution = ended(start(GLUE, {"JobName": glue_job, "Arguments": {"--end": "badly"}}))
    assert execution["error"] == "States.TaskFailed"
    assert json.loads(execution["cause"])["ErrorMessage"] == "BadUpload: nothing to learn from"


def test_a_glue_run_stops_with_its_execution(scripts: Scripts, glue_job: str) -> None:
    arn = start(GLUE, {"JobName": glue_job, "Arguments": {"--end": "never"}})
    run = until(lambda: next(iter(glue._job_runs[glue_job]), None))
    until(lambda: run["Id"] in scripts.going)
    stepfunctions._stop_execution({"executionArn": arn})
    until(
        lambda: (
            "CompletedOn" in run
            and scripts.going[run["Id"]].is_set()
            and run["Id"] not in glue_jobs.RUNS._ended
        )
    )
    assert run["JobRunState"] == "STOPPED"
    assert ended(arn)["status"] == "ABORTED"


def test_glue_refuses_more_runs_than_the_job_allows(scripts: Scripts, glue_job: str) -> None:
    first = json.loads(glue._start_job_run({"JobName": glue_job, "Arguments": {"--end": "never"}})[2])[
        "JobRunId"
    ]
    execution = ended(start(GLUE, {"JobName": glue_job}))
    assert execution["error"] == "Glue.ConcurrentRunsExceededException"
    glue._batch_stop_job_run({"JobName": glue_job, "JobRunIds": [first]})
    until(lambda: first not in glue_jobs.RUNS._ended)


def test_glue_errors_are_named(glue_job: str) -> None:
    assert ended(start(GLUE, {"JobName": "nothing-here"}))["error"] == "Glue.EntityNotFoundException"
    refused = ended(start(GLUE, {"JobName": glue_job, "Argument": {}}))
    assert refused["cause"] == 'The field "Argument" is not supported by Step Functions'


def test_a_missing_script_fails_clearly(scripts: Scripts) -> None:
    name = name_of()
    location = "s3://no-such-bucket/x.py"
    glue._create_job(
        {"Name": name, "Role": "r", "Command": {"Name": "pythonshell", "ScriptLocation": location}}
    )
    cause = json.loads(ended(start(GLUE, {"JobName": name}))["cause"])
    assert location in cause["ErrorMessage"]


def test_runs_of_a_server_that_is_gone_are_failed_when_state_is_restored(glue_job: str) -> None:
    state = glue.get_state()
    state["job_runs"][glue_job] = [
        {"Id": "jr_1", "JobName": glue_job, "JobRunState": "RUNNING", "StartedOn": 1.0}
    ]
    glue._restore_state(state)
    (run,) = glue._job_runs[glue_job]
    assert run["JobRunState"] == "FAILED"
    assert "embedded AWS stopped" in run["ErrorMessage"]


def test_a_result_over_256_kib_ends_the_execution_and_is_not_caught_by_all(jobs: Jobs) -> None:
    name = name_of()
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    arn = start(SYNC, {"TrainingJobName": name, "RoleArn": "x" * 200_000}, Catch=catch)
    until(lambda: name in jobs.described)
    jobs.described[name]["FailureReason"] = "y" * 100_000
    jobs.end(name, "Completed")
    execution = ended(arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert "exceeding the maximum number of bytes" in execution["cause"]


def test_an_input_over_256_kib_is_refused(jobs: Jobs) -> None:
    assert stepfunctions._start_execution({"input": json.dumps("x" * state_limits.LIMIT)})[0] == 400
