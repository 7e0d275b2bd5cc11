"""One connection's clock, order and limits, where a test decides what time it is and how much the caller reads."""

import asyncio
from collections.abc import Callable

import pytest

from serving.connection import LAST_LOOK, WAITING_BYTES, Connection, Connections, Exchange
from serving.errors import Answer, RequestError

HEAD, IDLE = 10.0, 75.0
GET = b"GET /ping HTTP/1.1\r\nHost: m\r\n\r\n"


class Wire(asyncio.Transport):
    """A caller that reads as much as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.unread = b"", 0
        self.closing = self.aborted = self.paused = self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return self.unread


class Later:
    """Keeps the exchanges; the test answers them."""

    def __init__(self) -> None:
        self.taken: list[Exchange] = []

    def take(self, exchange: Exchange) -> None:
        self.taken.append(exchange)

    def limit(self, path: str) -> int:
        return 1 << 30

    def refused(self, exchange: Exchange, error: RequestError) -> None:
        """Nothing."""


class Stage:
    """A connection with its wire, its application and what they share."""

    def __init__(self) -> None:
        self.app, self.wire = Later(), Wire()
        self.all = Connections(self.app, HEAD, IDLE)
        self.connection = Connection(self.all)
        self.connection.connection_made(self.wire)
        self.start = self.connection._since

    def look(self, seconds: float) -> None:
        """The clock's turn, so many seconds after the start."""
        self.connection.look(self.start + seconds)

    def answer(self, number: int, body: bytes = b"x") -> None:
        self.app.taken[number].answer(Answer(200, body))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def post(size: int) -> bytes:
    return b"POST /invocations HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


def unread(stage: Stage) -> None:
    """An answer that fills the buffer."""
    stage.connection.data_received(GET)
    stage.wire.unread = 100_000
    stage.connection.pause_writing()
    stage.answer(0)


def closing(stage: Stage) -> None:
    """The connection's last answer, not yet read."""
    stage.connection.data_received(GET.replace(b"Host", b"Connection: close\r\nHost"))
    stage.wire.unread = 1000
    stage.answer(0)


@pytest.mark.parametrize("happens", [unread, closing])
def test_a_caller_that_reads_nothing_of_its_answer_is_cut_off_and_a_slow_one_is_not(
    stage: Stage, happens: Callable[[Stage], None]
) -> None:
    happens(stage)
    for minute in range(1, 5):
        stage.wire.unread -= 10
        stage.look(minute * 60)
    assert not stage.wire.aborted
    stage.look(240 + IDLE + 1)
    assert stage.wire.aborted


def test_at_the_end_who_does_not_read_is_waited_for_as_long_as_for_a_head(stage: Stage) -> None:
    unread(stage)
    stage.all.draining = True
    stage.look(1)
    stage.look(1 + HEAD + 1)
    assert stage.wire.aborted


def test_a_refusal_waits_for_the_answers_before_it_however_long_they_take(stage: Stage) -> None:
    stage.connection.data_received(GET + GET + b"\x16\x03\r\n\r\n")
    stage.look(IDLE + HEAD)
    assert not stage.wire.closing
    stage.answer(0, b"one")
    stage.answer(1, b"two")
    assert [stage.wire.sent.count(b"HTTP/1.1 %d " % status) for status in (200, 400)] == [2, 1]
    assert stage.wire.sent.count(b"connection: close") == 1


def test_what_waits_when_the_end_comes_is_answered_and_the_last_says_so(stage: Stage) -> None:
    stage.connection.data_received(GET + GET)
    stage.all.draining = True
    stage.answer(0)
    assert b"connection: close" not in stage.wire.sent
    stage.answer(1)
    assert stage.wire.sent.endswith(b"\r\n\r\nx")
    assert stage.wire.sent.count(b"connection: close") == 1
    assert stage.wire.closing


def test_bodies_that_wait_are_limited_in_bytes(stage: Stage) -> None:
    big = post(WAITING_BYTES)
    stage.connection.data_received(big)
    assert not stage.wire.paused  # it is being answered, and does not wait
    stage.connection.data_received(big)
    assert not stage.wire.paused
    stage.connection.data_received(post(1))
    assert stage.wire.paused
    stage.answer(0)
    assert not stage.wire.paused


def test_a_body_after_a_longer_one_may_come_in_large_pieces(stage: Stage) -> None:
    stage.connection.data_received(post(200_000))
    stage.answer(0)
    second = post(180_000)
    stage.connection.data_received(second[:90_000])
    stage.connection.data_received(second[90_000:])
    stage.answer(1)
    assert stage.wire.sent.count(b"HTTP/1.1 200 ") == 2


async def _at_the_end() -> tuple[Stage, Stage]:
    """Two connections that were accepted before the end and come after it, one with its request."""
    with_request, without = Stage(), Stage()
    for stage in (with_request, without):
        stage.all.draining = True
        stage.connection.connection_made(stage.wire)
    with_request.connection.data_received(GET)
    await asyncio.sleep(LAST_LOOK * 4)
    return with_request, without


def test_a_connection_handed_over_at_the_end_may_still_show_its_request() -> None:
    with_request, without = asyncio.run(_at_the_end())
    assert without.wire.closing
    assert not with_request.wire.closing
    with_request.answer(0)
    assert with_request.wire.closing
