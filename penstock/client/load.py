"""Load tests of a stage: Locust in a process of its own, and one endpoint in several modes, to compare them."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError

MODES: Mapping[str, Mapping[str, str]] = {
    "batching off": {"SERVING_ENABLE_BATCHING": "false"},
    "batching on": {"SERVING_ENABLE_BATCHING": "true"},
}
"""What of a model's environment differs; docs/model-server.md says what it means."""
MADE_UP = 20  # different bodies for a model that reads no text
_PATIENCE_SECONDS, _PAUSE_SECONDS = 1800.0, 1.0


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

    @property
    def users(self) -> int:
        """How many users the profile, or an option, says."""
        told = re.search(r"--users (\d+)", " ".join(self.more))
        if told is None:
            told = re.search(r"^users\s*=\s*(\d+)", self.profile.read_text(encoding="utf-8"), re.MULTILINE)
        return int(told[1]) if told else 1


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

    def __init__(self, sagemaker: Any, endpoint: str, say: Callable[[str], None]) -> None:
        self._sagemaker, self._endpoint, self._say = sagemaker, endpoint, say

    @contextmanager
    def each(self, modes: Mapping[str, Mapping[str, str]]) -> Iterator[Iterator[str]]:
        """Yields the modes' names, each once the endpoint serves in it; in the end the endpoint is as before."""
        before = self._sagemaker.describe_endpoint(EndpointName=self._endpoint)["EndpointConfigName"]
        made: list[str] = []

        def turns() -> Iterator[str]:
            for name, environment in modes.items():
                self._say(f"{name}: updating {self._endpoint}")
                made.append(self._config(before, environment, len(made)))
                self._serve(made[-1])
                yield name

        try:
            yield turns()
        finally:
            self._say(f"as before: updating {self._endpoint}")
            self._serve(before)
            for name in made:
                self._sagemaker.delete_endpoint_config(EndpointConfigName=name)
                self._sagemaker.delete_model(ModelName=name)

    def _config(self, before: str, environment: Mapping[str, str], number: int) -> str:
        """A configuration as `before`, of the same model with another environment."""
        name = f"{self._endpoint[:40]}-load-{number}-{int(time.time())}"
        variant = self._sagemaker.describe_endpoint_config(EndpointConfigName=before)["ProductionVariants"][0]
        model = self._sagemaker.describe_model(ModelName=variant["ModelName"])
        container = dict(model.get("PrimaryContainer") or model["Containers"][0])
        container["Environment"] = {**container.get("Environment", {}), **environment}
        self._sagemaker.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=model["ExecutionRoleArn"]
        )
        self._sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "ModelName": name}]
        )
        return name

    def _serve(self, config: str) -> None:
        self._sagemaker.update_endpoint(EndpointName=self._endpoint, EndpointConfigName=config)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (found := self._sagemaker.describe_endpoint(EndpointName=self._endpoint))[
            "EndpointStatus"
        ] == "Updating":
            if time.monotonic() > deadline:
                raise PenstockError(
                    self._endpoint, "it is still updating", "Look at its events in SageMaker."
                )
            time.sleep(_PAUSE_SECONDS)  # the API offers nothing to wait on
        if found["EndpointConfigName"] != config:
            why = found.get("FailureReason", "SageMaker gives no reason")
            raise PenstockError(
                self._endpoint, f"it went back: {why}", "`penstock logs` says what the model said."
            )
