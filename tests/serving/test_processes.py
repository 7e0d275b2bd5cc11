"""How serving processes start, refuse to start, share a port, and end."""

import json
import os
import platform
import signal
import threading
import time
from pathlib import Path

import pytest

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
