"""Runs a Glue job run's script as Glue does: real `--key value` arguments, own directory, timeout, two log streams.

The run record is MiniStack's dictionary and is changed in place: JobRunState, ErrorMessage, times, LogGroupName.
"""

import shutil
import threading
import time
from pathlib import Path, PurePosixPath
from typing import Any

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.glue.modules import missing_modules

Record = dict[str, Any]

_SHIM = str(Path(__file__).with_name("shim"))
_STOP_GRACE_SECONDS = 10.0
_MINUTE = 60.0
_MESSAGE_LIMIT = 2000
_NEEDS_SPARK = ("No module named 'pyspark", "No module named 'awsglue.")


class CannotRun(Exception):
    """The run fails before its script starts; the text is its ErrorMessage."""


class GlueRunner:
    """Runs of one place; each has a directory below `place.root` while it goes on."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients = Clients(place)
        self._execution = Execution(place, self._clients)
        self._lock = threading.Lock()
        self._processes: dict[str, Process | None] = {}  # None: under way, without a process yet
        self._stopped: set[str] = set()

    def start(self) -> None:
        """Clean up after a server that died."""
        shutil.rmtree(self._place.root, ignore_errors=True)
        self._place.root.mkdir(parents=True, mode=0o700)

    def stop(self) -> None:
        """End every run."""
        self._execution.close()
        self._clients.close()

    def stop_run(self, run_id: str) -> None:
        """End a run, now or as soon as it has a process."""
        with self._lock:
            if run_id in self._processes:
                self._stopped.add(run_id)
            process = self._processes.get(run_id)
        if process is not None:
            process.terminate(_STOP_GRACE_SECONDS)

    def end_runs(self) -> None:
        """End every run at once, by force."""
        with self._lock:
            running = dict(self._processes)
            self._stopped.update(running)
        for process in running.values():
            if process is not None:
                process.kill()
                process.wait(_STOP_GRACE_SECONDS)

    def execute(self, run: Record, job: Record, args: dict[str, str], resolved: str) -> None:
        """Run the script at the local path `resolved`; returns when it has ended, with `run` saying how."""
        directory = self._place.root / PurePosixPath(run["Id"]).name
        with self._lock:
            self._processes[run["Id"]] = None
        run.update(JobRunState="RUNNING", LastModifiedOn=time.time(), LogGroupName=log_group(job))
        try:
            self._run_script(run, self._spec(run, job, args, resolved, directory))
        except CannotRun as error:
            run.update(JobRunState="FAILED", ErrorMessage=str(error))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            self._forget(run)

    def _forget(self, run: Record) -> None:
        with self._lock:
            self._processes.pop(run["Id"], None)
            self._stopped.discard(run["Id"])
        now = time.time()
        run.update(CompletedOn=now, LastModifiedOn=now, ExecutionTime=int(now - run.get("StartedOn", now)))

    def _spec(
        self, run: Record, job: Record, args: dict[str, str], script: str, directory: Path
    ) -> ProcessSpec:
        """Fetch what the run needs; what to run."""
        missing = missing_modules(args.get("--additional-python-modules", ""))
        if missing:
            raise CannotRun(
                f"--additional-python-modules asks for {', '.join(missing)}, which this machine does not have. "
                "Install it where penstock is installed."
            )
        for name in ("script", "home", "work", "extra"):
            (directory / name).mkdir(parents=True, mode=0o700)
        local = self._fetch(script, directory / "script")
        paths = [
            self._import_path(uri, directory / "extra" / str(number))
            for number, uri in enumerate(_listed(args.get("--extra-py-files", "")))
        ]
        env = {
            **job_environment(self._place, str(directory / "home")),
            "PYTHONPATH": ":".join([*dict.fromkeys(paths), _SHIM]),
        }
        group = log_group(job)
        return ProcessSpec(
            (self._place.python, str(local), *script_arguments(run, job, args)),
            env,
            str(directory / "work"),
            log=(f"{group}/output", run["Id"]),
            error_log=(f"{group}/error", run["Id"]),
        )

    def _import_path(self, uri: str, directory: Path) -> str:
        """What goes on PYTHONPATH for one extra file: a zip or wheel itself, the directory of a .py."""
        directory.mkdir()  # one each: two archives may have the same name
        local = self._fetch(uri, directory)
        return str(local if local.suffix in (".zip", ".whl", ".egg") else local.parent)

    def _fetch(self, location: str, directory: Path) -> Path:
        """A copy of an S3 object or local file in `directory`, under its own name."""
        target = directory / PurePosixPath(location).name
        try:
            if location.startswith("s3://"):
                bucket, _, key = location.removeprefix("s3://").partition("/")
                body = self._clients.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
                with body, target.open("wb") as file:
                    shutil.copyfileobj(body, file)
            else:
                shutil.copyfile(location, target)
        except Exception as error:  # of boto3's, botocore's and the file system's families
            raise CannotRun(f"LAUNCH ERROR | {location} could not be read: {error}") from error
        return target

    def _run_script(self, run: Record, spec: ProcessSpec) -> None:
        process = self._execution.start(spec)
        with self._lock:
            self._processes[run["Id"]] = process
            stopped = run["Id"] in self._stopped
        if stopped:
            process.terminate(_STOP_GRACE_SECONDS)
        minutes = float(run.get("Timeout") or 2880)
        code = process.wait(minutes * _MINUTE)
        if code is None:
            process.terminate(_STOP_GRACE_SECONDS)
            process.wait()
            run.update(
                JobRunState="TIMEOUT", ErrorMessage=f"Job run exceeded its timeout of {minutes:g} minutes."
            )
        elif run["Id"] in self._stopped:
            run["JobRunState"] = "STOPPED"
        elif code == 0:
            run["JobRunState"] = "SUCCEEDED"
        else:
            said = (
                process.last_errors[-1] if process.last_errors else f"The script ended with exit code {code}."
            )
            run.update(JobRunState="FAILED", ErrorMessage=_explained(said.strip())[:_MESSAGE_LIMIT])


def log_group(job: Record) -> str:
    """The first part of a job's two log groups."""
    shell = job.get("Command", {}).get("Name") == "pythonshell"
    return "/aws-glue/python-jobs" if shell else "/aws-glue/jobs"


def script_arguments(run: Record, job: Record, args: dict[str, str]) -> list[str]:
    """`--JOB_NAME name --JOB_RUN_ID id`, then every argument as `--key value`: what scripts read from sys.argv."""
    pairs = {"--JOB_NAME": job["Name"], "--JOB_RUN_ID": run["Id"], **args}
    return [text for key, value in pairs.items() for text in (key, str(value))]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _explained(said: str) -> str:
    """What the script said last; where it needs Spark and there is none, what to do about it too."""
    if any(words in said for words in _NEEDS_SPARK):
        return f"{said}. The script needs Spark, which this machine lacks: install pyspark and Java, or run it on AWS."
    return said
