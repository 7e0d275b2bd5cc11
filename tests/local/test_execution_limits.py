"""Processes with limits, names of their own and directories they can only read: really run."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.localaws.execution import watch
from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution, probe
from penstock.localaws.execution.place import Place
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker.clock import Clock
from tests.local.conftest import until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
JAILED = pytest.mark.skipif(probe(sys.executable) == "plain", reason="this machine allows no namespaces")
MODES = [mode for mode in ("pid", "mount", "plain") if mode == "plain" or probe(sys.executable) != "plain"]
MIB = 1 << 20
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


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


def python(execution: Execution, source: str, **limits: object) -> tuple[Process, list[str]]:
    lines: list[str] = []
    spec = ProcessSpec(
        (sys.executable, "-I", "-u", "-c", source), ENV, "/", on_line=lambda _, line: lines.append(line)
    )
    return execution.start(ProcessSpec(**{**vars(spec), **limits})), lines


EATS = "import os, time\nx = bytearray(os.urandom(1)) * ({} << 20)\nprint('fed', flush=True)\ntime.sleep(60)"
CHILD_EATS = (
    "import subprocess, sys\n"
    f"subprocess.run([sys.executable, '-c', {EATS.format(150)!r}], start_new_session=True)"
)


@LINUX
@pytest.mark.parametrize("source", [EATS.format(150), CHILD_EATS])
def test_a_tree_over_its_memory_is_killed(execution: Execution, source: str) -> None:
    process, _ = python(execution, source, memory_limit=100 * MIB)
    assert (process.wait(20), process.killed_for) == (137, "memory")


@LINUX
def test_a_tree_within_its_memory_lives(execution: Execution) -> None:
    process, lines = python(execution, EATS.format(50), memory_limit=400 * MIB)
    until(lambda: lines)
    assert watch.resident(process.pid) > 50 * MIB
    process.kill()
    assert (process.wait(20), process.killed_for) == (137, None)


@LINUX
def test_pages_shared_by_forks_count_once(execution: Execution) -> None:
    forks = (
        "import os, time\nx = bytearray(os.urandom(1)) * (60 << 20)\n"
        "for _ in range(3):\n    if os.fork() == 0: break\nprint('up', flush=True)\ntime.sleep(60)"
    )
    process, lines = python(execution, forks)
    until(lambda: len(lines) == 4)
    assert watch.resident(process.pid) > 200 * MIB
    assert watch.resident(process.pid, exact=True) < 130 * MIB
    process.kill()
    process.wait(20)


def test_a_tree_that_fills_its_disk_is_killed(execution: Execution, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    fills = f"import time\nf = open({str(volume / 'x')!r}, 'wb')\nf.write(b'x' * (3 << 20)); f.flush()\ntime.sleep(60)"
    process, _ = python(execution, fills, disk_limit=(volume, 2 * MIB))
    assert (process.wait(20), process.killed_for) == (137, "disk")


def test_a_hole_in_a_file_takes_no_disk(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "link").symlink_to("/")
    assert watch.occupied(tmp_path) < MIB


@JAILED
@pytest.mark.parametrize("mode", ["pid", "mount"])
def test_a_process_has_a_name_and_knows_others(mode: str, place: Place, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.9.8.7 algo-2\n")
    said = "import socket; print(socket.gethostname(), socket.gethostbyname('algo-2'))"
    execution = Execution(place, Clients(place), mode=mode)
    process, lines = python(execution, said, hostname="algo-1", hosts_file=hosts)
    assert (process.wait(20), lines) == (0, ["algo-1 127.9.8.7"])
    execution.close()


@JAILED
@pytest.mark.parametrize("mode", ["pid", "mount"])
def test_a_directory_may_be_read_only(mode: str, place: Place, tmp_path: Path) -> None:
    (tmp_path / "ml" / "in").mkdir(parents=True)
    (tmp_path / "ml" / "in" / "a").write_text("a")
    tries = "open('/opt/ml/out', 'w').write(open('/opt/ml/in/a').read()); open('/opt/ml/in/a', 'w')"
    execution = Execution(place, Clients(place), mode=mode)
    process, lines = python(execution, tries, optml=tmp_path / "ml", read_only=("/opt/ml/in",))
    assert process.wait(20) == 1
    assert (lines[-1], (tmp_path / "ml" / "out").read_text()) == (
        "OSError: [Errno 30] Read-only file system: '/opt/ml/in/a'",
        "a",
    )
    execution.close()


@JAILED
@pytest.mark.parametrize("mode", ["pid", "mount"])
def test_a_process_without_network_reaches_only_itself(mode: str, place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        tries = (
            "import socket\n"
            "own = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(own.getsockname()).close(); print('itself')\n"
            f"print(socket.socket().connect_ex(('127.0.0.1', {outside.getsockname()[1]})) != 0)"
        )
        execution = Execution(place, Clients(place), mode=mode)
        process, lines = python(execution, tries, network=False)
        assert (process.wait(20), lines) == (0, ["itself", "True"])
        execution.close()


def test_the_time_before_the_kill_is_the_clocks(place: Place) -> None:
    clock = Clock(read=lambda: 100.0)  # stands still: only `advance` lets time pass
    execution = Execution(place, Clients(place), clock=clock)
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
    process, lines = python(execution, deaf)
    until(lambda: lines)
    process.terminate(120)
    clock.advance(119)
    assert process.wait(0.3) is None
    clock.advance(1)
    assert process.wait(20) == 137
    execution.close()


def test_an_end_is_told_once_whenever_one_asks(execution: Execution) -> None:
    told: list[int | None] = []
    process, _ = python(execution, "import sys; sys.exit(3)")
    process.when_ended(lambda one: told.append(one.exit_code))
    process.wait(20)
    again = threading.Event()
    process.when_ended(lambda _: again.set())
    assert again.is_set()
    until(lambda: told == [3])
