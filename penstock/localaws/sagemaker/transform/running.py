"""A transform job while it runs: its model servers, each with a share of the files, until all are done."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.transform.faults import ALGORITHM, BadFile, Stopped, reason
from penstock.localaws.sagemaker.transform.files import Plan, Transformer, Window
from penstock.localaws.sagemaker.transform.inputs import Input
from penstock.localaws.sagemaker.transform.server import STOP_SECONDS, DataLog, Server


class Share:
    """What one server transforms: its files, and where it says what went wrong."""

    def __init__(self, server: Server, files: Sequence[Input], data_log: DataLog) -> None:
        self.server = server
        self.files = files
        self.log = data_log


class Running:
    """The transform jobs of a plane that run, to be ended with it."""

    def __init__(self, _plane: Plane) -> None:
        self._lock = threading.Lock()
        self._jobs: set[Transform] = set()

    def add(self, job: "Transform") -> None:
        """One more."""
        with self._lock:
            self._jobs.add(job)

    def remove(self, job: "Transform") -> None:
        """One that has ended."""
        with self._lock:
            self._jobs.discard(job)

    def terminate(self, grace: float) -> None:
        """End all."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.terminate(grace)


class Transform:
    """A running job. `done` are the files whose output is stored."""

    def __init__(
        self, plane: Plane, request: Mapping[str, Any], plan: Plan, scratch: Path, shares: Sequence[Share]
    ) -> None:
        self._s3 = plane.client("s3")
        self._running = plane.part(Running)
        self._request = request
        self._plan = plan
        self._scratch = scratch
        self._shares = shares
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._blames: set[str] = set()
        self.done: list[Input] = []
        self._running.add(self)

    def wait(self) -> str | None:
        """Block until every file is done and every server gone; FailureReason, or None."""
        try:
            failure = self._unhealthy()
            if failure is None:
                _together([partial(self._serve, share) for share in self._shares])
                failure = reason(self._blames)
        finally:
            _together([share.server.stop for share in self._shares])
            for share in self._shares:
                share.log.close()
            self._running.remove(self)
        return failure

    def terminate(self, grace: float) -> None:
        """Take up no further file and end the servers; finished outputs stay."""
        self._stopping.set()
        for share in self._shares:
            share.server.ask_to_stop(min(grace, STOP_SECONDS))

    def _unhealthy(self) -> str | None:
        for share in self._shares:
            why = share.server.wait_healthy()
            if why is not None:
                return f"{ALGORITHM}: Model container failed to respond to ping. {why}"
        return None

    def _serve(self, share: Share) -> None:
        """All files of one server."""
        source = self._request["TransformInput"]
        accept = self._request["TransformOutput"].get("Accept")
        headers = {"Content-Type": source.get("ContentType"), "Accept": accept}
        client, parameters = share.server.connect(
            self._request, {name: value for name, value in headers.items() if value}
        )
        share.log.write(parameters.said)
        count = parameters.concurrency
        with (
            ThreadPoolExecutor(count, thread_name_prefix="transform") as asking,
            ThreadPoolExecutor(min(count, len(share.files)), thread_name_prefix="transform-file") as files,
        ):
            window = Window(asking, parameters.places)
            transformer = Transformer(self._s3, self._plan, parameters, client, window, self._scratch)
            list(files.map(lambda one: self._file(transformer, share, one), share.files))

    def _file(self, transformer: Transformer, share: Share, source: Input) -> None:
        if self._stopping.is_set():
            return
        try:
            transformer.run(source)
        except Stopped:
            return
        except BadFile as bad:
            share.log.write(*bad.lines, label=source.label)
            with self._lock:
                self._blames.add(bad.blame)
        else:
            with self._lock:
                self.done.append(source)


def _together(actions: Sequence[Callable[[], None]]) -> None:
    """Each in a thread of its own; returns when all are done, and raises what the first of them raised."""
    with ThreadPoolExecutor(max(1, len(actions)), thread_name_prefix="transform-server") as threads:
        for future in [threads.submit(action) for action in actions]:
            future.result()
