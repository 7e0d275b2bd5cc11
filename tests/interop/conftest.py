"""Runs client code in a virtualenv of its own, as a person would, against an embedded AWS."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.cli.env import settings
from penstock.localaws import control
from tests.local.conftest import EmbeddedAws, free_port

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
WHEEL = "colours-1.0-py3-none-any.whl"  # requirements.txt of the clients' source names it
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
_LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Client:
    """Runs scripts of `clients/` with one interpreter; `escapes` is where the guard notes what tried to leave."""

    python: Path
    environment: dict[str, str]
    escapes: Path

    def run(self, script: str) -> str:
        """What the script printed; fails when it fails, or when anything tried to leave this machine."""
        code, printed = self.attempt(script)
        assert code == 0, printed[-8000:]
        assert not self.tried(), f"{script} tried to leave this machine:\n{self.tried()}"
        return printed

    def tried(self) -> str:
        """What tried to leave this machine so far, a line each."""
        with contextlib.suppress(FileNotFoundError):
            return self.escapes.read_text()
        return ""

    def attempt(self, script: str) -> tuple[int, str]:
        """The script's exit code, and what it printed."""
        done = subprocess.run(
            [self.python, HERE / "clients" / f"{script}.py"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS of one file of tests, with the role a person made."""
    root = tmp_path_factory.mktemp("interop")
    running = EmbeddedAws(root, control.up(root, port=free_port()).port)
    iam = running.client("iam")
    iam.create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.attach_role_policy(
        RoleName="SageMakerRole", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    )
    yield running
    running.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients' source directory, with the wheel its requirements.txt names: no job needs an index."""
    target = tmp_path_factory.mktemp("code") / "source"
    shutil.copytree(HERE / "clients" / "source", target)
    info = "colours-1.0.dist-info"
    files = {
        "colours.py": 'BLUE = "#0000ff"\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: colours\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    (target / WHEEL).write_bytes(content.getvalue())
    return target


@pytest.fixture(scope="module")
def client_of(
    aws: EmbeddedAws, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Client]:
    """A client with the virtualenv `.venv-interop-<version>`; skipped where `make test-interop` has not made it."""

    def make(version: str) -> Client:
        python = ROOT / f".venv-interop-{version}" / "bin" / "python"
        if not python.exists():
            pytest.skip(f"there is no .venv-interop-{version}: `make test-interop` makes it")
        home = tmp_path_factory.mktemp("home")
        environment = {
            "PATH": os.defpath,
            **settings(aws.endpoint_url),  # what `penstock env` prints
            "SAGEMAKER_ROLE": "arn:aws:iam::000000000000:role/SageMakerRole",
            "SOURCE_DIR": str(source),
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONPATH": str(HERE / "guard"),
            "INTEROP_ESCAPES": str(home / "escapes"),
        }
        return Client(python, environment, home / "escapes")

    return make
