"""How serving processes start, refuse to start, share a port, and end."""

import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from serving import source
from serving.metrics import Board
from serving.workers import (
    BOARD_VARIABLE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    NUMBER_VARIABLE,
    PARENT_VARIABLE,
    next_pause,
)

PATIENCE = 20.0  # seconds

PID = """
    import os

    def model_fn(d):
        return os.getpid()

    def predict_fn(data, model):
        return model
"""

REFUSED = {
    "no model_fn": ("def predict_fn(data, model): return 1", "has no model_fn"),
    "transform_fn and input_fn": (
        "def model_fn(d): return 1\ndef input_fn(b, c): return b\ndef transform_fn(m, d, c, a): return d",
        "transform_fn and input_fn",
    ),
    "no way to predict": ("def model_fn(d): return 1", "has no predict_fn"),
    "a model_fn that raises": (
        "def model_fn(d): raise OSError('weights.bin is missing')",
        "weights.bin is missing",
    ),
    "a module that does not parse": ("def model_fn(:", "SyntaxError"),
    "a module that exits": ("raise SystemExit(0)", "SystemExit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_that_cannot_be_served_ends_the_process(serve, case):
    code, reason = REFUSED[case]
    server = serve(code)
    assert server.exit_code() == 1
    assert reason in server.errors()


def test_no_module_and_bad_settings_end_the_process_with_what_to_do(serve):
    missing = serve(PID, SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/elsewhere")
    wrong = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="many")
    assert missing.exit_code() == 1
    assert "pack it into model.tar.gz as code/inference.py" in missing.errors()
    assert wrong.exit_code() == 1
    assert "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'" in wrong.errors()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc on Linux is asked to give memory back"
)
def test_what_loading_took_is_given_back(serve):
    """200 MB in pieces too small to be mapped by themselves, with what stays in between: the heap cannot shrink."""
    server = serve("""
        def model_fn(d):
            pieces = [(bytearray(60_000), bytearray(600)) for _ in range(3_300)]
            return [kept for _, kept in pieces]

        def predict_fn(data, model):
            return len(model)
    """).wait_until_healthy()
    assert server.invoke(b"[1]", content_type="application/json").body == b"3300"
    resident = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    assert resident * os.sysconf("SC_PAGE_SIZE") < 150e6


def test_sigterm_finishes_what_is_in_flight(serve):
    """The answer arrives although the stop came first; new connections are refused; exit code 0."""
    server = serve("""
        import pathlib, time

        def model_fn(model_dir):
            return pathlib.Path(model_dir)

        def predict_fn(data, model):
            (model / "started").touch()
            while not (model / "finish").exists():
                time.sleep(0.01)
            return "done"
    """).wait_until_healthy()
    answers = []
    caller = threading.Thread(target=lambda: answers.append(server.invoke(b"[1]")))
    caller.start()
    server.wait_for((server.base / "model/started").exists)

    server.process.send_signal(signal.SIGTERM)
    server.wait_for(lambda: server.ping() == 0)
    (server.base / "model/finish").touch()
    caller.join()

    assert answers[0].json() == "done"
    assert server.exit_code() == 0


def test_several_workers_share_the_port_and_a_dead_one_is_replaced(serve):
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2").wait_until_healthy()
    seen: set[int] = set()

    def both_seen():
        seen.add(server.invoke(b"[1]").json())
        return len(seen) >= 2

    server.wait_for(both_seen)
    os.kill(min(seen), signal.SIGKILL)
    server.wait_for(lambda: bool(server.lines("worker_died")))
    seen.discard(min(seen))
    server.wait_for(both_seen)
    server.process.terminate()
    assert server.exit_code() == 0


def test_connections_that_lie_between_parent_and_worker_at_the_end_are_answered(tmp_path):
    """The worker is held while they, their requests and SIGTERM arrive: more than it takes in one turn."""
    (tmp_path / "model/code").mkdir(parents=True)
    (tmp_path / "model/code/inference.py").write_text(
        "def model_fn(d): return 1\ndef predict_fn(d, m): return 'done'"
    )
    board = Board(2)
    with contextlib.ExitStack() as sockets:
        ours, theirs = map(sockets.enter_context, socket.socketpair())
        pairs = [tuple(map(sockets.enter_context, socket.socketpair())) for _ in range(100)]
        inherited = {
            PARENT_VARIABLE: str(theirs.fileno()),
            BOARD_VARIABLE: str(board.fd),
            NUMBER_VARIABLE: "0",
        }
        settings = {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
        worker = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            env={**os.environ, **settings, **inherited},
            pass_fds=(theirs.fileno(), board.fd),
        )
        theirs.close()
        assert ours.recv(1) == b"r"
        worker.send_signal(signal.SIGSTOP)
        for caller, accepted in pairs:
            caller.settimeout(PATIENCE)
            caller.sendall(b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\n\r\n1")
            socket.send_fds(ours, [b"c"], [accepted.fileno()])
            accepted.close()
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGCONT)
        said = [caller.recv(1000) for caller, _ in pairs]
        assert worker.wait(PATIENCE) == 0
    assert [one.rpartition(b"\r\n")[2] for one in said] == [b'"done"'] * len(pairs)


def test_connections_that_no_worker_takes_yet_are_kept(serve):
    """Between parent and worker there is room for some 280: of 600 none is lost while both workers are held."""
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2").wait_until_healthy()
    workers: set[int] = set()
    server.wait_for(lambda: bool(workers.add(server.invoke(b"[1]").json()) or len(workers) == 2))
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as callers:
        waiting = [
            callers.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            for _ in range(600)
        ]
        for caller in waiting:
            caller.sendall(b"GET /ping HTTP/1.1\r\nHost: m\r\n\r\n")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert [caller.recv(15) for caller in waiting] == [b"HTTP/1.1 200 OK"] * len(waiting)


def test_a_worker_that_lived_long_is_started_again_soon():
    dying = [next_pause(0.0, 1.0)]
    while len(dying) < 9:
        dying.append(next_pause(dying[-1], 1.0))
    assert (dying[0], dying[1], dying[-1]) == (FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE)
    assert next_pause(dying[-1], LONGEST_PAUSE + 1) == FIRST_PAUSE


def test_a_port_that_is_taken_is_named_with_what_to_do(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = serve(PID, SAGEMAKER_BIND_TO_PORT=str(port))
        assert server.exit_code() == 1
    assert f"127.0.0.1, port {port}: Address already in use. Set SAGEMAKER_BIND_TO_PORT" in server.errors()


def test_requirements_in_a_directory_that_is_read_only_are_installed_as_they_are(tmp_path):
    """A directory of that name stands for what cannot be written: a test as root may write everywhere."""
    requirements = tmp_path / "requirements.txt"
    assert source._listed(requirements, ["a"]).read_text() == "a"
    (tmp_path / ".requirements-missing.txt").unlink()
    (tmp_path / ".requirements-missing.txt").mkdir()
    assert source._listed(requirements, ["a"]) == requirements


def test_workers_end_when_their_parent_is_killed(serve):
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2").wait_until_healthy()
    os.kill(server.process.pid, signal.SIGKILL)
    server.exit_code()
    deadline = time.monotonic() + PATIENCE
    while server.ping() != 0:  # the port is refused only when no process holds it any more
        assert time.monotonic() < deadline


def test_several_workers_with_a_broken_model_end_too(serve):
    server = serve("def model_fn(d): raise OSError('broken')", SAGEMAKER_MODEL_SERVER_WORKERS="2")
    assert server.exit_code() == 1
    assert "broken" in server.errors()


def test_predictions_run_side_by_side_in_threads(serve):
    """Two predictions that wait for each other both end only if they run at the same time."""
    server = serve(
        """
        import threading

        def model_fn(d):
            return threading.Barrier(2, timeout=10)

        def predict_fn(data, model):
            return model.wait() in (0, 1)
    """,
        SAGEMAKER_MODEL_SERVER_THREADS="2",
    ).wait_until_healthy()
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(server.invoke(b"[1]"))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert [json.loads(a.body) for a in answers] == [True, True]
