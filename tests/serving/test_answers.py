"""Answers that cannot be made, and streams that break: the caller hears of it, and the next one is served."""

import json
import socket
from pathlib import Path

import pytest

PATIENCE = 20.0
WAYWARD = """
    import json

    class Wrong(Exception):
        status_code = 422

    class Keys(Wrong):
        detail = {("a", 1): "b"}

    class Circle(Wrong):
        def __init__(self, message):
            super().__init__(message)
            self.detail = [1]
            self.detail.append(self.detail)

    class Mute(Exception):
        def __str__(self):
            raise ValueError("no words")

    def parts(error):
        yield b"part"
        raise error

    def model_fn(model_dir):
        return None

    def transform_fn(model, body, content_type, accept):
        wanted = json.loads(body)
        if wanted in ("Keys", "Circle", "Mute"):
            raise {"Keys": Keys, "Circle": Circle, "Mute": Mute}[wanted]("why")
        if wanted in ("ConnectionError", "SystemExit"):
            return parts({"ConnectionError": ConnectionError, "SystemExit": SystemExit}[wanted]())
        return "body", "text/plain", wanted

    def execution_parameters_fn():
        return 7.5
"""
CASES = {'"Keys"': 422, '"Circle"': 422, '"Mute"': 500, "[200]": 500, "999": 500, '"200"': 500}


@pytest.fixture(scope="module")
def server(serve_module):
    """One thread predicts: if it ended, nobody would be answered any more."""
    return serve_module(WAYWARD, SERVING_NUM_BATCH_THREADS="1").wait_until_healthy()


@pytest.mark.parametrize("case", CASES)
def test_an_answer_that_cannot_be_made_is_an_error_and_the_next_is_answered(server, case):
    reply = server.invoke(case.encode())
    assert reply.status == CASES[case]
    assert "why" in reply.json()["error"] or reply.status == 500
    assert server.invoke(b"201").status == 201


def test_execution_parameters_of_no_known_kind_are_500(server):
    assert server.call("GET", "/execution-parameters").status == 500


@pytest.mark.parametrize("error", ["ConnectionError", "SystemExit"])
def test_a_stream_that_breaks_is_cut_whatever_broke_it(server, error):
    body = json.dumps(error).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        said = b""
        try:
            while part := caller.recv(65536):
                said += part
        except ConnectionResetError:
            pass
    assert b"part" in said
    assert not said.endswith(b"0\r\n\r\n")
    assert server.ping() == 200


def test_an_answer_that_may_have_no_body_has_none(server):
    """A caller would take it for the beginning of the next answer."""
    ask = b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\n204"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(ask + b"GET /ping HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
        said = b""
        while part := caller.recv(65536):
            said += part
    first, second, rest = said.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 204 ")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert rest == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_log_that_takes_no_more_takes_no_answers_with_it(serve):
    server = serve(
        "def model_fn(d): return 1\ndef predict_fn(data, model): return 'done'",
        lambda directory: (directory.parent / "stdout").symlink_to("/dev/full"),
    ).wait_until_healthy()
    assert server.invoke(b"[1]").json() == "done"
    server.process.terminate()
    assert server.exit_code() == 0
