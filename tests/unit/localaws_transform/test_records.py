"""Files become mini-batches: every record exactly once, in order, never over the payload."""

import io
import itertools
import struct
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.transform.faults import BadFile
from penstock.localaws.sagemaker.transform.records import Batch, Record, batches, masked_crc, read

PROPERTY = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])

LINES = st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=30)
BODIES = st.lists(st.binary(max_size=40), max_size=12)
MAGIC = struct.pack("<I", 0xCED7230A)


def recordio(bodies: Iterable[bytes]) -> bytes:
    """As MXNet writes it: cut where the data looks like the magic number on a four byte boundary."""
    return b"".join(_record(body) for body in bodies)


def _record(body: bytes) -> bytes:
    cuts = [at for at in range(0, len(body) - 3, 4) if body[at : at + 4] == MAGIC]
    parts = [
        body[start:end] for start, end in zip([0, *(at + 4 for at in cuts)], [*cuts, len(body)], strict=True)
    ]
    flags = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    return b"".join(
        MAGIC + struct.pack("<I", flag << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
        for flag, part in zip(flags, parts, strict=True)
    )


def tfrecord(bodies: Iterable[bytes]) -> bytes:
    lengths = [struct.pack("<Q", len(body)) for body in bodies]
    return b"".join(
        length + struct.pack("<I", masked_crc(length)) + body + b"sum!"
        for length, body in zip(lengths, bodies, strict=True)
    )


def made(content: bytes, split: str, most: int | None, single: bool, sent: Any = None) -> list[Batch]:
    return list(batches(read(io.BytesIO(content), split, most), single, most, sent))


@PROPERTY
@given(LINES, st.integers(13, 60), st.booleans(), st.booleans())
def test_lines_go_out_once_in_order_within_the_payload(
    lines: list[bytes], most: int, single: bool, ended: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    found = made(content, "Line", most, single)
    assert b"".join(batch.payload for batch in found) == content
    assert all(0 < len(batch.payload) <= most for batch in found)
    assert all(batch.payload.count(b"\n", 0, -1) == 0 for batch in found if single)
    for one, following in itertools.pairwise(found):
        first, newline, _ = following.payload.partition(b"\n")
        assert single or len(one.payload) + len(first + newline) > most, "another record would have fitted"


@PROPERTY
@given(LINES)
def test_what_is_looked_into_keeps_its_records(lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    found = made(content, "Line", 40, False, lambda record: record.replace(b"\n", b";"))
    assert b"".join(record for batch in found for record in batch.records) == content
    assert b"".join(batch.payload for batch in found) == content.replace(b"\n", b";")


@PROPERTY
@given(BODIES, st.integers(52, 90), st.sampled_from([("RecordIO", recordio), ("TFRecord", tfrecord)]))
def test_binary_records_are_kept_whole(
    bodies: list[bytes], most: int, format_: tuple[str, Callable[[list[bytes]], bytes]]
) -> None:
    split, write = format_
    content = write(bodies)
    assert [record.data for record in read(io.BytesIO(content), split, most + 40)] == bodies
    assert b"".join(batch.payload for batch in made(content, split, most + 40, single=False)) == content
    alone = made(content, split, most + 40, single=True)
    assert [batch.payload for batch in alone] == [body for body in bodies if body]


@PROPERTY
@given(st.lists(st.sampled_from([MAGIC, b"abcd", b"efgh"]), min_size=1, max_size=6).map(b"".join))
def test_a_record_with_the_magic_number_in_it_comes_back(body: bytes) -> None:
    (record,) = read(io.BytesIO(recordio([body])), "RecordIO", 1000)
    assert record.data == body


@PROPERTY
@given(BODIES.filter(len), st.data(), st.sampled_from([("RecordIO", recordio), ("TFRecord", tfrecord)]))
def test_a_cut_file_is_found_out(bodies: list[bytes], data: Any, format_: tuple[str, Any]) -> None:
    split, write = format_
    content = write(bodies)
    whole = {0} | {len(write(bodies[:count])) for count in range(len(bodies) + 1)}
    cut = data.draw(st.integers(1, len(content)).filter(lambda at: at not in whole))
    with pytest.raises(BadFile, match="ends within a record"):
        list(read(io.BytesIO(content[:cut]), split, 1000))


@pytest.mark.parametrize(
    ("split", "content", "why"),
    [
        ("RecordIO", b"not a record at all", "does not begin with its header"),
        ("RecordIO", MAGIC + struct.pack("<I", 2 << 29 | 4) + b"abcd", "does not begin with its header"),
        ("TFRecord", b"not a record at all", "checksum of a record's length"),
    ],
)
def test_another_format_is_found_out(split: str, content: bytes, why: str) -> None:
    with pytest.raises(BadFile, match=why):
        list(read(io.BytesIO(content), split, 1000))


@pytest.mark.parametrize("split", ["None", "Line", "RecordIO", "TFRecord"])
@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
def test_a_record_fits_to_the_byte(split: str, size: int, fits: bool) -> None:
    body = b"x" * size
    content = {"RecordIO": recordio([body]), "TFRecord": tfrecord([body])}.get(split, body)
    if fits:
        assert [batch.payload for batch in made(content, split, 100, single=True)] == [body]
        return
    with pytest.raises(BadFile, match="Too much data for max payload size"):
        made(content, split, 100, single=True)


def test_a_long_line_is_refused_before_it_is_read_whole() -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.given = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 101
            return b"x" * size

    with pytest.raises(BadFile):
        next(read(Endless(), "Line", 100))  # type: ignore[arg-type]


def test_without_a_limit_all_records_are_one_request() -> None:
    assert made(b"a\nb\nc", "Line", None, single=False) == [Batch(b"a\nb\nc", ())]


def test_a_file_without_anything_is_no_request() -> None:
    assert [made(b"", split, 100, False) for split in ("None", "Line", "RecordIO", "TFRecord")] == [
        [],
        [],
        [],
        [],
    ]


def test_lines_are_records_with_their_ends() -> None:
    assert list(read(io.BytesIO(b"a\r\n\nb"), "Line", 9)) == [Record(x, x) for x in (b"a\r\n", b"\n", b"b")]
