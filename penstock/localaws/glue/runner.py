"""Runs the script of one Glue job run: its own directory, its modules on the path, `--key value` arguments, its time.

What Glue does and we do not: worker types are not told apart, and `--additional-python-modules` is not installed (the
interpreter is this project's own); a module that is missing fails the run with Python's own words.
"""

import logging
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import Process, ProcessSpec

log = logging.getLogger("penstock.localaws.glue")
Record = dict[str, Any]

SHIM = Path(__file__).with_name("shim")  # awsglue, for scripts that import it
_STOP_SECONDS = 10.0
_GROUPS = {"pythonshell": "/aws-glue/python-jobs", "glueetl": "/aws-glue/jobs"}


class GlueRunner:
    """Job runs of one embedded AWS; each lives below the place's root as long as it runs."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients = Clients(place)
        self._execution = Execution(place, self._clients)
        self._running: dict[str, Process] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Clear what runs of a killed server left on disk."""
        shutil.rmtree(self._place.root, ignore_errors=True)

    def stop(self) -> None:
        """End every run."""
        self._execution.close()
        self._clients.close()

    def stop_run(self, run_id: str) -> None:
        """Ask a run to end; killed when it does not within ten seconds. Returns at once."""
        with self._lock:
            process = self._running.get(run_id)
        if process is not None:
            process.terminate(_STOP_SECONDS)

    def execute(self, run: Record, job: Record, args: Mapping[str, str], resolved: str) -> None:
        """Run the script at `resolved` to its end; says how it ended in the run's JobRunState and ErrorMessage."""
        folder = self._place.root / run["Id"]
        folder.mkdir(parents=True, mode=0o700)
        try:
            script = Path(shutil.copy(resolved, folder / Path(resolved).name))
            modules = self._modules(args.get("--extra-py-files", ""), folder / "modules")
            self._run(run, self._spec(run, job, [str(script), *_flat(args)], modules, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, run: Record, spec: ProcessSpec) -> None:
        process = self._execution.start(spec)
        with self._lock:
            self._running[run["Id"]] = process
        try:
            code = process.wait(float(run["Timeout"]) * 60)
            if code is None:
                process.terminate(_STOP_SECONDS)
                process.wait()
                run["JobRunState"] = "TIMEOUT"
                run["ErrorMessage"] = f"The run took longer than its Timeout of {run['Timeout']} minutes."
                return
        finally:
            with self._lock:
                del self._running[run["Id"]]
        if code:
            said = (
                process.last_errors[-1] if process.last_errors else f"The script ended with exit code {code}."
            )
            run["JobRunState"], run["ErrorMessage"] = "FAILED", said
        else:
            run["JobRunState"] = "SUCCEEDED"

    def _spec(
        self, run: Record, job: Record, command: list[str], modules: list[str], folder: Path
    ) -> ProcessSpec:
        group = _GROUPS.get(job.get("Command", {}).get("Name", ""), "/aws-glue/jobs")
        run["LogGroupName"] = group
        environment = job_environment(self._place, str(folder))
        environment["PYTHONPATH"] = os.pathsep.join([*modules, str(SHIM)])
        return ProcessSpec(
            argv=(self._place.python, *command),
            env=environment,
            cwd=str(folder),
            log=(f"{group}/output", run["Id"]),
            error_log=(f"{group}/error", run["Id"]),
        )

    def _modules(self, uris: str, folder: Path) -> list[str]:
        """Fetch --extra-py-files; answers what goes on the module path: archives themselves, and their folder."""
        folder.mkdir()
        paths = [str(folder)]
        for number, uri in enumerate(filter(None, uris.split(","))):
            parts = urlsplit(uri.strip())
            name = (
                f"{number:02}-{Path(parts.path).name}"
                if uri.endswith((".zip", ".whl"))
                else Path(parts.path).name
            )
            target = folder / name
            self._clients.client("s3").download_file(parts.netloc, parts.path.lstrip("/"), str(target))
            if target.suffix in (".zip", ".whl", ".egg"):
                paths.append(str(target))
        return paths


def _flat(args: Mapping[str, str]) -> list[str]:
    """Glue's arguments as a command line."""
    return [part for name, value in args.items() for part in (name, value)]
