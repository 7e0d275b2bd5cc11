"""Load tests: an endpoint is left as it was, whatever happens; who may not be loaded; what Locust left."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.cli import why
from penstock.client.api import Api
from penstock.client.load import MODES, Load, Modes, admit
from penstock.deploy import Deployed
from penstock.errors import PenstockError
from tests.unit.cli.conftest import FakeApi

ROOT = Path(__file__).parents[3]


def refused(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, operation)


class SageMaker:
    """One endpoint; an update takes two looks, and meanwhile another is refused, as on AWS."""

    def __init__(self) -> None:
        variants = [
            {"VariantName": name, "ModelName": name, "InitialVariantWeight": 1.0} for name in ("a", "b")
        ]
        self.configs: dict[str, Any] = {
            "live": {"ProductionVariants": variants, "DataCaptureConfig": {"EnableCapture": True}}
        }
        self.models: dict[str, Any] = {
            name: {
                "PrimaryContainer": {"Image": name, "Environment": {"OWN": "1"}},
                "ExecutionRoleArn": "role",
                "VpcConfig": {"Subnets": ["s"]},
            }
            for name in ("a", "b")
        }
        self.served, self.looks = "live", 0
        self.seen: list[str] = []

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        self.looks = max(0, self.looks - 1)
        return {
            "EndpointConfigName": self.served,
            "EndpointStatus": "Updating" if self.looks else "InService",
        }

    def update_endpoint(self, EndpointName: str, EndpointConfigName: str) -> None:  # noqa: N803
        if self.looks:
            raise refused("UpdateEndpoint")
        assert EndpointConfigName in self.configs
        self.served, self.looks = EndpointConfigName, 3
        self.seen.append(EndpointConfigName)

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return dict(self.configs[EndpointConfigName], EndpointConfigArn="arn")

    def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        return dict(self.models[ModelName], ModelArn="arn")

    def create_endpoint_config(self, EndpointConfigName: str, **members: Any) -> None:  # noqa: N803
        self.configs[EndpointConfigName] = members

    def create_model(self, ModelName: str, **members: Any) -> None:  # noqa: N803
        self.models[ModelName] = members

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:  # noqa: N803
        if self.configs.pop(EndpointConfigName, None) is None:
            raise refused("DeleteEndpointConfig")

    def delete_model(self, ModelName: str) -> None:  # noqa: N803
        if self.models.pop(ModelName, None) is None:
            raise refused("DeleteModel")


def modes(sagemaker: SageMaker) -> Modes:
    return Modes(sagemaker, "penstock-local-churn", lambda _: None, pause=0.0)


def test_each_mode_is_the_endpoint_as_it_is_but_for_the_environment() -> None:
    sagemaker = SageMaker()
    made: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    with modes(sagemaker).each(MODES) as turns:
        for _ in turns:
            config = sagemaker.configs[sagemaker.served]
            made.append(
                (config, [sagemaker.models[one["ModelName"]] for one in config["ProductionVariants"]])
            )
    for (config, models), environment in zip(made, MODES.values(), strict=True):
        assert config["DataCaptureConfig"] == {"EnableCapture": True}
        assert [one["VariantName"] for one in config["ProductionVariants"]] == ["a", "b"]
        assert [one["PrimaryContainer"]["Image"] for one in models] == ["a", "b"]
        assert all(one["PrimaryContainer"]["Environment"] == {"OWN": "1", **environment} for one in models)
        assert all(one["VpcConfig"] == {"Subnets": ["s"]} for one in models)
    assert (sagemaker.served, set(sagemaker.configs), set(sagemaker.models)) == ("live", {"live"}, {"a", "b"})


class Unkind(SageMaker):
    """Its second configuration cannot be made."""

    def create_endpoint_config(self, EndpointConfigName: str, **members: Any) -> None:  # noqa: N803
        if "-load-1-" in EndpointConfigName:
            raise refused("CreateEndpointConfig")
        super().create_endpoint_config(EndpointConfigName, **members)


def stopped_half_way(sagemaker: SageMaker) -> None:
    with modes(sagemaker).each(MODES) as turns:
        next(turns)
        sagemaker.looks = 5  # an update of somebody else's is under way
        raise KeyboardInterrupt


def run_through(sagemaker: SageMaker) -> None:
    with modes(sagemaker).each(MODES) as turns:
        assert len(list(turns)) == len(MODES)


def test_an_endpoint_is_as_before_when_something_fails_or_somebody_stops_it_half_way() -> None:
    interrupted, failing = SageMaker(), Unkind()
    with pytest.raises(KeyboardInterrupt):
        stopped_half_way(interrupted)
    with pytest.raises(ClientError):
        run_through(failing)
    for sagemaker in (interrupted, failing):
        assert sagemaker.served == "live"
        assert (set(sagemaker.configs), set(sagemaker.models)) == ({"live"}, {"a", "b"})


def deployed(authorisation: str) -> Deployed:
    return Deployed("qa", "bucket", "arn", "https://api", "eu-west-1", False, authorisation)


def test_a_stage_of_signed_requests_cannot_be_loaded_and_a_key_is_handed_on(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": api.url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    told = {"item": [{"name": "penstock-qa", "value": "secret"}]}
    api.answers["GET", "/apikeys?name=penstock-qa&includeValues=true"] = (200, told)
    environment: dict[str, str] = {}
    admit(deployed("none"), environment)
    assert environment == {}
    with pytest.raises(PenstockError, match="signed requests only"):
        admit(deployed("iam"), environment)
    admit(deployed("key"), environment)
    assert environment == {"PENSTOCK_API_KEY": "secret"}


@pytest.mark.parametrize(
    ("more", "users"),
    [((), 2), (("--users", "7"), 7), (("--users=8",), 8), (("-u", "9"), 9), (("-u10",), 10)],
)
def test_the_number_of_users_is_the_options_or_the_profiles(more: tuple[str, ...], users: int) -> None:
    profile = ROOT / "loadtest/profiles/smoke.conf"
    assert Load("http://x", "/predict", profile, ROOT, None, more).users == users


def test_a_run_that_measured_nothing_is_an_error_before_anything_is_compared(tmp_path: Path) -> None:
    """Locust itself does not start: there is no such option."""
    profile = ROOT / "loadtest/profiles/smoke.conf"
    plan = Load("http://x", "/predict", profile, tmp_path, None, ("--no-such-option",))
    with pytest.raises(PenstockError, match="measured nothing"):
        plan.measure("batching off")


def test_reports_that_cannot_be_compared_are_named_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    command = [sys.executable, "loadtest/compare.py", "--out", str(tmp_path / "c"), f"a:1={tmp_path}/a.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"compare.py: {tmp_path}/a.json: no request was measured; look at the run's own report\n"
    )


def test_every_word_asks_the_api_as_the_stage_wants_to_be_asked() -> None:
    """An Api made by a word itself would not sign its requests, nor send a key."""
    calls: list[str] = []
    for path in (ROOT / "penstock/cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Api"
            ):
                calls.append(f"{path.name}:{node.lineno}")
    assert calls == []


def uploads(*keys: str) -> tuple[int, Mapping[str, Any]]:
    return 200, {"objects": [{"key": key, "verdict": "accepted"} for key in keys]}


def test_a_pattern_may_stand_for_several_projects(api: FakeApi) -> None:
    api.answers["GET", "/projects"] = (200, {"projects": ["churn", "tweets"]})
    for project in ("churn", "tweets"):
        path = f"/projects/{project}/objects?limit=500&counts=false"
        api.answers["GET", path] = uploads(f"drop/{project}/x.csv", f"drop/{project}/y.csv")
    found = why._matching(Api(api.url), "drop/*/x.csv")
    assert [one["key"] for one in found] == ["drop/churn/x.csv", "drop/tweets/x.csv"]
