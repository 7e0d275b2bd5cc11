"""The image's recipe, without Docker: its packages in a fresh virtualenv, its start command, an unprivileged user."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests.serving.conftest import REPO, ModelServer, free_port

UNPRIVILEGED = 65534  # nobody
MAKING = """
import sys, numpy, xgboost
xgboost.train({}, xgboost.DMatrix(numpy.eye(2), [0, 1]), 2).save_model(sys.argv[1])
"""
DOCKERFILE = (REPO / "serving/Dockerfile").read_text()


def test_the_image_copies_what_there_is_and_runs_as_nobody_special():
    for source in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        for path in source.split():
            assert (REPO / path).exists(), path
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert os.access(REPO / "serving/serve", os.X_OK)


def test_the_image_installs_pinned_versions_of_what_the_server_imports():
    pinned = {line.partition("==")[0].lower() for line in (REPO / "constraints.txt").read_text().splitlines()}
    wanted = [
        line for line in (REPO / "serving/requirements.txt").read_text().splitlines() if line[:1] != "#"
    ]
    assert wanted == sorted(wanted)
    assert set(wanted) <= pinned


@pytest.fixture
def place():
    """A directory that other users can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def interpreter() -> str | None:
    """A Python of the image's version that an unprivileged user can run."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3.11")):
        command = [python, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"]
        with contextlib.suppress(OSError):
            if subprocess.run(command, user=UNPRIVILEGED, check=False, cwd="/").returncode == 0:
                return str(python)
    return None


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process as somebody else")
def test_the_start_command_serves_in_a_fresh_virtualenv_as_an_unprivileged_user(place: Path):
    """As the Dockerfile does it, step by step; the user owns nothing but the base directory."""
    python = interpreter()
    if python is None:
        pytest.skip("no Python 3.11 that an unprivileged user can run")
    installed, base, venv = place / "opt", place / "ml", place / "venv/bin/python"
    subprocess.run([python, "-m", "venv", "--without-pip", place / "venv"], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", venv, "install", "-q", "-r", REPO / "serving/requirements.txt",
         "-c", REPO / "constraints.txt"], check=True,
    )  # fmt: skip
    shutil.copytree(REPO / "serving", installed / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    (base / "model").mkdir(parents=True)
    subprocess.run([venv, "-c", MAKING, base / "model/model.ubj"], check=True)
    os.chown(base, UNPRIVILEGED, UNPRIVILEGED)
    port = free_port()
    settings = dict(re.findall(r"(?:ENV |^\s+)([A-Z_]+)=(\S+)", DOCKERFILE, re.MULTILINE))
    env = {
        **settings,
        "PATH": f"{venv.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(installed),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
    }
    with (base / "stdout").open("wb") as out, (base / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [installed / "serving/serve"], env=env, cwd=base, stdout=out, stderr=err,
            user=UNPRIVILEGED, group=UNPRIVILEGED, extra_groups=[], start_new_session=True,
        )  # fmt: skip
    server = ModelServer(process, port, base, patience=120)  # everything is imported for the first time
    try:
        server.wait_until_healthy()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", b"[1, 0]", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as said:
            assert "predictions" in json.load(said)
        assert Path(f"/proc/{process.pid}").stat().st_uid == UNPRIVILEGED
    finally:
        process.terminate()
        assert server.exit_code() == 0, server.errors()
