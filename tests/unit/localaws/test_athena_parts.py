"""The parts of Athena here that need no server: result files, SerDes, types, what a query can skip."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.athena import query, results, serde
from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.partitions import places
from penstock.localaws.athena.query import Source
from penstock.localaws.athena.types import athena_type, duckdb_type, hive_type, text_of

CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2)), st.integers(1, 4))
def test_pages_of_a_result_file_are_its_rows(rows: list[list[str | None]], limit: int) -> None:
    """Whatever the cells hold; NULL and an empty text stay two things."""
    content, start, read = results.document(rows), 0, list[list[str | None]]()
    while start is not None:
        page, following = results.page(content, start, limit)
        assert len(page) <= limit
        read += page
        start = following  # type: ignore[assignment]
    assert read == rows


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("a\tb\tc", ["a", "b", "c"]),
        ('"a\tb"\tc', ["a\tb", "c"]),
        ('"say ""hi"""\tc', ['say "hi"', "c"]),
        ('"a\\"b\\\\c\\d"', ['a"b\\cd']),
        ("a\\b\t", ["ab", ""]),
        ('see "it" here\tx', ['see "it" here', "x"]),
        ('""\t', ["", ""]),
    ],
)
def test_open_csv_reads_as_opencsv_does(line: str, cells: list[str]) -> None:
    parameters = {"separatorChar": "\t", "quoteChar": '"', "escapeChar": "\\"}
    assert serde.reader("org.apache.hadoop.hive.serde2.OpenCSVSerde", parameters, [])(line) == cells


def test_lazy_simple_takes_quotes_for_text_and_n_for_null() -> None:
    library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    assert serde.reader(library, {"field.delim": ","}, [])('"a",\\N,') == ['"a"', None, ""]
    assert serde.reader(library, {}, [])("a\x01b") == ["a", "b"]
    escaped = serde.reader(library, {"field.delim": ",", "escape.delim": "\\"}, [])
    assert escaped("a\\,b,c") == ["a,b", "c"]


def test_json_is_read_by_name_in_any_case() -> None:
    read = serde.reader("org.openx.data.jsonserde.JsonSerDe", {}, ["a", "b", "c"])
    assert read('{"B": {"x": [1, "é"]}, "A": "t", "z": 0}') == ["t", '{"x": [1, "é"]}', None]
    with pytest.raises(QueryFailed, match="HIVE_BAD_DATA"):
        read("no json")
    tolerant = serde.reader("org.openx.data.jsonserde.JsonSerDe", {"ignore.malformed.json": "true"}, ["a"])
    assert tolerant("no json") == [None]


def test_a_serde_that_is_not_here_is_told() -> None:
    with pytest.raises(QueryFailed, match="OrcSerde"):
        serde.reader("org.apache.hadoop.hive.ql.io.orc.OrcSerde", {}, [])


@pytest.mark.parametrize(
    ("hive", "duckdb"),
    [
        ("string", "VARCHAR"),
        ("varchar(10)", "VARCHAR"),
        ("int", "INTEGER"),
        ("decimal(12,2)", "DECIMAL(12,2)"),
        ("array<double>", "DOUBLE[]"),
        ("map<string,array<int>>", "MAP(VARCHAR, INTEGER[])"),
        ("array<struct<a:string,b:map<string,int>>>", 'STRUCT("a" VARCHAR, "b" MAP(VARCHAR, INTEGER))[]'),
    ],
)
def test_types_of_the_catalog_are_duckdbs(hive: str, duckdb: str) -> None:
    assert duckdb_type(hive) == duckdb


def test_types_of_results_are_athenas() -> None:
    shown = [
        athena_type(of)[0] for of in ("HUGEINT", "DECIMAL(4,1)", "INTEGER[]", "STRUCT(a INTEGER)", "DATE")
    ]
    assert shown == ["bigint", "decimal", "array", "row", "date"]
    assert [hive_type(of) for of in ("VARCHAR", "DECIMAL(4,1)", "INTEGER[]")] == [
        "string", "decimal(4,1)", "array<int>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"), (1.0, "1.0"), (1e7, "1.0E7"), (123456789.5, "1.234567895E8"), (0.0001, "1.0E-4"),
        (-0.0, "-0.0"), (float("nan"), "NaN"), (float("-inf"), "-Infinity"), (5e-324, "5.0E-324"),
        (9999999.0, "9999999.0"), (True, "true"), (Decimal("1.50"), "1.50"), (b"\x01\xff", "01 ff"),
        (datetime.datetime(2022, 3, 1, 4, 5, 6, 7000), "2022-03-01 04:05:06.007"),  # noqa: DTZ001  SQL's are naive
        (datetime.date(2022, 3, 1), "2022-03-01"), ([1, None, "a"], "[1, null, a]"), ({"a": 1.0}, "{a=1.0}"),
    ],
)  # fmt: skip
def test_values_are_printed_as_athena_prints_them(value: object, text: str) -> None:
    assert text_of(value) == text


TABLE: dict[str, Any] = {
    "Name": "t",
    "PartitionKeys": [{"Name": "split", "Type": "string"}, {"Name": "version", "Type": "int"}],
    "StorageDescriptor": {"Columns": [], "Location": "s3://b/t/"},
    "Parameters": {
        "projection.enabled": "true",
        "projection.split.type": "enum",
        "projection.split.values": "train,test",
        "projection.version.type": "integer",
        "projection.version.range": "1,12",
        "projection.version.digits": "3",
    },
}


class OneTable:
    """A world of one table."""

    def databases(self) -> list[str]:
        """Its database."""
        return ["d"]

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        """It."""
        return TABLE if (database, name) == ("d", "t") else None


def asked(sql: str) -> list[dict[str, frozenset[str]]]:
    """What each mention of the table can be limited to."""
    found: list[Source] = query.sources(sql, query.parse(sql), OneTable(), "d")  # type: ignore[arg-type]
    return [dict(query.wanted(found, source)) for source in found]


@pytest.mark.parametrize(
    ("sql", "limits"),
    [
        ("SELECT 1 FROM t WHERE split = 'train' AND version IN (2, 3)", {"split": {"train"}, "version": {"2", "3"}}),
        ("SELECT 1 FROM t WHERE ('test' = Split) AND x = 1", {"split": {"test"}}),
        ("SELECT 1 FROM t a WHERE a.split = 'train'", {"split": {"train"}}),
        ("SELECT 1 FROM t WHERE split = 'train' OR version = 1", {}),
        ("SELECT 1 FROM t WHERE version = 007", {"version": {"7"}}),
        ("SELECT 1 FROM t WHERE version = 1.0 AND split = 1", {}),
        ("SELECT 1 FROM t WHERE NOT split = 'train'", {}),
        ("SELECT 1 FROM t WHERE split <> 'train'", {}),
        ("SELECT 1 FROM (SELECT * FROM t) WHERE split = 'train'", {}),
        ("SELECT 1 FROM t a JOIN t b ON a.version = b.version WHERE a.split = 'train'", {}),
        ("SELECT 1 FROM t a JOIN t b ON a.x = b.x WHERE a.split = 'train' AND b.split = 'test'",
         {"split": {"train", "test"}}),
        ("SELECT count(*) FILTER (WHERE split = 'train') FROM t", {}),
    ],
)  # fmt: skip
def test_only_what_cannot_match_is_skipped(sql: str, limits: dict[str, set[str]]) -> None:
    assert all(found == limits for found in asked(sql))


def test_projected_places() -> None:
    found = places(TABLE, [], {"split": frozenset({"test"}), "version": frozenset({"11", "12", "99"})})
    assert [place.uri for place in found] == [
        "s3://b/t/split=test/version=011",
        "s3://b/t/split=test/version=012",
    ]
    assert len(places(TABLE, [], {})) == 24


def test_registered_places_are_compared_by_value() -> None:
    plain = {**TABLE, "Parameters": {}}
    registered = [
        {"Values": ["a", version], "StorageDescriptor": {"Location": f"s3://b/{version}"}}
        for version in ("01", "2")
    ]
    found = places(plain, registered, {"version": frozenset({"1"})})
    assert [place.uri for place in found] == ["s3://b/01"]
