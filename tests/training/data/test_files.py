"""Guessing how a file is written, and numbering its rows."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from data import rows, text
from data.dialect import NO_DIALECT, Dialect, sniff
from data.errors import RefusedObject
from data.files import Source
from data.store import Drop

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
        Drop(3, "b", "k\u00e9y", None, "", "1", 1, True), str(path), dialect, header or dialect.header
    )
    return pa.Table.from_batches(
        rows.batches(source, str(path), ["b", "a", "z"]), rows.schema(["b", "a", "z"])
    )


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
    monkeypatch.setattr(rows, "BLOCK", 256)
    bad = {5, 77, 78, 400}
    lines = [f"{place},x" if place not in bad else f"{place}" for place in range(1, 501)]
    found = parsed(tmp_path, "a,b\n" + "\n".join(lines)).to_pylist()
    assert sorted(row["_number"] for row in found) == list(range(1, 501))
    assert {row["_number"] for row in found if row["_problem"]} == bad
    assert all(row["a"] == str(row["_number"]) for row in found if not row["_problem"])


def test_a_file_that_cannot_be_read_to_its_end_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 64)
    found = parsed(tmp_path, 'a,b\n1,2\n3,"' + "x" * 500).to_pylist()
    (problem,) = [row["_problem"] for row in found if row["_number"] == 0]
    assert problem.startswith("cannot be read after row 1: a row is longer than")
    assert problem.endswith("most likely a quote is never closed; correct the file and drop it again")


BYTES = [
    (b"a,b\n\xff\n", "line 2 holds the byte 0xFF"),
    (b"a,b\ncaf\xe9,1\n", "line 2 holds the byte 0xE9"),
    ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text"),
    ("a,b\n1,2\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
    (b"PK\x03\x04rest", "is a ZIP archive or an Excel workbook"),
    (b"PAR1rest", "is Parquet"),
    (b"a,b\n1,\xe2\x82", "ends in the middle of a character"),
    (gzip.compress(b"a,b\n1,2\n")[:-9], "is gzip that ends too early"),
    (b"\x1f\x8bnonsense", "is damaged gzip"),
    (gzip.compress(b"0" * (80 << 20)), "unpacks to more than 200 times its size"),
]


@pytest.mark.parametrize(("body", "reason"), BYTES)
@pytest.mark.parametrize("step", [3, 1 << 20])
def test_what_is_no_utf8_text_is_refused_with_its_place(body: bytes, reason: str, step: int) -> None:
    if step == 3 and len(body) > 1000:
        pytest.skip("a large body in crumbs says nothing new")
    with pytest.raises(RefusedObject, match=reason):
        list(text.checked(body[start : start + step] for start in range(0, len(body), step)))


def test_gzip_of_several_members_is_unpacked() -> None:
    body = gzip.compress(b"a,b\n") + gzip.compress("\u00e9,2\n".encode())
    assert b"".join(text.checked([body[:7], body[7:]])) == "a,b\n\u00e9,2\n".encode()


def test_a_dialect_knows_its_width() -> None:
    assert Dialect(",", True, ("a", "b"), 1, 0, 1.0).width == 2
