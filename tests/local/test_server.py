"""Starting, stopping and finding the embedded AWS."""

import json
import os
import signal
import socket
import stat
import threading
import urllib.request
from pathlib import Path

import pytest

from penstock.localaws import control, process
from penstock.localaws.settings import layout
from tests.local.conftest import until


@pytest.fixture
def root(tmp_path: Path):
    path = tmp_path / "a project"
    path.mkdir()
    yield path
    if control.status(path):
        control.down(path)


def test_up_answers_only_once_requests_are_answered(root: Path, unused_port: int) -> None:
    running = control.up(root, port=unused_port)
    with urllib.request.urlopen(f"{running.endpoint_url}/_ministack/health") as answer:
        assert answer.status == 200
    assert running.endpoint_url == f"http://127.0.0.1:{unused_port}"
    assert control.status(root) == running
    assert running.note == ""


def test_down_ends_the_process_and_forgets_it(root: Path, unused_port: int) -> None:
    running = control.up(root, port=unused_port)
    mark = process.fingerprint(running.pid)
    assert control.down(root).pid == running.pid
    assert process.fingerprint(running.pid) != mark
    assert control.status(root) is None
    assert not layout(root).record.exists()


def test_a_second_up_names_the_running_one(root: Path, unused_port: int) -> None:
    running = control.up(root, port=unused_port)
    with pytest.raises(
        control.AlreadyRunning, match=rf"process {running.pid} at {running.endpoint_url}.*penstock down"
    ):
        control.up(root)


def test_two_ups_at_once_start_one_server(root: Path) -> None:
    outcomes: list[object] = []

    def start() -> None:
        try:
            outcomes.append(control.up(root))
        except control.AlreadyRunning as error:
            outcomes.append(error)

    starters = [threading.Thread(target=start) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyRunning", "Running"]


def test_down_with_nothing_running_says_so(root: Path) -> None:
    with pytest.raises(control.NotRunning, match="penstock up"):
        control.down(root)


def test_a_taken_port_that_was_asked_for_is_refused(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(control.StartFailed, match="cannot be opened"):
            control.up(root, port=taken.getsockname()[1])


def test_a_taken_default_port_is_stepped_around(root: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 4566))
            taken.listen()
        except OSError:
            pass  # somebody else has it: just as well
        assert control.up(root).port != 4566


def test_a_killed_server_is_noticed_said_and_replaced(root: Path, unused_port: int) -> None:
    first = control.up(root, port=unused_port)
    mark = process.fingerprint(first.pid)
    assert mark
    os.kill(first.pid, signal.SIGKILL)
    assert process.wait_for_end(first.pid, mark, 10)
    assert control.status(root) is None
    second = control.up(root)
    assert f"process {first.pid} is gone" in second.note
    assert second.port == first.port


def test_a_recycled_pid_is_not_mistaken_for_the_server(root: Path, unused_port: int) -> None:
    where = layout(root)
    where.home.mkdir(parents=True)
    record = {
        "pid": os.getpid(),
        "port": unused_port,
        "started_at": "x",
        "version": "x",
        "fingerprint": "another",
    }
    where.record.write_text(json.dumps(record))
    assert control.status(root) is None
    with pytest.raises(control.NotRunning):
        control.down(root)
    where.record.write_text(json.dumps(record))
    assert "is another program now" in control.up(root).note


def test_an_unreadable_record_is_replaced(root: Path, unused_port: int) -> None:
    where = layout(root)
    where.home.mkdir(parents=True)
    where.record.write_text("{half")
    assert "unreadable" in control.up(root, port=unused_port).note


def test_what_is_kept_is_for_its_owner_only(root: Path, unused_port: int) -> None:
    control.up(root, port=unused_port)
    assert stat.S_IMODE(layout(root).home.stat().st_mode) == 0o700


def test_it_listens_on_this_machine_only(root: Path, unused_port: int) -> None:
    running = control.up(root, port=unused_port)
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = [
        fields[1] for fields in listening if fields[3] == "0A" and fields[1].endswith(f":{running.port:04X}")
    ]
    assert mine == [f"0100007F:{running.port:04X}"]


def test_logs_are_the_servers_lines_and_end_with_it(root: Path, unused_port: int) -> None:
    control.up(root, port=unused_port)
    until(lambda: any("Ready" in line for line in control.logs(root)))  # said just after the first answer
    seen: list[str] = []
    follower = threading.Thread(target=lambda: seen.extend(control.logs(root, follow=True)))
    follower.start()
    control.down(root)
    follower.join(timeout=20)
    assert not follower.is_alive()
    assert any("shutting down" in line for line in seen)


def test_a_place_that_cannot_be_used_is_named(root: Path, unused_port: int) -> None:
    (root / ".penstock" / "aws").mkdir(parents=True)
    layout(root).scratch.write_text("a file where a directory has to be")
    with pytest.raises(control.StartFailed, match="directory"):
        control.up(root, port=unused_port)


def test_a_server_that_ends_at_once_shows_its_log(root: Path, unused_port: int) -> None:
    where = layout(root)
    where.state.mkdir(parents=True)
    (where.home / "server.tmp").mkdir()  # the server cannot write its record
    with pytest.raises(
        control.StartFailed, match=r"(?s)ended before it answered.*IsADirectoryError.*server\.log"
    ):
        control.up(root, port=unused_port)
    assert control.status(root) is None
