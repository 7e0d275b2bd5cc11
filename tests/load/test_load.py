"""The load test against a server that answers as told: does the budget see what it is there to see?"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = (200, b'{"prediction": "Negative", "score": 0.9}')


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[str]:
    """A server that gives these answers in turn, on a free port; its URL."""
    turn = iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answers[next(turn) % len(answers)]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def load(url: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The smoke profile, shortened, with reports below `folder`."""
    command = [sys.executable, "-m", "locust", "--config", "loadtest/profiles/smoke.conf", "--host", url]
    reports = ["--html", str(folder / "r.html"), "--csv", str(folder / "r"), "--json-file", str(folder / "r")]
    return subprocess.run(
        [*command, "--run-time", "100s", "--requests", "20", *reports, *more],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_run_that_keeps_its_budget_ends_well_and_leaves_its_reports(tmp_path: Path) -> None:
    with answering(GOOD) as url:
        done = load(url, tmp_path, "--max-p95-ms", "60000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "budget: kept" in done.stdout
    assert "BROKEN" not in done.stdout
    assert {"r.html", "r.json", "r_stats.csv"} <= {path.name for path in tmp_path.iterdir()}
    again = subprocess.run(
        [sys.executable, "loadtest/compare.py", "--out", str(tmp_path / "c"), f"ours:42={tmp_path / 'r.json'}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "116.3" in again.stdout
    compared = json.loads((tmp_path / "c.json").read_text())["runs"]
    told = json.loads((tmp_path / "r.json").read_text())
    assert compared[0]["requests"] == sum(entry["num_requests"] for entry in told) > 0
    assert "<svg" in (tmp_path / "c.html").read_text()


@pytest.mark.parametrize(
    ("answers", "more", "said"),
    [
        ([GOOD, (500, b"oops")], [], "failed; at most 0 may"),
        ([(200, b"{}")], [], "failed; at most 0 may"),
        ([(200, b"<html>")], [], "failed; at most 0 may"),
        ([GOOD], ["--min-rps", "1000000"], "requests/s; at least 1,000,000.0"),
        ([GOOD], ["--max-p50-ms", "0.0001"], "p50"),
    ],
    ids=["an error", "no prediction", "not JSON", "too few", "too slow"],
)
def test_a_run_that_breaks_its_budget_says_where_and_fails(
    tmp_path: Path, answers: list[tuple[int, bytes]], more: list[str], said: str
) -> None:
    with answering(*answers) as url:
        done = load(url, tmp_path, *more)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if "BROKEN" in line]
    assert len(broken) == 1
    assert said in broken[0]


def test_nothing_measured_is_no_success(tmp_path: Path) -> None:
    """No user ever starts."""
    with answering(GOOD) as url:
        done = load(url, tmp_path, "--users", "0", "--run-time", "1s")
    assert done.returncode == 1
    assert "BROKEN  0 requests were made" in done.stdout
