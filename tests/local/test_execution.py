"""Processes really run, see their own /opt/ml, and are gone when they should be: no fakes, no server."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution, probe
from penstock.localaws.execution.logs import LogShipper
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import Process, ProcessSpec
from tests.local.conftest import until

MODES = [mode for mode in ("pid", "mount", "plain") if mode == "plain" or probe(sys.executable) != "plain"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(
        tmp_path / "a root", "http://127.0.0.1:1", "us-east-1", "000000000000", sys.executable, tmp_path
    )


@pytest.fixture(params=MODES)
def execution(request: pytest.FixtureRequest, place: Place) -> Iterator[Execution]:
    made = Execution(place, Clients(place), mode=request.param)
    yield made
    made.close()


class Lines:
    """What a process printed."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []

    def __call__(self, source: str, line: str) -> None:
        (self.out if source == "stdout" else self.err).append(line)


def start(execution: Execution, ml: Path, *argv: str, **env: str) -> tuple[Process, Lines]:
    ml.mkdir(exist_ok=True, parents=True)
    lines = Lines()
    environment = {"PATH": os.environ["PATH"], **env}
    return execution.start(ProcessSpec(argv, environment, "/", optml=ml, on_line=lines)), lines


def shell(execution: Execution, ml: Path, script: str) -> tuple[Process, Lines]:
    return start(execution, ml, "/bin/sh", "-c", script)


def marked(mark: str) -> list[int]:
    """Processes on this machine with `mark` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_exit_code_and_lines(execution: Execution, tmp_path: Path) -> None:
    process, lines = shell(execution, tmp_path / "ml", "echo one; printf two; echo oops >&2; exit 7")
    assert process.wait(20) == 7
    assert (lines.out, lines.err, process.last_errors) == (["one", "two"], ["oops"], ["oops"])


def test_a_job_writes_to_its_own_opt_ml(execution: Execution, tmp_path: Path) -> None:
    process, lines = start(
        execution, tmp_path / "my ml", "/bin/sh", "-c", 'echo hi > "$HERE/x"; ls "$HERE"', HERE="/opt/ml"
    )
    assert (process.wait(20), lines.out, lines.err) == (0, ["x"], [])
    assert (tmp_path / "my ml" / "x").read_text() == "hi\n"


def test_two_jobs_do_not_see_each_other(execution: Execution, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    both = [start(execution, tmp_path / n, "/bin/sh", "-c", 'ls "$D"', D="/opt/ml") for n in ("a", "b")]
    assert [(process.wait(20), lines.out) for process, lines in both] == [(0, ["a"]), (0, ["b"])]
    assert not Path("/opt/ml").exists()


def test_a_command_that_does_not_exist(execution: Execution, tmp_path: Path) -> None:
    process, lines = start(execution, tmp_path / "ml", "no-such-command")
    assert process.wait(20) == 127
    assert "cannot start 'no-such-command'" in lines.err[0]


def test_a_signal_is_128_and_its_number(execution: Execution, tmp_path: Path) -> None:
    process, _ = shell(execution, tmp_path / "ml", "kill -9 $$")
    assert process.wait(20) == 128 + signal.SIGKILL


def test_terminate_lets_the_job_clean_up(execution: Execution, tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.02; done"
    process, lines = shell(execution, tmp_path / "ml", script)
    until(lambda: lines.out)
    process.terminate(grace=60)
    assert (process.wait(20), lines.out[-1]) == (5, "bye")


def test_a_job_asked_to_end_while_it_starts_ends(execution: Execution, tmp_path: Path) -> None:
    """An order that comes before the job's first process can hear it is not lost: nobody waits for the kill."""
    started = [shell(execution, tmp_path / f"ml {n}", "sleep 300")[0] for n in range(12)]
    for process in started:
        process.terminate(600)
    assert [process.wait(60) for process in started] == [128 + signal.SIGTERM] * 12


def test_a_job_that_does_not_listen_is_killed(execution: Execution, tmp_path: Path) -> None:
    process, lines = shell(
        execution, tmp_path / "ml", "trap '' TERM; echo ready; while :; do sleep 0.02; done"
    )
    until(lambda: lines.out)
    process.terminate(grace=0.1)
    assert process.wait(20) == 128 + signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="orphans can be found and adopted on Linux only")
def test_nothing_outlives_a_job(execution: Execution, tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    script = f"(setsid sh -c 'sleep 1000; : {mark}' >/dev/null 2>&1 &) ; sleep 0.2; echo left"
    process, lines = shell(execution, tmp_path / "ml", script)
    assert process.wait(20) == 0
    assert lines.out == ["left"]
    until(lambda: not marked(mark))


def test_a_busy_job_loses_no_line(execution: Execution, tmp_path: Path) -> None:
    process, lines = shell(
        execution, tmp_path / "ml", "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i; done"
    )
    assert process.wait(60) == 0
    assert lines.out == [str(n) for n in range(1, 5001)]


SERVER = """
import sys
from pathlib import Path
from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import ProcessSpec
root, mode, mark = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
place = Place(root, "http://127.0.0.1:1", "us-east-1", "000000000000", sys.executable, root)
script = f"(setsid sh -c 'sleep 1000; : {mark}' &) ; trap '' TERM; while :; do sleep 0.05; done; : {mark}"
spec = ProcessSpec(("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, "/", optml=root)
process = Execution(place, Clients(place), mode=mode).start(spec)
print("started", flush=True)
process.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", MODES)
def test_a_server_killed_hard_takes_its_jobs_along(mode: str, tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    program = tmp_path / "server.py"
    program.write_text(textwrap.dedent(SERVER))
    with subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), mode, mark],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        until(
            lambda: len(marked(mark)) >= 4
        )  # the server, the guard, the job and what the job left in the background
        server.kill()
        server.wait()
    until(lambda: not marked(mark))


def test_close_ends_what_runs_and_starts_nothing_more(place: Place, tmp_path: Path) -> None:
    execution = Execution(place, Clients(place))
    process, lines = shell(execution, tmp_path / "ml", "echo up; sleep 1000")
    until(lambda: lines.out)
    execution.close()
    assert not process.alive
    with pytest.raises(RuntimeError, match="stopping"):
        shell(execution, tmp_path / "ml", "true")


class FakeLogs:
    """CloudWatch Logs that fails as often as it is told, then keeps what it gets."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.batches: list[list[dict[str, Any]]] = []
        self.exceptions = self

    ResourceAlreadyExistsException = FileExistsError

    def create_log_group(self, **_: str) -> None:
        raise FileExistsError

    def create_log_stream(self, **_: str) -> None: ...

    def put_log_events(self, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803  boto3's name
        if self.failures:
            self.failures -= 1
            raise ConnectionError("not yet")
        self.batches.append(logEvents)


def test_no_line_is_lost_when_logs_answer_late() -> None:
    fake = FakeLogs(failures=2)
    shipper = LogShipper(lambda: fake)
    streams = [shipper.open("g", name) for name in ("a", "b")]
    writers = [threading.Thread(target=lambda s=s: [s.write(f"{n}") for n in range(7_000)]) for s in streams]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    streams[0].write("  ")
    for stream in streams:
        stream.close()
    shipper.close()
    assert sum(len(batch) for batch in fake.batches) == 14_000
    assert max(len(batch) for batch in fake.batches) <= 10_000
    assert all(batch == sorted(batch, key=lambda e: e["timestamp"]) for batch in fake.batches)
