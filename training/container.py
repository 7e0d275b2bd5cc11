"""Where SageMaker puts things: the only file that knows /opt/ml paths, SM_* names and the failure file.

Paths and variables are those of the training and processing containers; `SAGEMAKER_BASE_DIR` moves the whole tree.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

BASE = "/opt/ml"
FAILURE_LENGTH = 1024  # characters SageMaker keeps of the failure file and of the exit message
_SAME = {"xgboost-cpu": ("xgboost-cpu", "xgboost")}  # distributions that provide the same module


class Container:
    """The directories and settings of one job. `environ` is read, never written."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self.base = Path(environ.get("SAGEMAKER_BASE_DIR") or BASE)

    # -- training ---------------------------------------------------------------------------------------

    def channel(self, name: str) -> Path | None:
        """Return the directory of an input channel, or None if the job was not given that channel."""
        path = self._path(f"SM_CHANNEL_{name.upper()}", f"input/data/{name}")
        return path if path.exists() else None

    @property
    def model_dir(self) -> Path:
        """Return the directory that becomes model.tar.gz, made if need be."""
        return _made(self._path("SM_MODEL_DIR", "model"))

    @property
    def cores(self) -> int:
        """Return how many processor cores the job may use."""
        text = self._environ.get("SM_NUM_CPUS", "")
        return int(text) if text.isdigit() and int(text) > 0 else len(os.sched_getaffinity(0))

    def hyperparameters(self, arguments: Sequence[str]) -> dict[str, str]:
        """Return the hyperparameters as text: the file or SM_HPS, then `--name value` arguments over them.

        SageMaker's own (`sagemaker_…`, `_tuning_…`) are left out; JSON-quoted values are unquoted.
        """
        given = {**self._configured(), **_pairs(arguments)}
        return {
            name: _plain(value) for name, value in given.items() if not name.startswith(("sagemaker_", "_"))
        }

    def _configured(self) -> dict[str, Any]:
        text = self._environ.get("SM_HPS")
        path = self.base / "input/config/hyperparameters.json"
        if not text and path.is_file():
            text = path.read_text()
        return dict(json.loads(text)) if text else {}

    # -- processing -------------------------------------------------------------------------------------

    def processing(self, name: str) -> Path | None:
        """Return the directory of a processing input, or None if the job was not given that input."""
        path = self.base / "processing" / name
        return path if path.exists() else None

    @property
    def output_dir(self) -> Path:
        """Return the directory a processing job's results are uploaded from, made if need be."""
        return self.output("output")

    def output(self, name: str) -> Path:
        """Return a directory of its own that a processing job's results are uploaded from, made if need be."""
        return _made(self.base / "processing" / name)

    @property
    def project(self) -> str:
        """Return the project the job belongs to, empty if nobody said."""
        return self._environ.get("PENSTOCK_PROJECT", "")

    @property
    def run(self) -> str:
        """Return the run the job belongs to, empty if nobody said."""
        return self._environ.get("PENSTOCK_RUN", "")

    @property
    def stage(self) -> str:
        """Return the stage, which Claim gives as PENSTOCK_STAGE."""
        return self._environ.get("PENSTOCK_STAGE", "")

    @property
    def region(self) -> str | None:
        """Return the AWS region of the job, if it says."""
        return self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION")

    @property
    def has_credentials(self) -> bool:
        """Return whether the environment offers AWS credentials."""
        return any(
            self._environ.get(name)
            for name in (
                "AWS_ACCESS_KEY_ID",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
            )
        )

    # -- both -------------------------------------------------------------------------------------------

    def fail(self, kind: str, reason: str) -> NoReturn:
        """Say why on stderr and where SageMaker looks (training: failure, processing: message); exit 1."""
        text = f"{kind}: {reason}"[:FAILURE_LENGTH]
        for name in ("failure", "message"):
            (_made(self.base / "output") / name).write_text(text, encoding="utf-8")
        print(text, file=sys.stderr, flush=True)
        raise SystemExit(1)

    def _path(self, variable: str, default: str) -> Path:
        given = self._environ.get(variable)
        return Path(given) if given else self.base / default


def ensure_requirements(*roles: str) -> list[str]:
    """Install what requirements.txt asks for these roles and the image lacks; return what was installed.

    A role is a learner's name or `judge`: lines behind `#<role>:`. Lines without a mark are for all.
    Nothing is downloaded, and pip not even started, when everything is there.
    """
    missing = [line for line in _required(roles) if not _satisfied(line)]
    if missing:
        print(f"Installing {', '.join(missing)}", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
    return missing


def _required(roles: Sequence[str]) -> list[str]:
    """Return the lines of requirements.txt that hold for the roles, without their marks."""
    wanted = []
    for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines():
        mark, marked, requirement = line.removeprefix("#").partition(":")
        if line.startswith("#"):
            wanted += [requirement.strip()] if marked and mark in roles else []
        elif line.strip():
            wanted.append(line.strip())
    return wanted


def _satisfied(line: str) -> bool:
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 - not in every image
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]  # noqa: PLC0415
    requirement = Requirement(line)
    for name in _SAME.get(requirement.name, (requirement.name,)):
        try:
            return requirement.specifier.contains(importlib.metadata.version(name), prereleases=True)
        except importlib.metadata.PackageNotFoundError:
            continue
    return False


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _pairs(arguments: Sequence[str]) -> dict[str, str]:
    """Return `--name value` pairs; a name with no value after it is a flag: true."""
    pairs: dict[str, str] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, found, value = argument[2:].partition("=")
            pairs[name] = value if found else "true"
        elif name:
            pairs[name] = argument
            name = ""
    return pairs


def _plain(value: Any) -> str:
    """Return a value as text, without the JSON quotes the SDK puts around strings."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        value = json.loads(value)
    return value if isinstance(value, str) else json.dumps(value)
