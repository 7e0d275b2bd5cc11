"""Load tests of a stage: Locust in a process of its own, and one endpoint in several modes, to compare them."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from penstock.deploy import Deployed
from penstock.deploy.access import IAM, authoriser
from penstock.errors import PenstockError

MODES: Mapping[str, Mapping[str, str]] = {
    "batching off": {"SERVING_ENABLE_BATCHING": "false"},
    "batching on": {"SERVING_ENABLE_BATCHING": "true"},
}
"""What of a model's environment differs; docs/model-server.md says what it means."""
MADE_UP = 20  # different bodies for a model that reads no text
KEY_VARIABLE = "PENSTOCK_API_KEY"
"""What loadtest/users.py sends as X-Api-Key."""
_PATIENCE_SECONDS = 1800.0
_UNDER_WAY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
_ENDED_WELL = (0, 1)  # Locust's codes when it has measured: the budget was kept, or not
_OF_CONFIG = (
    "DataCaptureConfig", "ShadowProductionVariants", "KmsKeyId", "AsyncInferenceConfig", "ExplainerConfig",
    "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "MetricsConfig",
)  # fmt: skip
_OF_MODEL = ("VpcConfig", "EnableNetworkIsolation", "InferenceExecutionConfig")


@dataclass(frozen=True)
class Load:
    """What is called, with what, how, and where the reports go."""

    url: str
    path: str
    profile: Path
    folder: Path
    bodies: Path | None
    more: tuple[str, ...] = ()

    def run(self, name: str) -> tuple[int, Path]:
        """Run the profile once; Locust's exit code (0: the budget was kept) and its JSON report."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / re.sub(r"\W+", "-", name)
        reports = ["--html", f"{target}.html", "--csv", str(target), "--json-file", str(target)]
        bodies = ["--bodies", str(self.bodies)] if self.bodies else []
        command = [sys.executable, "-m", "locust", "--config", str(self.profile), "--host", self.url]
        root = self.profile.parents[2]
        done = subprocess.run(
            [*command, "--path", self.path, "--only-summary", *bodies, *reports, *self.more],
            cwd=root,
            check=False,
        )
        return done.returncode, target.with_suffix(".json")

    def measure(self, name: str) -> tuple[int, Path]:
        """As `run`, but it must have measured: raises PenstockError when it has left no report."""
        code, report = self.run(name)
        if code not in _ENDED_WELL or not report.is_file():
            raise PenstockError(
                f"locust, {name}", f"it ended with code {code} and measured nothing", "Its own lines say why."
            )
        return code, report

    @property
    def users(self) -> int:
        """How many users the profile, or an option, says."""
        told = re.search(r"(?:^|\s)(?:--users[ =]|-u[ =]?)(\d+)", " ".join(self.more))
        if told is None:
            told = re.search(r"^users\s*=\s*(\d+)", self.profile.read_text(encoding="utf-8"), re.MULTILINE)
        return int(told[1]) if told else 1


def admit(deployed: Deployed, environment: MutableMapping[str, str] = os.environ) -> None:
    """Give Locust the key that the stage asks of its callers, unless it has one.

    Raises:
        PenstockError: it asks for signed requests.
    """
    if deployed.authorisation == IAM:
        raise PenstockError(
            f"stage {deployed.stage!r}", "it takes signed requests only, which Locust does not make",
            "Load a stage whose PENSTOCK_AUTHORISATION is none or key.",
        )  # fmt: skip
    authorise = authoriser(deployed)
    if authorise is not None:
        environment.setdefault(KEY_VARIABLE, authorise("GET", deployed.api_url, None, {})["x-api-key"])


def bodies_for(schema: Mapping[str, Any], folder: Path) -> Path | None:
    """A file of made-up bodies for a model of this request schema; None when it reads text: the workshop's texts do."""
    features = schema.get("x-features", [])
    if not features or any(feature["role"] == "text" for feature in features):
        return None
    draw = random.Random(42)  # noqa: S311 - the same bodies each time
    lines = [json.dumps({one["name"]: _value(one, draw) for one in features}) for _ in range(MADE_UP)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bodies.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _value(feature: Mapping[str, Any], draw: random.Random) -> Any:
    if feature["role"] == "category":
        return draw.choice(feature.get("categories") or [None])
    if feature["role"] == "date":
        return (date(2026, 1, 1) + timedelta(days=draw.randrange(365))).isoformat()
    return round(draw.uniform(0, 100), 2)


def profile_of(root: Path, name: str) -> Path:
    """The profile's file.

    Raises:
        PenstockError: there is none of that name.
    """
    folder = root / "loadtest" / "profiles"
    path = folder / f"{name}.conf"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in folder.glob("*.conf")))
        raise PenstockError(f"profile {name}", "there is no such profile", f"Name one of {known}.")
    return path


class Modes:
    """One endpoint, served in one mode after another, and left as it was."""

    def __init__(self, sagemaker: Any, endpoint: str, say: Callable[[str], None], pause: float = 1.0) -> None:
        self._sagemaker, self._endpoint, self._say = sagemaker, endpoint, say
        self._pause = pause  # seconds between two looks at an update

    @contextmanager
    def each(self, modes: Mapping[str, Mapping[str, str]]) -> Iterator[Iterator[str]]:
        """Yields the modes' names, each once the endpoint serves in it; in the end the endpoint is as before."""
        before = str(self._settled()["EndpointConfigName"])
        made: list[str] = []
        models: list[str] = []

        def turns() -> Iterator[str]:
            for number, (name, environment) in enumerate(modes.items()):
                self._say(f"{name}: updating {self._endpoint}")
                config = f"{self._endpoint[:40]}-load-{number}-{int(time.time())}"
                made.append(config)  # before it is there: whatever happens now, it is taken away again
                self._configure(config, before, environment, models)
                self._serve(config)
                yield name

        try:
            yield turns()
        finally:
            self._say(f"as before: updating {self._endpoint}")
            self._serve(before)
            for name in made:
                self._take_away(self._sagemaker.delete_endpoint_config, EndpointConfigName=name)
            for name in models:
                self._take_away(self._sagemaker.delete_model, ModelName=name)

    def _configure(self, name: str, before: str, environment: Mapping[str, str], models: list[str]) -> None:
        """A configuration as `before`, of the same models with another environment."""
        old = self._sagemaker.describe_endpoint_config(EndpointConfigName=before)
        variants = []
        for number, variant in enumerate(old["ProductionVariants"]):
            models.append(f"{name}-{number}")
            self._model(models[-1], variant["ModelName"], environment)
            variants.append({**variant, "ModelName": models[-1]})
        kept = {member: old[member] for member in _OF_CONFIG if old.get(member)}
        self._sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **kept)

    def _model(self, name: str, before: str, environment: Mapping[str, str]) -> None:
        old = self._sagemaker.describe_model(ModelName=before)
        kept = {member: old[member] for member in _OF_MODEL if old.get(member)}
        containers = old.get("Containers") or [old["PrimaryContainer"]]
        changed = [
            {**one, "Environment": {**one.get("Environment", {}), **environment}} for one in containers
        ]
        parts = {"Containers": changed} if old.get("Containers") else {"PrimaryContainer": changed[0]}
        self._sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=old["ExecutionRoleArn"], **parts, **kept
        )

    def _take_away(self, delete: Callable[..., Any], **named: str) -> None:
        try:
            delete(**named)
        except ClientError as error:
            if (
                error.response["Error"]["Code"] != "ValidationException"
            ):  # as SageMaker calls what is not there
                raise

    def _serve(self, config: str) -> None:
        """Update the endpoint, after an update that is under way; SageMaker refuses a second one meanwhile."""
        if self._settled()["EndpointConfigName"] == config:
            return
        self._sagemaker.update_endpoint(EndpointName=self._endpoint, EndpointConfigName=config)
        found = self._settled()
        if found["EndpointConfigName"] != config:
            why = found.get("FailureReason", "SageMaker gives no reason")
            raise PenstockError(
                self._endpoint, f"it went back: {why}", "`penstock logs` says what the model said."
            )

    def _settled(self) -> dict[str, Any]:
        """The endpoint once no update of it is under way."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            found: dict[str, Any] = self._sagemaker.describe_endpoint(EndpointName=self._endpoint)
            if found["EndpointStatus"] not in _UNDER_WAY:
                return found
            if time.monotonic() > deadline:
                raise PenstockError(
                    self._endpoint, "it is still updating", "Look at its events in SageMaker."
                )
            time.sleep(self._pause)  # the API offers nothing to wait on
