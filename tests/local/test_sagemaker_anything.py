"""Jobs and endpoints created, updated, stopped and deleted in any order: the status diagrams hold, and nothing is left.

A hypothesis state machine against a real embedded AWS. What AWS refuses in a state it may refuse here; what it accepts
must lead along its diagram. After each run: no process, no open port, no file of what was deleted.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from tests.local import job_requests as jobs
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import Hosting

# From where a job or an endpoint gets to where; what is polled may skip what lies between.
JOB = {
    "InProgress": {"Completed", "Failed", "Stopping", "Stopped"},
    "Stopping": {"Stopped", "Completed", "Failed"},
}
ENDPOINT = {
    "Creating": {"InService", "Failed"},
    "InService": {"Updating", "SystemUpdating", "Deleting"},
    "Updating": {"InService", "RollingBack", "UpdateRollbackFailed"},
    "RollingBack": {"InService", "UpdateRollbackFailed"},
    "SystemUpdating": {"InService", "Failed"},
    "Failed": {"Deleting"},
    "UpdateRollbackFailed": {"Deleting", "Updating"},
    "Deleting": {"gone"},
}
SCRIPTS = {"quick": "true", "fails": "exit 3", "long": "sleep 60", "stubborn": "trap '' TERM; sleep 1"}


def reachable(diagram: dict[str, set[str]], start: str) -> set[str]:
    """Every status that can be seen after `start`, itself too."""
    found, todo = {start}, [start]
    while todo:
        new = diagram.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


class Anything(RuleBasedStateMachine):
    """What a user may do, in any order; each step looks at every status."""

    aws: ClassVar[EmbeddedAws]
    bucket: ClassVar[str]
    configs: ClassVar[list[str]]

    training = Bundle("training")
    endpoints = Bundle("endpoints")

    def __init__(self) -> None:
        super().__init__()
        self.client = self.aws.client("sagemaker")
        self.seen: dict[tuple[str, str], str] = {}

    @rule(target=training, script=st.sampled_from(sorted(SCRIPTS)))
    def create_job(self, script: str) -> str:
        name = jobs.new_name("any")
        self.client.create_training_job(**jobs.shell_training(self.bucket, name, SCRIPTS[script]))
        self.look()
        return name

    @rule(name=training)
    def stop_job(self, name: str) -> None:
        with may_refuse("ValidationException"):
            self.client.stop_training_job(TrainingJobName=name)
        self.look()

    @rule(name=training)
    def create_again(self, name: str) -> None:
        with pytest.raises(ClientError) as refused:
            self.client.create_training_job(**jobs.shell_training(self.bucket, name, "true"))
        assert refused.value.response["Error"]["Code"] == "ResourceInUse"

    @rule(target=training, name=consumes(training))
    def delete_job(self, name: str) -> Any:
        with may_refuse("ResourceInUse") as accepted:
            self.client.delete_training_job(TrainingJobName=name)
        self.look()
        return multiple() if accepted else name

    @rule(target=endpoints, config=st.integers(0, 2))
    def create_endpoint(self, config: int) -> str:
        name = jobs.new_name("any")
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=self.configs[config])
        self.look()
        return name

    @rule(name=endpoints, config=st.integers(0, 2))
    def update_endpoint(self, name: str, config: int) -> None:
        with may_refuse("ValidationException"):
            self.client.update_endpoint(EndpointName=name, EndpointConfigName=self.configs[config])
        self.look()

    @rule(name=endpoints, count=st.integers(1, 2))
    def rescale(self, name: str, count: int) -> None:
        wanted = [{"VariantName": "live", "DesiredInstanceCount": count}]
        with may_refuse("ValidationException"):
            self.client.update_endpoint_weights_and_capacities(
                EndpointName=name, DesiredWeightsAndCapacities=wanted
            )
        self.look()

    @rule(name=endpoints)
    def settle(self, name: str) -> None:
        with contextlib.suppress(ClientError):  # it may have been deleted
            until(lambda: self.status("endpoint", name) in ("InService", "Failed", "gone"), 60)
        self.look()

    @rule(name=endpoints)
    def delete_endpoint(self, name: str) -> None:
        with may_refuse("ValidationException"):
            self.client.delete_endpoint(EndpointName=name)
        self.look()

    def status(self, kind: str, name: str) -> str:
        try:
            if kind == "endpoint":
                return str(self.client.describe_endpoint(EndpointName=name)["EndpointStatus"])
            return str(self.client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"])
        except ClientError:
            return "gone"

    def look(self) -> None:
        """Every status is one that can follow the last one seen."""
        found = {("endpoint", e["EndpointName"]): e["EndpointStatus"] for e in self.pages("endpoints")}
        found |= {("job", j["TrainingJobName"]): j["TrainingJobStatus"] for j in self.pages("training_jobs")}
        for key, before in self.seen.items():
            diagram = ENDPOINT if key[0] == "endpoint" else JOB
            now = found.get(key, "gone")
            allowed = reachable(diagram, before) | ({"gone"} if key[0] == "job" else set())
            assert now in allowed, f"{key}: {before} → {now}"
        self.seen |= found

    def pages(self, what: str) -> Iterator[dict[str, Any]]:
        answer = {"endpoints": "Endpoints", "training_jobs": "TrainingJobSummaries"}[what]
        for page in self.client.get_paginator(f"list_{what}").paginate(NameContains="any-"):
            yield from page[answer]

    def teardown(self) -> None:
        for job in list(self.pages("training_jobs")):
            with may_refuse("ValidationException"):
                self.client.stop_training_job(TrainingJobName=job["TrainingJobName"])
        for job in list(self.pages("training_jobs")):
            until(lambda name=job["TrainingJobName"]: self.status("job", name) in jobs.OVER, 60)
            self.client.delete_training_job(TrainingJobName=job["TrainingJobName"])
        for endpoint in list(self.pages("endpoints")):
            until(lambda name=endpoint["EndpointName"]: self.deleted(name), 90)
        nothing_is_left(self.aws)

    def deleted(self, name: str) -> bool:
        """Whether it is gone; asks for it as long as a state does not allow it."""
        if self.status("endpoint", name) == "gone":
            return True
        with may_refuse("ValidationException"):
            self.client.delete_endpoint(EndpointName=name)
        return False


@contextlib.contextmanager
def may_refuse(code: str) -> Iterator[list[bool]]:
    """Accept that refusal and no other; the list is not empty once the block went through."""
    accepted: list[bool] = []
    try:
        yield accepted
        accepted.append(True)
    except ClientError as refused:
        if refused.response["Error"]["Code"] != code:
            raise


def nothing_is_left(aws: EmbeddedAws) -> None:
    """No process started for jobs or endpoints, no port of one, no file."""
    mark = f"AWS_ENDPOINT_URL={aws.endpoint_url}".encode()
    own = {os.getpid()}

    def strays() -> list[str]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                inherited = mark in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if inherited and int(entry.name) not in own and "localaws.server" not in command:
                    found.append(command)
        return found

    until(lambda: not strays(), 20)
    place = aws.root / ".penstock" / "aws" / "sagemaker"
    for kind in ("jobs/training", "endpoints"):
        directory = place / kind
        until(lambda d=directory: not d.exists() or not list(d.iterdir()), 20)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc (Linux)")
@pytest.mark.parametrize(
    ("runs", "steps", "fresh"), [(5, 12, False), pytest.param(40, 25, True, marks=pytest.mark.slow)]
)
def test_whatever_is_done_in_whatever_order(own_aws: Any, runs: int, steps: int, fresh: bool) -> None:
    aws = own_aws()
    hosting = Hosting(aws, "configs")
    Anything.aws, Anything.bucket = aws, jobs.new_bucket(aws)
    Anything.configs = [
        hosting.config("one", ANSWER="one"),
        hosting.config("two", ANSWER="two"),
        hosting.config("broken", BROKEN="yes"),
    ]
    machine = Anything.TestCase()
    machine.settings = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not fresh,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.runTest()
