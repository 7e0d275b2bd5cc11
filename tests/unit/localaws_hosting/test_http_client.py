"""The connection pool against small servers that behave well and badly."""

import asyncio
import contextlib

import pytest

from penstock.localaws.sagemaker.http_client import Lost, Pool

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


class Server:
    """Answers each request with the next of `answers`; b"" closes, None never answers."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []
        self.idle = asyncio.Event()
        self.open = 0

    async def __call__(self, reader, writer):
        self.connections, self.open = self.connections + 1, self.open + 1
        self.idle.clear()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                answer = self.answers.pop(0)
                if answer is None:
                    await reader.read()
                writer.write(answer or b"")
                if not answer or b"connection: close" in answer:
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.open -= 1
        if self.open == 0:
            self.idle.set()


def asking(server, *bodies, seconds=5.0):
    """Ask the server each body in turn through one pool; the replies."""

    async def run():
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        async with listening:
            pool = Pool(listening.sockets[0].getsockname()[1])
            try:
                return [await pool.post("/x", {"accept": "a/b"}, body, seconds) for body in bodies]
            finally:
                pool.close()
                await asyncio.wait_for(server.idle.wait(), 5)

    return asyncio.run(run())


def test_a_connection_is_kept_for_the_next_request():
    server = Server(OK, CHUNKED)
    replies = asking(server, b"1", b"22")
    assert [(r.status, r.body) for r in replies] == [(200, b"ok")] * 2
    assert server.connections == 1
    assert server.requests[1].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"accept: a/b\r\n" in server.requests[1]
    assert server.requests[1].endswith(b"\r\n\r\n22")


def test_a_server_that_closes_after_an_answer_gets_a_new_connection():
    closing = OK.replace(b"content-type", b"connection: close\r\ncontent-type")
    server = Server(closing, OK)
    assert [r.body for r in asking(server, b"1", b"2")] == [b"ok", b"ok"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nab", b"?!\r\n\r\n"]
)
def test_no_answer_half_an_answer_and_nonsense_are_lost(answer):
    with pytest.raises(Lost):
        asking(Server(answer), b"1")


def test_a_kept_connection_that_went_away_is_replaced():
    server = Server(OK, b"", OK)
    assert [r.body for r in asking(server, b"1", b"2")] == [b"ok", b"ok"]
    assert server.connections == 2


def test_nobody_listening_is_lost_and_silence_a_timeout():
    with pytest.raises(Lost):
        asyncio.run(Pool(1).post("/x", {}, b"", 5.0))
    with pytest.raises(TimeoutError):
        asking(Server(None), b"1", seconds=0.05)
