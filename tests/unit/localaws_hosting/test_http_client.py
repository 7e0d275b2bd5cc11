"""The connection pool against small servers that behave well and badly."""

import asyncio

import pytest

from penstock.localaws.sagemaker.hosting.http_client import Lost, Pool, Unreached
from tests.unit.localaws_hosting.servers import OK, Server, serving

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nab"


def asking(server, *bodies, seconds=5.0):
    """Ask the server each body in turn through one pool; the replies."""

    async def talk():
        pool = Pool(server.port)
        try:
            return [await pool.post("/x", {"accept": "a/b"}, body, seconds) for body in bodies]
        finally:
            pool.close()

    return serving(server, talk)


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


@pytest.mark.parametrize("answer", [b"", HALF, b"?!\r\n\r\n"])
def test_no_answer_half_an_answer_and_nonsense_are_lost(answer):
    with pytest.raises(Lost):
        asking(Server(answer), b"1")


def test_a_kept_connection_that_went_away_is_replaced():
    server = Server(OK, b"", OK)
    assert [r.body for r in asking(server, b"1", b"2")] == [b"ok", b"ok"]
    assert server.connections == 2


def test_nobody_listening_is_told_from_an_answer_lost():
    with pytest.raises(Unreached):
        asyncio.run(Pool(1).post("/x", {}, b"", 5.0))


def test_silence_is_a_timeout():
    with pytest.raises(TimeoutError):
        asking(Server(None), b"1", seconds=0.05)
