"""How each server of the comparison is started, as its documentation recommends, and what it used."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).parent
PATIENCE = 180.0  # seconds until a server answers /ping
PEERS = ("penstock", "flask", "fastapi", "uvicorn", "litserve", "bentoml", "mlserver", "constant")


class DoesNotServe(Exception):
    """A server did not come up."""


@dataclass
class Server:
    """A running server: its processes, and the seconds each had used when it was last looked at."""

    name: str
    port: int
    root: psutil.Process
    seen: dict[int, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where requests go."""
        path = "/invocations"
        return f"http://127.0.0.1:{self.port}{path}"

    def shares(self) -> list[float]:
        """CPU seconds of each process since the last look, largest first."""
        now = {one.pid: sum(one.cpu_times()[:2]) for one in self._family()}
        spent = sorted((now[pid] - self.seen.get(pid, 0.0) for pid in now), reverse=True)
        self.seen = now
        return spent

    def memory(self) -> list[float]:
        """MB only that process holds (USS), of each, largest first."""
        return sorted((one.memory_full_info().uss / 1e6 for one in self._family()), reverse=True)

    def _family(self) -> list[psutil.Process]:
        return [one for one in (self.root, *self.root.children(recursive=True)) if one.is_running()]


@contextlib.contextmanager
def running(name: str, model: Path, peers: Path, scratch: Path) -> Iterator[Server]:
    """Start a server with a model and stop it, with all its processes, at the end."""
    port = _free_port()
    command, extra = _command(name, model, peers, scratch, port)
    inherited = {"PATH": os.environ["PATH"], "HOME": str(scratch), "OMP_NUM_THREADS": "1"}
    env = {**inherited, "MODEL": str(model), "PORT": str(port), "PYTHONPATH": str(HERE / "peers"), **extra}
    with (scratch / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=HERE / "peers")
    server = Server(name, port, psutil.Process(process.pid))
    try:
        _wait(server, process, Path(log.name))
        yield server
    finally:
        family = server._family() if process.poll() is None else []
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=20)
        for one in left:
            one.kill()


def _command(
    name: str, model: Path, peers: Path, scratch: Path, port: int
) -> tuple[list[str], dict[str, str]]:
    web, bento, mls = (str(peers / part / "bin") for part in ("web", "bento", "mls"))
    at = ["--host", "127.0.0.1", "--port", str(port)]
    uvicorn = [f"{web}/uvicorn", "uvicorn_app:app", *at, "--workers", "2", "--no-access-log"]
    if name == "penstock":
        return [sys.executable, "-m", "serving"], _ours(model, scratch, port)
    if name == "mlserver":
        return [f"{mls}/mlserver", "start", str(_mlserver(scratch, port))], {}
    bento_run = [f"{bento}/bentoml", "serve", "bento_app:Model", *at]
    commands = {
        "flask": [f"{web}/gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "flask_app:app"],
        "fastapi": [f"{web}/uvicorn", "fastapi_app:app", *at, "--workers", "2", "--no-access-log"],
        "uvicorn": uvicorn,
        "constant": uvicorn,
        "litserve": [f"{web}/python", "litserve_app.py"],
        "bentoml": bento_run,
    }
    return commands[name], {"CONSTANT": "1"} if name == "constant" else {"BENTOML_DO_NOT_TRACK": "True"}


def _ours(model: Path, scratch: Path, port: int) -> dict[str, str]:
    base = scratch / f"opt-ml-{model.name}"
    base.mkdir(exist_ok=True)
    if not (base / "model").exists():
        (base / "model").symlink_to(model)
    return {
        "PYTHONPATH": str(HERE.parents[1]),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
        "SERVING_DEFAULTS": "serving.plain",
        "SERVING_UNPICKLE": "true",
    }


def _mlserver(scratch: Path, port: int) -> Path:
    folder = scratch / f"mlserver-{port}"
    folder.mkdir()
    runtime = HERE / "peers/mlserver/runtime.py"
    (folder / "settings.json").write_text(
        f'{{"debug": false, "host": "127.0.0.1", "http_port": {port}, "grpc_port": {_free_port()}, '
        f'"metrics_port": {_free_port()}, "metrics_dir": "{folder}", "parallel_workers": 2}}'
    )
    (folder / "model-settings.json").write_text('{"name": "model", "implementation": "runtime.Runtime"}')
    (folder / "runtime.py").write_text(
        runtime.read_text().replace("Path(__file__).parents[1]", repr(str(HERE / "peers")))
    )
    return folder


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    path = (
        "/v2/models/model/ready"
        if server.name == "mlserver"
        else "/healthz"
        if server.name == "bentoml"
        else "/ping"
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as said,
        ):
            if said.status == 200:
                return
        time.sleep(0.2)
    raise DoesNotServe(f"it does not answer /ping; the end of its log: {log.read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
