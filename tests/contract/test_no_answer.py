"""AWS that does not answer, or cancels: trouble that may pass, whichever adapter meets it, and no strange exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.stub import Stubber

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.files import S3Files
from chalicelib.adapters.s3 import S3Documents
from chalicelib.adapters.sagemaker import SageMakerEndpoints, SageMakerRegistry
from chalicelib.adapters.sagemaker_jobs import SageMakerJobs
from chalicelib.adapters.scheduler import EventBridgeSchedules
from chalicelib.adapters.ssm import read_parameter
from chalicelib.adapters.stepfunctions import StepFunctionsWorkflow
from chalicelib.adapters.transforms import SageMakerTransforms
from chalicelib.domain.run import Lease
from chalicelib.errors import AwsTrouble
from tests import builders

LEASE = Lease("churn", "churn-0001-x", 1, 1, builders.AT)
LOST, BUSY = {"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}


def silent(service: str) -> BaseClient:
    """A client of a service that nobody listens for."""
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return session.create_client(
        service, region_name="us-east-1", endpoint_url="http://127.0.0.1:9", config=once
    )


CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tell": ("dynamodb", lambda client: DynamoLedger(client, "t").first_to_tell("churn", "r", "gate")),
    "read": ("s3", lambda client: S3Documents(client, "b").read("s3://b/k")),
    "head": ("s3", lambda client: S3Files(client, "b").head("k")),
    "endpoint": ("sagemaker", lambda client: SageMakerEndpoints(client, "role", "s3://b/").describe("e")),
    "update": ("sagemaker", lambda client: SageMakerEndpoints(client, "role", "s3://b/").update("e", "c")),
    "delete": ("sagemaker", lambda client: SageMakerEndpoints(client, "role", "s3://b/").delete("e")),
    "create": ("sagemaker", lambda client: SageMakerEndpoints(client, "role", "s3://b/").create("e", "c", [])),
    "find": ("sagemaker", lambda client: SageMakerRegistry(client).find("g", "r")),
    "training": ("sagemaker", lambda client: SageMakerJobs(client).training("j")),
    "transform": ("sagemaker", lambda client: SageMakerTransforms(client).start({"TransformJobName": "j",
        "ModelName": "m", "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s"}}},
        "TransformOutput": {"S3OutputPath": "s"}, "TransformResources": {"InstanceType": "m", "InstanceCount": 1}})),
    "schedule": ("scheduler", lambda client: EventBridgeSchedules(client, "t", "f", "r").remove("churn", "retrain")),
    "start": ("stepfunctions", lambda client: StepFunctionsWorkflow(client, "arn:m").start("n", {})),
    "status": ("stepfunctions", lambda client: StepFunctionsWorkflow(client, "arn:m").status("n")),
    "settings": ("ssm", lambda client: read_parameter(client, "/penstock/t")),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_no_answer_is_trouble_that_may_pass(name: str) -> None:
    service, call = CALLS[name]
    with pytest.raises(AwsTrouble, match="no answer"):
        call(silent(service))


def cancelled(client: BaseClient, *times: list[dict[str, str]]) -> Stubber:
    """DynamoDB cancels so often, each time for these reasons."""
    stub = Stubber(client)
    for reasons in times:
        told = {"CancellationReasons": reasons}
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=told)
    return stub


def test_a_write_in_anothers_way_is_tried_again() -> None:
    client = silent("dynamodb")
    with cancelled(client, [BUSY], [{"Code": "ThrottlingError"}]) as stub:
        stub.add_response("transact_write_items", {})
        assert DynamoLedger(client, "t").release(LEASE)
        stub.assert_no_pending_responses()


def test_a_condition_that_does_not_hold_is_an_answer() -> None:
    client = silent("dynamodb")
    with cancelled(client, [BUSY], [LOST]) as stub:
        assert not DynamoLedger(client, "t").first_to_tell("churn", "r", "gate")
        stub.assert_no_pending_responses()


def test_one_that_stays_in_the_way_is_trouble_and_no_lost_lease() -> None:
    client = silent("dynamodb")
    with cancelled(client, *[[BUSY]] * 5), pytest.raises(AwsTrouble, match="TransactionConflict"):
        DynamoLedger(client, "t").release(LEASE)


def test_a_schedule_that_somebody_else_made_meanwhile_is_changed() -> None:
    client = silent("scheduler")
    with Stubber(client) as stub:
        stub.add_client_error("get_schedule", "ResourceNotFoundException")
        stub.add_client_error("create_schedule", "ConflictException")
        stub.add_response(
            "update_schedule", {"ScheduleArn": "arn:aws:scheduler:us-east-1:000000000000:schedule/s"}
        )
        EventBridgeSchedules(client, "t", "arn:f", "arn:r").set("churn", "retrain", "rate(1 day)")
        stub.assert_no_pending_responses()
