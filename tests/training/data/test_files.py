"""Guessing how a file is written, and numbering its rows."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from data import delimited, packing, plain, rows
from data.dialect import NO_DIALECT, Dialect, sniff
from data.errors import RefusedObject
from data.files import Source
from data.limits import Limits
from data.store import Drop
from data.text import WESTERN, Text

SNIFFED = [
    ("a,b\n1,2\n", ",", True, ("a", "b")),
    ("a;b\n1,5;2\n", ";", True, ("a", "b")),
    ("a\tb\r\n1\t2\r\n", "\t", True, ("a", "b")),
    ("a|b\n1|2", "|", True, ("a", "b")),
    ('"a,1";b\n"x;y";2\n', ";", True, ("a,1", "b")),
    ("id\ttext\n1\ta, b, c\n2\td, e, f\n", "\t", True, ("id", "text")),
    ("only\nx\n", ",", True, ("only",)),
    ('id\ttext\n1\t"open\n2\tplain\n3\t"open\n4\tz\n', "\t", False, ("id", "text")),
    ("\n\na,b\n1,2\n", ",", True, ("a", "b")),
]


@pytest.mark.parametrize(("sample", "delimiter", "quoting", "header"), SNIFFED)
def test_the_dialect_is_guessed(sample: str, delimiter: str, quoting: bool, header: tuple[str, ...]) -> None:
    found = sniff(sample, whole=True)
    assert found is not None
    assert (found.delimiter, found.quoting, found.header) == (delimiter, quoting, header)


def test_columns_the_spec_names_settle_a_doubtful_delimiter() -> None:
    sample = "text;label,x\na,b;c\n"
    assert sniff(sample, whole=True, known=["text"]) != sniff(sample, whole=True)


def parsed(tmp_path: Path, content: str, *header: str) -> Any:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    dialect = sniff(content, whole=True) or NO_DIALECT
    source = Source(
        Drop(3, "b", "k\u00e9y", None, "", "1", 1, True),
        str(path),
        dialect,
        header or dialect.header,
        given=dialect.header,
    )
    return pa.Table.from_batches(
        rows.batches(source, str(path), ["b", "a", "z"]), rows.schema(["b", "a", "z"])
    )


def zstd(body: bytes) -> bytes:
    """Packed, with its length left out, as a stream is."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as file:
        file.write(body)
    return bytes(packed.getvalue())


def test_rows_are_numbered_as_records_below_the_header(tmp_path: Path) -> None:
    content = 'a,b\r\n1,2\r\n3\r\n\r\n"x\r\ny",5\r\n6,7,8\r\n"q ""z""",9\r\nla"st,end'
    found = {row["_number"]: row for row in parsed(tmp_path, content).to_pylist()}
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    assert [found[number]["a"] for number in (1, 3, 5, 6)] == ["1", "x\r\ny", 'q "z"', 'la"st']
    assert found[2]["_problem"].startswith("has 1 cells where the header has 2")
    assert found[4]["_text"] == "6,7,8"
    assert found[6]["_row"] == (3 << 32) + 6
    assert {row["_source"] for row in found.values()} == {"k\u00e9y"}
    assert found[1]["z"] is None


def test_rows_are_numbered_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 256)
    bad = {5, 77, 78, 400}
    lines = [f"{place},x" if place not in bad else f"{place}" for place in range(1, 501)]
    found = parsed(tmp_path, "a,b\n" + "\n".join(lines)).to_pylist()
    assert sorted(row["_number"] for row in found) == list(range(1, 501))
    assert {row["_number"] for row in found if row["_problem"]} == bad
    assert all(row["a"] == str(row["_number"]) for row in found if not row["_problem"])


def test_a_file_that_cannot_be_read_to_its_end_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 64)
    monkeypatch.setattr(delimited, "LONGEST_ROW", 64)
    found = parsed(tmp_path, 'a,b\n1,2\n3,"' + "x" * 500).to_pylist()
    (problem,) = [row["_problem"] for row in found if row["_number"] == 0]
    assert problem.startswith("cannot be read after row 1: a row is longer than")
    assert problem.endswith("most likely a quote is never closed; correct the file and drop it again")


def test_a_row_longer_than_a_block_costs_no_row_and_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 64)
    lines = [f"{place},x" if place % 7 else f"{place}" for place in range(1, 200)]
    long = [100, 101, 150]
    for place in long:
        lines[place - 1] = f'{place},"{"y" * 300}"'
    found = parsed(tmp_path, "a,b\n" + "\n".join(lines) + "\n7\n").to_pylist()
    assert sorted(row["_number"] for row in found) == list(range(1, 201))
    assert all(row["a"] == str(row["_number"]) for row in found if not row["_problem"])
    assert {row["_number"] for row in found if row["_problem"]} == {*range(7, 200, 7), 200}
    assert [row["_number"] for row in found if row["b"] and row["b"].startswith("yy")] == long


def test_a_header_line_among_the_rows_is_no_row(tmp_path: Path) -> None:
    found = {row["_number"]: row for row in parsed(tmp_path, "A,b\n1,2\nA, B\nA,x\n5,6\n").to_pylist()}
    assert [found[number]["_problem"] for number in (1, 2, 3, 4)] == [
        None,
        "repeats the header line",
        None,
        None,
    ]
    assert (found[2]["_text"], found[2]["b"], found[3]["b"]) == ("A, B", None, "x")


NEVER_CLOSED = {
    'a,b\n1,x\n2,"y\n3,z\n': 2,
    'a,b\n1,x\n2,"y\n3,z': 2,
    'a,b\n1,x\n"2,y\n3,z\n': 2,
    'a,b\n1,x\n2,"y\nz"\n': None,
    'a,b\n1,x\n2,"y\n5"""\r\n\r\n': None,
    'a,b\n1,x\n2,y"\n': None,
}


@pytest.mark.parametrize("content", NEVER_CLOSED)
def test_a_last_quote_that_swallows_the_rest_of_the_file_refuses_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, newline="")
    dialect = Dialect(",", True, ("a", "b"), 1, 1, 1.0)
    source = Source(
        Drop(0, "b", "k", None, "", "1", 1, True), str(path), dialect, ("a", "b"), given=("a", "b")
    )
    marks = [
        mark for piece in delimited.pieces(source, str(path)) for mark in piece.marks if mark.number == 0
    ]
    number = NEVER_CLOSED[content]
    expected = [f"a quote opened in row {number} is never closed"] if number else []
    assert [mark.problem.split(": ")[1].split(";")[0] for mark in marks] == expected


def checked(body: bytes, step: int) -> tuple[bytes, str]:
    """The text of a file that comes in pieces, and the encoding it was in."""
    plain = packing.plain(body[start : start + step] for start in range(0, len(body), step))
    text = Text(plain.head, plain.chunks)
    return b"".join(text), text.encoding


ODD = "caf\u00e9"
TABLE = f"id,text\n1,{ODD}\n2,\u201cx\u201d \u20ac5\n"
BYTES: list[tuple[bytes, str]] = [
    (b"PK\x03\x04rest", "is a ZIP archive or an Excel workbook"),
    (
        f"a\n{ODD}\n".encode() + b"\xff\n",
        "line 3 holds the byte 0xFF, which is not UTF-8, though the letters before",
    ),
    (b"a,b\n1,\xe2\x82", "ends in the middle of a character"),
    (b"a,b\n1,\x81\n", "line 2 holds the byte 0x81, which is neither UTF-8 nor Windows-1252"),
    (
        "\u0438\u043c\u044f,\u043a\u043e\u0434\n\u043f\u0440\u0438\u0432\u0435\u0442,1\n".encode("koi8-r"),
        "line 1 holds the byte .* does not look like Windows-1252",
    ),
    (b"a\n\xe9\x00", "line 2 holds the byte 0x00|line 2 holds a NUL"),
    (b"a\n\xe9\x03\n", "line 2 holds the byte 0x03: it is no text"),
    (b"a\n\xe9\n" + "\u00e4\u00f6\u00fc\n".encode() * 9, "though most letters after it are: it is damaged"),
    (b"a,b\n" + b"x\x00,1\n", "line 2 holds a NUL byte"),
    (TABLE.encode("utf-16")[:-1], "is UTF-16 .* text that is damaged or cut off in line 3"),
    (TABLE.encode("utf-32"), "is UTF-32 text"),
    (TABLE.encode("utf-32-le"), "is UTF-32 text or binary"),
    (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "is gzip that ends too early"),
    (b"\x1f\x8bnonsense", "is damaged gzip"),
    (gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0), "is packed twice"),
    (gzip.compress(b"0" * (80 << 20), mtime=0), "unpacks to more than 200 times its size"),
    (zstd(b"0" * (80 << 20)), "unpacks to more than 200 times its size"),
    (zstd(b"a,b\n1,2\n" * 99)[:-9], "is zstd that ends too early"),
    (b"\x28\xb5\x2f\xfdnonsense", "is damaged zstd"),
    (zstd(b"PK\x03\x04rest"), "is a ZIP archive or an Excel workbook"),
]


@pytest.mark.parametrize(("body", "reason"), BYTES)
@pytest.mark.parametrize("step", [3, 1 << 20])
def test_what_is_no_text_is_refused_with_its_place(body: bytes, reason: str, step: int) -> None:
    if step == 3 and len(body) > 10_000:
        pytest.skip("a large body in crumbs says nothing new")
    with pytest.raises(RefusedObject, match=reason):
        checked(body, step)


ENCODINGS = [
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16 (little-endian)"),
    ("utf-16-le", "UTF-16 (little-endian, without a mark)"),
    ("utf-16-be", "UTF-16 (big-endian, without a mark)"),
    ("cp1252", WESTERN),
]


@pytest.mark.parametrize(("codec", "name"), ENCODINGS)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_text_comes_out_as_utf8_whatever_it_was(codec: str, name: str, step: int) -> None:
    assert checked(TABLE.encode(codec), step) == (TABLE.encode(), name)
    assert checked(zstd(TABLE.encode(codec)), step)[0] == TABLE.encode()


def test_latin_1_far_below_is_found_and_what_was_before_it_is_kept() -> None:
    text = "a,b\n" + "1,2\n" * 5000 + "caf\u00e9,na\u00efve\n" + "1,2\n" * 5000
    assert checked(text.encode("latin-1"), 4096) == (text.encode(), WESTERN)


def test_gzip_and_zstd_of_several_members_are_unpacked() -> None:
    parts = b"a,b\n", "\u00e9,2\n".encode()
    for pack in (gzip.compress, zstd):
        assert checked(b"".join(map(pack, parts)), 7) == ("a,b\n\u00e9,2\n".encode(), "UTF-8")
    assert checked(gzip.compress(parts[0]) + bytes(512), 7)[0] == parts[0]


def test_what_an_unpacked_file_may_hold_is_limited() -> None:
    body = zstd(bytes(random.Random(1).choices(b"abc,\n", k=3 << 20)))
    with pytest.raises(RefusedObject, match=r"unpacks to more than limits.max_unpacked_mb, 2 MB: split"):
        list(packing.plain([body], Limits(unpacked_mb=2)).chunks)


def test_a_stream_that_fails_is_no_damaged_packing() -> None:
    def failing() -> Iterator[bytes]:
        yield zstd(b"a,b\n" * 9)[:20]
        raise ConnectionResetError("the network")

    with pytest.raises(ConnectionResetError, match="the network"):
        list(packing.plain(failing()).chunks)


def test_a_dialect_knows_its_width() -> None:
    assert Dialect(",", True, ("a", "b"), 1, 0, 1.0).width == 2


CELLS = [
    "a",
    "nan",
    "NL",
    "-nat",
    "<NA>",
    "nana",
    "NULL",
    "null x",
    " a",
    "a\t",
    "\u00a0a",
    "",
    "N/A",
    "-1.5",
    "\x00",
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_plain_row_needs_no_closer_look(tmp_path: Path, cell: str) -> None:
    found = parsed(tmp_path, f"a,b,z\nq,r,s\nq,{cell},s\nq,r,s\n").to_pylist()
    empty, padded = cell in {"", *plain.EMPTY}, cell.strip(" \t\n\r\x0b\x0c") != cell
    assert [row["_plain"] for row in (found[0], found[2])] == [plain.PLAIN] * 2
    assert found[1]["_plain"] != plain.PLAIN or not (empty or padded)
    assert found[1]["_plain"] in {plain.PLAIN, plain.TRIMMED} or cell[0] <= " " or cell[-1] <= " "
    assert found[1]["_plain"] != plain.TRIMMED or not padded


def test_a_row_of_a_file_that_lacks_a_column_is_not_plain(tmp_path: Path) -> None:
    assert {row["_plain"] for row in parsed(tmp_path, "a,b\nq,r\nq,r\n").to_pylist()} == {plain.TRIMMED}
