"""The bytes decide what a file is; JSON lines and Parquet come out as the text a CSV of the same values would hold."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data import jsonlines, parquet, rows
from data.limits import Limits
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.dropped import COLUMNS, SPEC, look, read

LINE = {"id": "k1", "size": 1.5, "colour": "red", "day": "01.02.2024", "kind": "a"}
HEADER = "id,size,colour,day,kind\n"
ROW = "k1,1.5,red,01.02.2024,a\n"


def json_lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def cells(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def test_objects_become_rows_and_their_members_columns(tmp_path: Path) -> None:
    body = (
        b"\xef\xbb\xbf" + json_lines(LINE) + b"\r\n"
        b'{"id":12345678901234567890123,"size":1.10,"kind":null,"tags":["x",{"y":1.0}],"Colour":"r\\u00e9d"}\n'
        b'{"id":true,"size":"1e400","day":{}, "day2": NaN}'
    )
    source = look(tmp_path, "a.jsonl", body)
    assert (source.format, source.header) == (
        "jsonl",
        ("id", "size", "colour", "day", "kind", "tags", "day2"),
    )
    found = read(source)
    assert [row["_number"] for row in found] == [1, 2, 3]
    assert cells(found[0]) == {**LINE, "size": "1.5", "tags": None, "day2": None}
    assert cells(found[1]) == {
        "id": "12345678901234567890123", "size": "1.10", "colour": "r\u00e9d", "day": None, "kind": None,
        "tags": '["x",{"y":1.0}]', "day2": None,
    }  # fmt: skip
    assert (found[2]["id"], found[2]["size"], found[2]["day"], found[2]["day2"]) == (
        "true",
        "1e400",
        "{}",
        "NaN",
    )


LINES = [
    (b'{"id": 1', "is not JSON: Expecting ',' delimiter at character 9"),
    (b"[1, 2]", "is JSON, but not an object with members"),
    (b'{"id": 1, "id": 2}', "names the member 'id' twice"),
    (b'{"id": 1, "ID": 2}', "names the member 'ID' twice (upper and lower case are one)"),
    (b'{"id": "\\u0000"}', "holds a NUL or half a character in 'id'"),
    (b'{"id": "\\ud800"}', "holds a NUL or half a character in 'id'"),
    (b'{"id": ' + b"[" * 100_000, "is JSON nested too deeply"),
    (b"k1,1.5,red,01.02.2024,a", "is not JSON: Extra data|is not JSON: Expecting value at character 1"),
]


@pytest.mark.parametrize(("line", "reason"), LINES, ids=range(len(LINES)))
def test_a_line_that_is_no_object_is_a_row_refused(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(look(tmp_path, "a.jsonl", json_lines(LINE, LINE) + b"\n" + line + b"\n" + json_lines(LINE)))
    assert [row["_problem"] for row in found if row["_number"] != 3] == [None] * 3
    assert any(found[2]["_problem"].startswith(one) for one in reason.split("|"))
    assert found[2]["_text"] == line.decode()


def test_a_line_too_long_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "LONGEST_ROW", 1 << 20)
    long = json_lines(LINE, {**LINE, "id": "x" * (3 << 20)})
    found = read(look(tmp_path, "a.jsonl", long))
    assert [row["_number"] for row in found] == [0, 1]
    assert found[0]["_problem"].startswith("cannot be read after row 1: a line is longer than")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), JSON_VALUES, min_size=1), min_size=1, max_size=5))
def test_no_value_is_lost_in_json_lines(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a"
    path.write_bytes(json_lines(*given_rows))
    names = jsonlines.look(str(path), Limits())
    pieces = list(jsonlines.pieces(str(path), names))
    assert not any(piece.marks for piece in pieces)
    columns = [
        [value for piece in pieces for value in column_of(piece, place)] for place in range(len(names))
    ]
    for place, row in enumerate(given_rows):
        for name, column in zip(names, columns, strict=True):
            value = row.get(name)
            text = column[place]
            assert text == (value if value is None or isinstance(value, str) else text)
            assert isinstance(value, str) or value is None or json.loads(text) == value


def column_of(piece: Any, place: int) -> list[str | None]:
    values: list[str | None] = piece.columns[place].to_pylist() if piece.columns else []
    return values


def test_parquet_values_become_the_text_of_a_csv(tmp_path: Path) -> None:
    moment = datetime.datetime(2024, 2, 1, 10, 30, 0, 250, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "id": pa.array([2**63, 1], pa.uint64()),
            "size": pa.array([0.1 + 0.2, None]),
            "colour": pa.array(["r\u00e9d", "x"]).dictionary_encode(),
            "day": pa.array([datetime.date(2024, 2, 1), None]),
            "kind": pa.array([b"a", b"b"], pa.binary()),
            "price": pa.array([decimal.Decimal("1.10"), decimal.Decimal("-0.05")]),
            "when": pa.array([moment, None], pa.timestamp("ns", "Europe/Berlin")),
            "local": pa.array([moment.replace(tzinfo=None)] * 2, pa.timestamp("ms")),
            "flag": pa.array([True, False]),
            "half": pa.array([1.5, 2], pa.float32()),
            "tags": pa.array([[{"a": 1, "b": moment}], None]),
            "map": pa.array([[("k", 1.5)], []], pa.map_(pa.string(), pa.float64())),
            "none": pa.nulls(2),
        }
    )
    source = look(tmp_path, "a.parquet", as_parquet(table))
    assert source.notes == ()
    first, second = read(source)
    assert cells(first) == {
        "id": "9223372036854775808", "size": "0.30000000000000004",
        "colour": "r\u00e9d", "day": "01.02.2024", "kind": "a",
        "price": "1.10", "when": "2024-02-01 10:30:00.000250000Z", "local": "2024-02-01 10:30:00.000", "flag": "true",
        "half": "1.5", "tags": '[{"a":1,"b":"2024-02-01T10:30:00.000250+00:00"}]', "map": '{"k":1.5}', "none": None,
    }  # fmt: skip
    assert (second["size"], second["day"], second["price"], second["tags"], second["map"]) == (
        None, None, "-0.05", None, "[]",
    )  # fmt: skip


@given(st.lists(st.floats(allow_nan=False) | st.none(), min_size=1))
def test_no_float_of_parquet_is_changed(values: list[float | None]) -> None:
    texts = parquet.text_of(pa.array(values, pa.float64()), None).to_pylist()
    for value, text in zip(values, texts, strict=True):
        assert value == (None if text is None else float(text))
        assert value is None or math.copysign(1, value) == math.copysign(1, float(text))


def test_bytes_that_are_no_text_cost_their_rows_only(tmp_path: Path) -> None:
    table = pa.table({**{name: ["x", "y", "z"] for name in COLUMNS}, "raw": [b"\xff", b"ok", b"a\0b"]})
    found = read(look(tmp_path, "a.parquet", as_parquet(table)))
    assert [row["_problem"] for row in found] == [
        "holds bytes in 'raw' that are no text", None, "holds bytes in 'raw' that are no text",
    ]  # fmt: skip
    assert found[1]["raw"] == "ok"


def few(count: int = 3) -> pa.Table:
    return pa.table({**{name: [None] * count for name in COLUMNS}, "id": list(range(count))})


def test_parquet_that_is_damaged_empty_or_too_large_is_refused(tmp_path: Path) -> None:
    good = as_parquet(few())
    wide = as_parquet(few().append_column("more", [[1, 2, 3]]))
    limited = {**SPEC, "limits": {"max_rows": 2, "max_columns": 5}}
    cases = [
        (b"PAR1" + b"x" * 40, SPEC, "is damaged Parquet"),
        (good[:-4], SPEC, "is damaged Parquet"),
        (as_parquet(few(0)), SPEC, "holds no row"),
        (good, limited, "has more rows than limits.max_rows, 2: split it"),
        (wide, limited, "has 6 columns; limits.max_columns is 5: drop the columns"),
        (as_parquet(pa.table({"x": [1]})), SPEC, "lacks target column 'kind'"),
    ]
    for body, document, reason in cases:
        assert reason in (look(tmp_path, "a.parquet", body, document).refusal or "")


def test_parquet_of_little_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    few_bytes = as_parquet(
        pa.table({**{name: ["x"] * 60_000 for name in COLUMNS}, "text": ["y" * 100] * 60_000})
    )
    source = look(tmp_path, "a.parquet", few_bytes, {**SPEC, "limits": {"max_unpacked_mb": 2}})
    assert len(few_bytes) < 50_000
    (broken,) = [row for row in read(source) if row["_number"] == 0]
    assert "unpacks to more than limits.max_unpacked_mb, 2 MB" in broken["_problem"]


NAMES = [
    ("a.parquet", json_lines(LINE), "jsonl", "its name says .parquet, its bytes are JSON lines; it was read as that"),
    ("a.json", (HEADER + ROW).encode(), "delimited", "its name says .json, its bytes are delimited text with commas"),
    ("a.tsv", (HEADER + ROW).replace(",", ";").encode(), "delimited", "its name says .tsv, its bytes are delimited"),
    ("a.csv", as_parquet(few()), "parquet", "its name says .csv, its bytes are Parquet"),
    ("a.csv.gz", (HEADER + ROW).encode(), "delimited", "its name says gzip, its bytes are not packed"),
    ("a", json_lines(LINE), "jsonl", ""),
    ("a.jsonl", json_lines(LINE), "jsonl", ""),
    ("a.txt", (HEADER + ROW).replace(",", "|").encode(), "delimited", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "form", "note"), NAMES)
def test_the_bytes_decide_and_a_name_that_lies_is_said(
    tmp_path: Path, name: str, body: bytes, form: str, note: str
) -> None:
    source = look(tmp_path, name, body)
    assert (source.refusal, source.format) == (None, form)
    assert "; ".join(source.notes).startswith(note)
    assert bool(source.notes) == bool(note)


def test_a_spec_that_says_another_format_is_said(tmp_path: Path) -> None:
    document = {**SPEC, "sources": {"data": {"path": "**", "format": "parquet"}}}
    assert look(tmp_path, "a", json_lines(LINE), document).notes == (
        "the project spec says parquet, its bytes are JSON lines; it was read as that",
    )


JSON_REFUSED = [
    (b'[\n  {"id": 1},\n  {"id": 2}\n]\n', "is a JSON array; write one object a line"),
    (b'[{"id": 1}, {"id": 2}]', "is a JSON array; write one object a line"),
    (b'{\n  "id": 1,\n  "size": 2,\n "x": [\n1,\n2\n]\n}\n', "is JSON, but not one object a line"),
    (b"{}\n{}\n", "has no line that is a JSON object with members"),
]


@pytest.mark.parametrize(("body", "reason"), JSON_REFUSED)
def test_json_that_is_not_one_object_a_line_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    assert reason in (look(tmp_path, "a.json", body).refusal or "")


HEADINGS = [
    ("k1,1.5,red,01.02.2024,a\nk2,2,red,,b\n", ["k1", "k2"], "it has no header line: its first row is data"),
    ("sep=;\n" + (HEADER + ROW).replace(",", ";"), ["k1"], "its first line, 'sep=;', was taken at its word"),
    ('"sep=|"\r\n' + (HEADER + ROW).replace(",", "|"), ["k1"], "its first line, '\"sep=|\"', was taken"),
    (
        "# made by\n# me, today\n\n" + HEADER + ROW,
        ["k1"],
        "comments above its header were passed over (lines: 2)",
    ),
    (HEADER.upper() + ROW, ["k1"], ""),
    ('id,size,"colour",day,"ki\nnd"\n'.replace("ki\nnd", " kind ") + ROW, ["k1"], ""),
    (HEADER + ROW.replace("\n", ",\n") * 2, ["k1", "k1"], ""),
    ((HEADER + ROW).replace("\n", "\r"), ["k1"], ""),
    ("\n\n" + HEADER + "\n\n" + ROW + "\n", ["k1"], ""),
]


@pytest.mark.parametrize(("text", "ids", "note"), HEADINGS)
def test_what_stands_above_the_rows_is_understood(
    tmp_path: Path, text: str, ids: list[str], note: str
) -> None:
    source = look(tmp_path, "a.csv", text.encode())
    found = read(source)
    assert [row["id"] for row in found] == ids
    assert [row["_number"] for row in found] == list(range(1, len(ids) + 1))
    assert (found[0]["size"], found[0]["kind"], found[0]["_problem"]) == ("1.5", "a", None)
    assert "; ".join(source.notes).startswith(note)
    assert bool(source.notes) == bool(note)


def test_a_file_without_a_header_line_is_taken_so_if_the_spec_says_it(tmp_path: Path) -> None:
    document = {**SPEC, "labels": [], "sources": {"data": {"path": "**", "header": False}}}
    source = look(tmp_path, "a.csv", b"a,b,c,d,e\nk,1,red,,a\n", document)
    assert (source.header, source.notes) == (
        tuple(COLUMNS), ("it has no header line, as the project spec says of its source",),
    )  # fmt: skip
    assert [row["id"] for row in read(source)] == ["a", "k"]
    refusal = look(tmp_path, "a.csv", b"a,b,c\n1,2,3\n", document).refusal or ""
    assert refusal.startswith("its first row has 3 cells; the project spec says of source 'data'")


def test_more_rows_than_may_be_refuse_the_file(tmp_path: Path) -> None:
    body = (HEADER + ROW * 3).encode()
    broken, *_ = read(look(tmp_path, "a.csv", body, {**SPEC, "limits": {"max_rows": 2}}))
    assert broken["_number"] == 0
    assert "has more rows than limits.max_rows, 2" in broken["_problem"]
    assert len(read(look(tmp_path, "a.csv", body, {**SPEC, "limits": {"max_rows": 3}}))) == 3


def test_a_file_larger_than_may_be_is_not_even_fetched(tmp_path: Path) -> None:
    source = look(tmp_path, "a.csv", bytes(2 << 20), {**SPEC, "limits": {"max_object_mb": 1}})
    assert source.refusal == (
        "is 2.0 MB; limits.max_object_mb is 1: split it into smaller files, or raise the limit in the project spec"
    )


def test_a_piece_without_rows_makes_no_batch(tmp_path: Path) -> None:
    source = look(tmp_path, "a.csv", (HEADER + ROW).encode())
    assert [batch.num_rows for batch in rows.batches(source, source.path, source.header)] == [1]
