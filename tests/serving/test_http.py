"""HTTP as hostile or clumsy callers speak it: over raw sockets, against a real process."""

import socket
import time

import pytest

PATIENCE = 20.0
GET_AND_CLOSE = b"GET /ping HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
ECHO = """
    QUICK = True

    def model_fn(model_dir):
        return None

    def input_fn(body, content_type):
        return [body]

    def predict_fn(data, model):
        return data

    def output_fn(prediction, accept):
        return "".join(prediction), "text/plain"
"""


@pytest.fixture(scope="module")
def server(serve_module):
    """One server for all that only ask; it waits two seconds for a head."""
    return serve_module(ECHO, SERVING_HEAD_SECONDS="2", SAGEMAKER_MAX_PAYLOAD_IN_MB="1").wait_until_healthy()


def speak(server, *parts: bytes) -> bytes:
    """Send the parts and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        for part in parts:
            caller.sendall(part)
        return rest_of(caller)


def rest_of(caller: socket.socket) -> bytes:
    said = b""
    while part := caller.recv(65536):
        said += part
    return said


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /invocations HTTP/1.1", "Host: model", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_pipelined_requests_are_answered_in_their_order(server):
    asked = [post(b"%d" % number) for number in range(99)] + [post(b"last", "Connection: close")]
    said = speak(server, b"".join(asked))
    assert said.count(b"HTTP/1.1 200 OK") == 100
    answers = [part.partition(b"HTTP")[0] for part in said.split(b"\r\n\r\n")[1:]]
    assert answers == [b"%d" % number for number in range(99)] + [b"last"]


def test_hundreds_of_pipelined_requests_at_once_are_answered(server):
    """Each is answered within the one before it: on the stack they would not fit."""
    said = speak(
        server, post(b"x") + b"GET /ping HTTP/1.1\r\nHost: m\r\n\r\n" * 300 + post(b"y", "Connection: close")
    )
    assert said.count(b"HTTP/1.1 200 OK") == 302


def test_requests_before_a_faulty_one_are_answered(server):
    said = speak(server, post(b"one") + post(b"two") + b"GET\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.count(b"HTTP/1.1 400 ") == 1


def test_a_request_in_pieces_is_one_request(server):
    whole = post(b"hello", "Connection: close")
    assert speak(server, *(whole[at : at + 1] for at in range(len(whole)))).endswith(b"\r\n\r\nhello")


def test_chunks_in_and_http_1_0_out(server):
    head = b"POST /invocations HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert speak(server, head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n").endswith(b"\r\n\r\nabcde")
    old = speak(server, b"POST /invocations HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
    assert b"connection: close" in old
    assert old.endswith(b"\r\n\r\nhi")


def test_a_1_0_caller_that_keeps_the_connection_is_told_so(server):
    ask = b"GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert speak(server, ask, GET_AND_CLOSE).count(b"connection: keep-alive") == 1


def test_a_caller_that_waits_for_100_continue_gets_it(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(
            post(b"", "Expect: 100-continue", "Connection: close").replace(b"Length: 0", b"Length: 2")
        )
        assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(b"ok")
        assert rest_of(caller).endswith(b"\r\n\r\nok")


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: m\r\n\r\n"
FAULTY = {
    "two lengths of a body": b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two content lengths": b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length that is none": b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: +1\r\n\r\na",
    "a space before the colon": b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length : 1\r\n\r\na",
    "chunks of no number": b"POST /invocations HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "another encoding": b"POST /invocations HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"
    + SMUGGLED,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another protocol": b"GET / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("case", FAULTY)
def test_what_is_not_http_is_400_and_the_end_of_the_connection(server, case):
    """Nothing behind the fault is taken for a request: a proxy in front may have seen it otherwise."""
    said = speak(server, FAULTY[case])
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 4") == 1
    assert b"connection: close" in said
    assert not [line for line in server.lines("request") if line["path"] == "/smuggled"]


def test_headers_beyond_64_kb_are_431(server):
    one = b"X-Long: " + b"a" * 70_000 + b"\r\n"
    many = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(100))
    for headers in (one, many):
        assert speak(server, b"GET /ping HTTP/1.1\r\n" + headers).startswith(b"HTTP/1.1 431 ")


def test_neither_trailers_nor_extensions_of_chunks_go_beyond_64_kb(server):
    head = b"POST /invocations HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"0\r\n" + b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(1000))
    extension = b"1;x=" + b"a" * 1_000_000
    for faulty in (trailers, extension):
        assert speak(server, head, faulty).startswith(b"HTTP/1.1 431 ")
    short = speak(
        server, head.replace(b"Host", b"Connection: close\r\nHost"), b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    assert short.endswith(b"\r\n\r\na")


def test_a_body_that_is_too_long_is_413_before_and_after_it_comes(server):
    announced = post(b"x" * (1024 * 1024 + 1))
    assert speak(server, announced.partition(b"xx")[0]).startswith(b"HTTP/1.1 413 ")
    assert speak(server, announced).startswith(b"HTTP/1.1 413 ")
    head = b"POST /invocations HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert speak(server, head, b"200000\r\n" + b"x" * 0x200000 + b"\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_caller_that_dawdles_is_408_while_others_are_served(server):
    """Slow loris: a head that never ends holds a connection for two seconds, and nobody up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as slow:
        slow.sendall(b"POST /invocations HTTP/1.1\r\n")
        deadline = time.monotonic() + PATIENCE
        slow.setblocking(False)
        said = b""
        while not said:
            assert time.monotonic() < deadline
            assert server.invoke(b"quick").body == b"quick"
            try:
                slow.sendall(b"X")
                said = slow.recv(100)
            except BlockingIOError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ")


def test_an_answer_type_cannot_bring_headers_of_its_own(serve):
    server = serve("""
        def model_fn(d):
            return None

        def transform_fn(model, data, content_type, accept):
            return b"x", "text/plain\\r\\nset-cookie: a=b"
    """).wait_until_healthy()
    assert b"set-cookie" not in speak(server, post(b"1", "Connection: close")).replace(
        b"text/plainset-cookie", b""
    )
