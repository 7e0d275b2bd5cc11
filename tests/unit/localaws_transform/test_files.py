"""One file at a time: streamed, assembled on disk, stored when whole; and the client that asks."""

import contextlib
import io
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from penstock.localaws.sagemaker.transform.client import Client
from penstock.localaws.sagemaker.transform.faults import BadFile, Stopped
from penstock.localaws.sagemaker.transform.files import Plan, Transformer, Window
from penstock.localaws.sagemaker.transform.inputs import Input
from penstock.localaws.sagemaker.transform.parameters import MB, Parameters

SOURCE = Input("bucket", "in/a.csv", "a.csv", "s3://bucket/out/a.csv.out")


class Lines(io.RawIOBase):
    """`count` lines of 1000 bytes, made as they are read."""

    def __init__(self, count: int) -> None:
        self._left = count * 1000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer) // 1000 * 1000 or 1000, self._left)
        buffer[:size] = (b"x" * 999 + b"\n") * (size // 1000)
        self._left -= size
        return size


class S3:
    """Gives an object of so many lines and takes another, of which it keeps size and lines only."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.stored: tuple[int, int] | None = None

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": io.BufferedReader(Lines(self._count), 1 << 20)}

    def upload_file(self, path: str, _bucket: str, _key: str) -> None:
        with Path(path).open("rb") as file:
            sizes = [len(line) for line in file]
        self.stored = (sum(sizes), len(sizes))


class Echo:
    """A model that answers what it was asked."""

    def invoke(self, body: bytes) -> bytes:
        return body


def test_a_file_of_100_mb_is_never_in_memory(tmp_path: Path) -> None:
    s3 = S3(100_000)
    parameters = Parameters(2, 1, False, 60, 0)
    with ThreadPoolExecutor(2) as threads:
        transformer = Transformer(
            s3,
            Plan("Line", False, True, None),
            parameters,
            cast(Client, Echo()),
            Window(threads, 4),
            tmp_path,
        )
        tracemalloc.start()
        try:
            transformer.run(SOURCE)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert s3.stored == (100_000_000, 100_000)
    assert peak < 16 * MB
    assert list(tmp_path.iterdir()) == []


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's next answer: a status, "close" the connection, or "never"."""

    protocol_version = "HTTP/1.1"
    server: "Model"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.server.begun.set()
        answer = self.server.answers.pop(0)
        if answer == "never":
            self.server.released.wait(20)
        if not isinstance(answer, int):
            self.close_connection = True
            return
        self.send_response(answer)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"yes")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""


class Model(ThreadingHTTPServer):
    """A model server that does as the test says."""

    def __init__(self, *answers: int | str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.asked = 0
        self.begun = threading.Event()
        self.released = threading.Event()


@contextlib.contextmanager
def asked(retries: int, *answers: int | str, timeout: float = 20) -> Iterator[tuple[Client, Model]]:
    with Model(*answers) as model:
        thread = threading.Thread(target=model.serve_forever, args=(0.01,))
        thread.start()
        client = Client(lambda: model.server_port, {"Content-Type": "text/csv"}, timeout, retries)
        yield client, model
        model.released.set()
        client.close()
        model.shutdown()
        thread.join()


def test_a_failing_model_is_asked_again() -> None:
    with asked(3, 500, "close", 503, 200) as (client, model):
        assert client.invoke(b"1,2") == b"yes"
        assert model.asked == 4


@pytest.mark.parametrize(
    ("answers", "count", "line"),
    [
        ((500, 502), 2, "Bad HTTP status received from algorithm: 502"),
        ((500, 415), 2, "ClientError: 415"),
        ((415, 200), 1, "ClientError: 415"),
        (("close", "close"), 2, "Unable to get response from algorithm"),
        ((301, 200), 2, None),
    ],
)
def test_what_stays_wrong_is_the_files_fault(
    answers: tuple[int | str, ...], count: int, line: str | None
) -> None:
    with asked(1, *answers) as (client, model):
        if line is None:
            assert client.invoke(b"1,2") == b"yes"
        else:
            with pytest.raises(BadFile) as bad:
                client.invoke(b"1,2")
            assert bad.value.lines[0] == line
        assert model.asked == count


def test_nobody_waits_for_an_answer_once_stopped() -> None:
    with asked(3, "never") as (client, model), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.invoke, b"1,2")
        assert model.begun.wait(20)
        client.stop()
        with pytest.raises(Stopped):
            waiting.result(10)
        with pytest.raises(Stopped):
            client.invoke(b"1,2")
        assert model.asked == 1


def test_a_server_that_does_not_come_up_again_gives_no_answer() -> None:
    client = Client(lambda: None, {}, 1, 0)
    assert client.parameters() == (0, b"")
    with pytest.raises(BadFile, match="does not come up again"):
        client.invoke(b"1,2")
