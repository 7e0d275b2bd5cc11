"""The command line as a person calls it, and an API that is really asked over HTTP."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from penstock.cli.__main__ import main


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test's embedded AWS, in the same session, is not this one's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@dataclass
class Said:
    """What a call printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Calls the command line with words."""

    def call(*words: str) -> Said:
        try:
            code = main([*words])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return call


@dataclass
class FakeApi:
    """An HTTP server that answers by (method, path) and remembers what it was sent."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes, str]] = field(default_factory=list)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A running FakeApi on a free port."""
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.asked.append((self.command, self.path, body, self.headers.get("Content-Type", "")))
            status, document = fake.answers.get(
                (self.command, self.path), (404, {"status": 404, "detail": "none"})
            )
            sent = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()
