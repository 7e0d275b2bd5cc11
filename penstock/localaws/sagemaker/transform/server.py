"""One model server of a transform job: hosting's instance, with who asks it and the log of what went wrong."""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from penstock.localaws.execution.logs import Stream
from penstock.localaws.execution.process import Process
from penstock.localaws.sagemaker.hosting.instances import Instance, StartProcess
from penstock.localaws.sagemaker.transform.client import Client
from penstock.localaws.sagemaker.transform.parameters import Parameters, proposal, resolve

LOG_GROUP = "/aws/sagemaker/TransformJobs"
STOP_SECONDS = 30.0  # between SIGTERM and SIGKILL, for every container that serves
_LOOK_SECONDS = 0.02
_RESTART_SECONDS = 300.0  # after a crash; then its files are given up rather than the job hung up


class DataLog:
    """The job's stream `<job>/<instance>/data-log`: what holds, and why a file failed, in AWS's words."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, *lines: str, label: str = "") -> None:
        """Write lines, each with the time and the object (`label`) it is about."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        about = f"{label}: " if label else ""
        for line in lines:
            self._stream.write(f"{moment}:[sagemaker logs]: {about}{line}")

    def close(self) -> None:
        """Return when every line is there."""
        self._stream.close()


class Server:
    """A model server that is kept running until `stop`.

    `patience` is how many seconds it may take at first until /ping says 200.
    """

    def __init__(self, start: StartProcess, patience: float) -> None:
        self._start = start
        self._listens: int | None = None
        self._gone = False
        self._stopping = threading.Event()
        self._client: Client | None = None
        self._instance = Instance(self._start_on, patience)

    @property
    def id(self) -> str:
        """The instance's id."""
        return self._instance.id

    def wait_healthy(self) -> str | None:
        """Block until it answers /ping (None), or will not (why not)."""
        return self._instance.wait_healthy()

    def connect(self, request: Mapping[str, object], headers: Mapping[str, str]) -> tuple[Client, Parameters]:
        """Somebody to ask it, and how, after what the container itself proposes."""
        asking = Client(self._port, headers, 1.0, 0)
        parameters = resolve(request, proposal(*asking.parameters()))
        self._client = Client(self._port, headers, parameters.timeout, parameters.retries)
        if self._stopping.is_set():
            self._client.stop()
        return self._client, parameters

    def ask_to_stop(self, grace: float) -> None:
        """Let go of every request and send SIGTERM; what still runs after `grace` seconds is killed."""
        if self._client is not None:
            self._client.stop()  # first: whoever finds the server gone then knows why
        self._stopping.set()
        self._instance.ask_to_stop(grace)

    def stop(self) -> None:
        """End it and return when it has gone."""
        if self._client is not None:
            self._client.close()
        self._instance.stop(STOP_SECONDS)

    def _start_on(self, instance: str, port: int) -> Process:
        process = self._start(instance, port)
        self._listens = port
        return process

    def _port(self) -> int | None:
        """Where it listens, once it does (again); None when it does not come up or is stopped, and from then on."""
        deadline = time.monotonic() + _RESTART_SECONDS
        while not (self._instance.ready or self._gone):
            if self._stopping.wait(_LOOK_SECONDS) or time.monotonic() > deadline:
                self._gone = True
        return None if self._gone else self._listens
