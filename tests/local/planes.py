"""A SageMaker plane in this very process, on the session's embedded AWS: for tests that move its clock."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution
from penstock.localaws.sagemaker import Place, SageMaker
from tests.local.conftest import EmbeddedAws, until

OVER = ("Completed", "Failed", "Stopped")


def unheard(_entries: list[dict[str, Any]]) -> None:
    """Where events go: nobody listens."""


class Jobs:
    """Jobs of a plane by its operations."""

    def __init__(self, sagemaker: SageMaker) -> None:
        self.sagemaker = sagemaker
        self.plane = sagemaker.plane

    def create(self, request: dict[str, Any]) -> str:
        """Create a training job; its name."""
        self.sagemaker.call("CreateTrainingJob", request)
        return str(request["TrainingJobName"])

    def describe(self, name: str) -> dict[str, Any]:
        """DescribeTrainingJob."""
        return self.sagemaker.call("DescribeTrainingJob", {"TrainingJobName": name})

    def stop(self, name: str) -> None:
        """StopTrainingJob."""
        self.sagemaker.call("StopTrainingJob", {"TrainingJobName": name})

    def reached(self, name: str, secondary: str) -> dict[str, Any]:
        """Wait until a training job is in this secondary status; its description."""

        def there() -> dict[str, Any] | None:
            described = self.describe(name)
            return described if described["SecondaryStatus"] == secondary else None

        found: dict[str, Any] = until(there)
        return found

    def ended(self, name: str) -> dict[str, Any]:
        """Wait until a training job is over; its description."""
        return self.sagemaker.wait_job("training", name)


def place(aws: EmbeddedAws, root: Path) -> Place:
    return Place(root / "a plane", aws.endpoint_url, "us-east-1", "000000000000", sys.executable, root)


@contextmanager
def plane(aws: EmbeddedAws, root: Path, mode: str | None = None) -> Iterator[Jobs]:
    """A started plane below `root`; stopped at the end."""
    where = place(aws, root)
    made = SageMaker(where, publish=unheard)
    if mode is not None:
        made.plane.execution = Execution(where, Clients(where), mode=mode, clock=made.plane.clock)
    made.start()
    try:
        yield Jobs(made)
    finally:
        made.stop()
