"""Starts supervised processes, knows those that run, and ends them all when the server ends.

Whether jobs can have an /opt/ml of their own is found out once, by trying. Where the kernel does not allow it, the
process gets SAGEMAKER_BASE_DIR, and /opt/ml at the start of an argument or of an environment value is rewritten.
"""

import dataclasses
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.logs import LogShipper
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import GUARD, Patience, Process, ProcessSpec
from penstock.localaws.execution.watch import Watch

log = logging.getLogger("penstock.localaws.execution")

OPT_ML = "/opt/ml"
_MODES = ("pid", "mount")
_STOP_SECONDS = 10.0
_NOTICE = (
    "[penstock] This machine does not let a process have its own /opt/ml: SAGEMAKER_BASE_DIR names the directory that "
    "stands in for it, and /opt/ml at the start of arguments and environment values has been rewritten to it. "
    "The names of a job's hosts (algo-1, ...) are not known to it either: they are 127.0.0.1."
)
_PROBE = ("/bin/sh", "-c", "test -e /opt/ml/probe && test -d /proc/self")


class Execution:
    """The processes of one place. `mode` fixes how they are isolated (`pid`, `mount`, `plain`); None tries.

    `clock` counts the seconds between SIGTERM and SIGKILL; without one the machine's time does.
    """

    def __init__(
        self, place: Place, clients: Clients, mode: str | None = None, clock: Patience | None = None
    ) -> None:
        self._place = place
        self._mode = mode
        self._clock = clock
        self._watch = Watch()
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._ending = False
        self.logs = LogShipper(lambda: clients.client("logs"))

    @property
    def mode(self) -> str:
        """How processes are isolated here; probed at first use."""
        with self._lock:
            if self._mode is None:
                self._mode = probe(self._place.python)
            return self._mode

    def base(self, optml: Path) -> str:
        """The path at which a process sees the directory `optml`: /opt/ml, or the directory itself."""
        return str(optml) if self.mode == "plain" else OPT_ML

    def start(self, spec: ProcessSpec) -> Process:
        """Start a process tree; its end is `Process.wait`."""
        mode = self.mode
        if spec.optml is not None and mode == "plain":
            spec = rewritten(spec, spec.optml)
        with self._lock:
            if self._ending:
                raise RuntimeError("the embedded AWS is stopping: nothing is started any more")
            process = Process(spec, mode, self._place.python, self.logs.open, self._clock)
            self._running = {one for one in self._running if one.alive} | {process}
        self._watch.add(process)
        return process

    def close(self, grace: float = _STOP_SECONDS / 2) -> None:
        """End every process, by force after `grace` seconds (0: at once), and send the last lines."""
        with self._lock:
            self._ending = True
            running = [process for process in self._running if process.alive]
        for process in running:
            if grace > 0:
                process.terminate(grace)
            else:
                process.kill()
        for process in running:
            if process.wait(grace) is None:
                process.kill()  # the clock that counts its grace may stand still
            if process.wait(_STOP_SECONDS) is None:
                log.error("process %d did not end", process.pid)
        self.logs.close()


def probe(python: str) -> str:
    """The best mode that works here: try a jail of each kind, 30 ms apiece."""
    if sys.platform != "linux" or not os.path.isdir("/opt"):
        return "plain"
    with tempfile.TemporaryDirectory(prefix="penstock-probe-") as base:
        Path(base, "probe").touch()
        return next((mode for mode in _MODES if _works(python, mode, base)), "plain")


def _works(python: str, mode: str, base: str) -> bool:
    command = [python, "-I", "-S", GUARD, mode, base, "", "/", *_PROBE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tried:
        said = tried.stderr.read().strip() if tried.stderr else ""
        if tried.wait() != 0:
            log.info("jobs cannot be isolated by %r here: %s", mode, said)
        return tried.returncode == 0


def rewritten(spec: ProcessSpec, optml: Path) -> ProcessSpec:
    """The same process where it cannot have its own /opt/ml."""

    def here(text: str) -> str:
        if text == OPT_ML or text.startswith(OPT_ML + "/"):
            return str(optml) + text[len(OPT_ML) :]
        return text

    env = {name: here(value) for name, value in spec.env.items()} | {"SAGEMAKER_BASE_DIR": str(optml)}
    return dataclasses.replace(
        spec, argv=tuple(here(one) for one in spec.argv), env=env, cwd=here(spec.cwd), notice=_NOTICE
    )
