"""Endpoints on a running embedded AWS: they come up, answer, change, fail and go as on AWS."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws.settings import layout
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import IMAGE, ROLE, Crowd, Hosting, serving_processes


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(embedded_aws, request.node.name.replace("_", "-").replace("test-", "")[:40].rstrip("-["))
    yield made
    made.clean()


def refused(call: Any, **members: Any) -> tuple[str, str]:
    """Code and message of what the service refuses."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_endpoint_comes_into_service_and_answers(hosting: Hosting) -> None:
    config = hosting.config("one", ANSWER="first")
    name = hosting.endpoint(config)

    answer = hosting.runtime.invoke_endpoint(
        EndpointName=name, Body=b"a,b", ContentType="text/csv", Accept="x/y", CustomAttributes="trace=1"
    )
    with answer["Body"] as body:
        assert json.loads(body.read()) == {"answer": "first", "accept": "x/y", "size": 3, "who": "trace=1"}
    assert answer["InvokedProductionVariant"] == "live"
    assert answer["ContentType"] == "application/json"

    described = hosting.describe(name)
    assert described["EndpointConfigName"] == config
    assert described["EndpointArn"] == f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{name}"
    (variant,) = described["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    listed = hosting.sagemaker.list_endpoints(NameContains=hosting.prefix, StatusEquals="InService")
    assert [one["EndpointName"] for one in listed["Endpoints"]] == [name]


def test_a_model_that_does_not_load_fails_with_the_reason_and_can_be_deleted(hosting: Hosting) -> None:
    name = hosting.name("e")
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=hosting.config("one", BROKEN="1"))
    until(lambda: hosting.describe(name)["EndpointStatus"] == "Failed", 30)

    reason = hosting.describe(name)["FailureReason"]
    assert reason.startswith(
        "The primary container for production variant live did not pass the ping health check"
    )
    assert "weights.bin is missing" in reason
    code, message = refused(hosting.runtime.invoke_endpoint, EndpointName=name, Body=b"x")
    assert (code, message.split(".")[0]) == (
        "ValidationError",
        f"Endpoint {name} of account 000000000000 not found",
    )
    hosting.sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: hosting.gone(name))


def test_an_update_moves_the_traffic_without_losing_a_request(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one", ANSWER="first"))
    second = hosting.config("two", ANSWER="second")

    with Crowd(hosting, name).asking() as crowd:
        hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
        assert hosting.describe(name)["PendingDeploymentSummary"]["EndpointConfigName"] == second
        hosting.until(name, "InService")

    assert crowd.errors == []
    order = [json.loads(answer)["answer"] for answer in crowd.answers]
    assert order == sorted(order)  # first, … first, second, … second
    assert order[-1] == "second"
    assert hosting.describe(name)["EndpointConfigName"] == second


def test_an_update_to_a_broken_model_keeps_the_old_one_answering(hosting: Hosting) -> None:
    first = hosting.config("one", ANSWER="first")
    name = hosting.endpoint(first)
    broken = hosting.config("two", BROKEN="1")

    with Crowd(hosting, name).asking() as crowd:
        hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=broken)
        assert hosting.describe(name)["EndpointStatus"] == "Updating"
        hosting.until(name, "InService")

    described = hosting.describe(name)
    assert described["EndpointConfigName"] == first
    assert "FailureReason" not in described
    assert "PendingDeploymentSummary" not in described
    assert crowd.errors == []
    assert {json.loads(answer)["answer"] for answer in crowd.answers} == {"first"}


def test_two_variants_share_a_thousand_requests_nine_to_one(hosting: Hosting) -> None:
    variants = [
        hosting.variant(hosting.model(name, ANSWER=name), VariantName=name, InitialVariantWeight=weight)
        for name, weight in (("blue", 9.0), ("green", 1.0))
    ]
    name = hosting.endpoint(hosting.config("both", *variants))

    answers = Counter(json.loads(hosting.ask(name))["answer"] for _ in range(1000))
    assert abs(answers["blue"] - 900) <= 30

    targeted = hosting.runtime.invoke_endpoint(EndpointName=name, Body=b"x", TargetVariant="green")
    targeted["Body"].close()
    assert targeted["InvokedProductionVariant"] == "green"
    code, message = refused(
        hosting.runtime.invoke_endpoint, EndpointName=name, Body=b"x", TargetVariant="red"
    )
    assert (code, "red" in message) == ("ValidationError", True)

    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": "blue", "DesiredWeight": 0},
            {"VariantName": "green", "DesiredInstanceCount": 2},
        ],
    )
    hosting.until(name, "InService")
    assert {json.loads(hosting.ask(name))["answer"] for _ in range(20)} == {"green"}
    shown = {one["VariantName"]: one for one in hosting.describe(name)["ProductionVariants"]}
    assert (shown["blue"]["CurrentWeight"], shown["green"]["CurrentInstanceCount"]) == (0.0, 2)


def test_what_the_model_refuses_and_how_it_fails(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one"))
    for order, status in (("bad", 422), ("fail", 500)):
        with pytest.raises(hosting.runtime.exceptions.ModelError) as caught:
            hosting.ask(name, order)
        answer = caught.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert answer["Error"]["Code"] == "ModelError"
        assert answer["OriginalStatusCode"] == status
        assert answer["LogStreamArn"].endswith(f"log-group:/aws/sagemaker/Endpoints/{name}")
        kind = "client" if status < 500 else "server"
        assert answer["Error"]["Message"].startswith(f"Received {kind} error ({status}) from primary")
    assert json.loads(answer["OriginalMessage"]) == {"error": "ZeroDivisionError: ouch"}


def test_a_crashed_model_server_is_started_again(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one", ANSWER="first"))
    code, _ = refused(
        hosting.runtime.invoke_endpoint, EndpointName=name, Body=b"crash", ContentType="text/csv"
    )
    assert code == "ServiceUnavailable"
    assert hosting.describe(name)["EndpointStatus"] == "InService"

    def answers() -> bytes | None:
        try:
            return hosting.ask(name)
        except hosting.runtime.exceptions.ServiceUnavailable:
            return None

    assert json.loads(until(answers))["answer"] == "first"


def test_a_crash_of_instances_is_not_noticed_by_others(hosting: Hosting) -> None:
    """The crashing request is tried twice and takes two of three instances down; the third goes on answering."""
    model = hosting.model("one")
    name = hosting.endpoint(hosting.config("three", hosting.variant(model, InitialInstanceCount=3)))
    with Crowd(hosting, name).asking() as crowd:
        refused(hosting.runtime.invoke_endpoint, EndpointName=name, Body=b"crash", ContentType="text/csv")
    assert crowd.errors == []


def test_a_slow_prediction_holds_nothing_else_up(hosting: Hosting, tmp_path: Path) -> None:
    """While one prediction waits, the endpoint answers others and the control plane works."""
    name = hosting.endpoint(hosting.config("one"))
    go = tmp_path / "go"
    slow = Hosting(EmbeddedAws(hosting.aws.root, hosting.aws.port), hosting.prefix)
    answers: list[bytes] = []

    from threading import Thread  # noqa: PLC0415

    waiting = Thread(target=lambda: answers.append(slow.ask(name, f"wait {go}")))
    waiting.start()
    until((tmp_path / "go.started").exists)
    assert json.loads(hosting.ask(name))["answer"] == "yes"
    assert hosting.describe(name)["EndpointStatus"] == "InService"
    go.touch()
    waiting.join()
    slow.runtime.close()
    assert json.loads(answers[0])["answer"] == "yes"


def test_what_is_refused_before_any_model_is_asked(hosting: Hosting) -> None:
    invoke = hosting.runtime.invoke_endpoint
    assert refused(invoke, EndpointName="nobody", Body=b"x") == (
        "ValidationError",
        "Endpoint nobody of account 000000000000 not found.",
    )
    name = hosting.endpoint(hosting.config("one"))
    limit = 25 * 1024 * 1024
    assert json.loads(hosting.ask(name, "x" * limit))["size"] == limit
    code, message = refused(invoke, EndpointName=name, Body=b"x" * (limit + 1))
    assert (code, message) == ("413", f"HTTP content length exceeded {limit} bytes.")
    assert (
        "not a multi-model endpoint"
        in refused(invoke, EndpointName=name, Body=b"x", TargetModel="m.tar.gz")[1]
    )


def test_a_deleted_endpoint_leaves_no_process_and_no_file(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one"))
    files = layout(hosting.aws.root).sagemaker / "endpoints" / name
    assert files.is_dir()
    running = set(serving_processes(hosting.aws.port))
    hosting.sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: hosting.gone(name))
    assert not files.exists()
    until(lambda: len(running - set(serving_processes(hosting.aws.port))) >= 1)
    assert refused(hosting.sagemaker.delete_endpoint, EndpointName=name)[1].startswith(
        "Could not find endpoint"
    )


def test_model_and_configuration_may_go_while_they_serve(hosting: Hosting) -> None:
    config = hosting.config("one")
    name = hosting.endpoint(config)
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    hosting.sagemaker.delete_model(ModelName=hosting.name("one"))
    assert hosting.ask(name)
    assert hosting.describe(name)["EndpointConfigName"] == config


def test_creating_needs_what_it_names(hosting: Hosting) -> None:
    sagemaker, data = hosting.sagemaker, hosting.upload()
    arn = "arn:aws:sagemaker:us-east-1:000000000000"
    missing = hosting.variant("no-such-model")
    config = {"EndpointConfigName": hosting.name("c"), "ProductionVariants": [missing]}
    assert (
        refused(sagemaker.create_endpoint_config, **config)[1]
        == f'Could not find model "{arn}:model/no-such-model".'
    )
    create = {"EndpointName": hosting.name("e"), "EndpointConfigName": "none"}
    assert refused(sagemaker.create_endpoint, **create)[1] == (
        f'Could not find endpoint configuration "{arn}:endpoint-config/none".'
    )
    container = {"Image": IMAGE, "ModelDataUrl": data.replace("model.tar", "absent.tar")}
    sagemaker.create_model(ModelName=hosting.name("m"), PrimaryContainer=container, ExecutionRoleArn=ROLE)
    create["EndpointConfigName"] = hosting.config("c", hosting.variant(hosting.name("m")))
    assert (
        refused(sagemaker.create_endpoint, **create)[1]
        == f"Could not find model data at {container['ModelDataUrl']}."
    )
    same = {"ModelName": hosting.name("m"), "PrimaryContainer": container, "ExecutionRoleArn": ROLE}
    assert "Cannot create already existing model" in refused(sagemaker.create_model, **same)[1]
