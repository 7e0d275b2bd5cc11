"""Versions, deletes and references, on both engines: which row stays does not depend on how files came in."""

from __future__ import annotations

from typing import Any

import pytest
from data.errors import BadUpload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.data.assembled import Assemble, Files, on_duckdb, on_spark
from tests.training.data.conftest import QUIET

SPEC: dict[str, Any] = {
    "project": "p",
    "task": "classification",
    "sources": {"upserts": {"path": "upserts/**"}, "deletes": {"path": "deletes/**"}},
    "key": "id",
    "version_by": {"column": "day", "format": "%d-%m-%Y"},
    "columns": {"id": "id", "day": "ignore", "text": "text", "kind": "label"},
}
NAMES = {"names": {"path": "names.csv", "kind": "reference", "join_on": ["id"]}}
JOINED: dict[str, Any] = {
    **SPEC,
    "sources": {**SPEC["sources"], **NAMES},
    "columns": {**SPEC["columns"], "name": {"type": "category", "required": True}},
}


def row(key: str | None, day: int | str, text: str | None = None, kind: str = "a") -> dict[str, str | None]:
    when = f"{day:02}-01-2022" if isinstance(day, int) else day
    return {"id": key, "day": when, "text": text or f"{key} of {when}", "kind": kind}


def gone(key: str, day: int | str = "") -> dict[str, str | None]:
    return {"id": key, "day": f"{day:02}-01-2022" if isinstance(day, int) else day}


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=QUIET)])
def assemble(request: pytest.FixtureRequest) -> Assemble:
    """Assemble small files on an engine."""
    return on_duckdb if request.param == "duckdb" else on_spark(request.getfixturevalue("spark"))


def texts(found: Any) -> list[str]:
    return sorted(one["text"] for one in found.rows)


def test_the_newest_date_wins_whenever_it_comes(assemble: Assemble) -> None:
    """By date, not by text: 01-04 is after 21-03."""
    files: Files = [
        ("upserts/1.csv", [row("k", "21-03-2022", "old"), row("l", 2, "alone")]),
        ("upserts/2.csv", [row("k", "01-04-2022", "new"), row("k", "30-03-2022", "between")]),
    ]
    for order in (files, files[::-1]):
        found = assemble(SPEC, order)
        assert texts(found) == ["alone", "new"]
        assert sorted(found.sides.values()).count("superseded") == 2


def test_of_equal_dates_the_last_dropped_wins_and_of_equal_rows_the_first_stays(assemble: Assemble) -> None:
    files: Files = [
        ("upserts/1.csv", [row("k", 1, "a"), row("l", 1, "same")]),
        ("upserts/2.csv", [row(" k ", 1, "b"), row("l", 1, "same"), row("k", 1, "c")]),
        ("upserts/3.csv", [row("l", 1, "same")]),
    ]
    found = assemble(SPEC, files)
    assert texts(found) == ["c", "same"]
    assert found.sides[0, 2] in {"train", "validation", "test"}
    assert [found.sides[place] for place in ((0, 1), (1, 1), (1, 2), (2, 1))] == [
        "superseded", "superseded", "duplicate", "duplicate",
    ]  # fmt: skip


def test_a_delete_takes_what_is_not_newer_than_it_and_everything_without_a_date(assemble: Assemble) -> None:
    files: Files = [
        ("deletes/1.csv", [gone("k", 2), gone("l", 2), gone("m"), gone("nobody", 1), gone("k", 1)]),
        (
            "upserts/1.csv",
            [row("k", 1), row("k", 2), row("l", 1), row("l", 3, "again"), row("m", 9), row("n", 1, "stays")],
        ),
    ]
    for order in (files, files[::-1]):
        found = assemble(SPEC, order)
        assert texts(found) == ["again", "stays"]
        assert list(found.sides.values()).count("deleted") == 5 + 4


def test_a_row_without_its_key_or_with_no_date_is_nobodys_version(assemble: Assemble) -> None:
    bad = [
        row(None, 1),
        row("k", "2022-01-09"),
        row("k", ""),
        row("k", "31-02-2022"),
        {"_problem": "has 2 cells"},
    ]
    found = assemble(
        SPEC,
        [("upserts/1.csv", [row("k", 1, "good"), *bad]), ("deletes/1.csv", [gone("k", "soon"), gone("", 1)])],
    )
    assert texts(found) == ["good"]
    reasons = [found.faults[0, place][0]["reason"] for place in range(2, 7)]
    assert reasons == [
        "is required and empty", "is not a version date of the format %d-%m-%Y", "is required and empty",
        "is not a version date of the format %d-%m-%Y", "has 2 cells",
    ]  # fmt: skip
    assert list(found.sides.values()).count("quarantined") == 7


def test_what_is_deleted_is_not_kept_in_quarantine_either(assemble: Assemble) -> None:
    spec = {**SPEC, "labels": ["a", "b"]}
    bad = [row("k", 1, kind="?"), row("l", 1, kind="?"), row("k", "never")]
    found = assemble(spec, [("upserts/1.csv", [row("m", 1), *bad]), ("deletes/1.csv", [gone("k", 1)])])
    assert [found.sides[0, place] for place in (2, 3, 4)] == ["deleted", "quarantined", "deleted"]


def test_without_a_version_date_the_last_dropped_wins_and_a_delete_is_for_good(assemble: Assemble) -> None:
    spec = {name: value for name, value in SPEC.items() if name != "version_by"} | {"key": ["id", "kind"]}
    files: Files = [
        ("upserts/1.csv", [row("k", 9, "old"), row("k", 9, "other", "b"), row("l", 1)]),
        ("upserts/2.csv", [row("k", 1, "new"), row("l", 2)]),
        ("deletes/1.csv", [{"id": "l", "kind": "a"}]),
    ]
    assert texts(assemble(spec, files)) == ["new", "other"]


def test_equal_rows_without_a_key_stay_unless_the_spec_says_otherwise(assemble: Assemble) -> None:
    spec = {name: value for name, value in SPEC.items() if name not in {"key", "version_by"}}
    spec["sources"] = {"data": {"path": "**"}}
    files: Files = [
        ("1.csv", [{**row("k", 1, "a"), "column_1": "0"}, row("k", 1, "b")]),
        ("2.csv", [{**row("k", 1, "a"), "column_1": "1"}]),
    ]
    assert texts(assemble(spec, files)) == ["a", "a", "b"]
    once = assemble({**spec, "drop_duplicates": True}, files)
    assert (texts(once), once.sides[1, 1]) == (["a", "b"], "duplicate")


def test_a_reference_adds_its_columns_and_says_what_it_lacks(assemble: Assemble) -> None:
    names = [
        {"column_1": "0", "id": "k", "name": "K"}, {"id": " l ", "name": "L1"}, {"id": "l", "name": "L2"},
        {"id": "l", "name": "L2"}, {"id": "m", "name": ""}, {"id": "", "name": "?"},
    ]  # fmt: skip
    files: Files = [
        ("names.csv", names),
        ("upserts/1.csv", [row(key, 1) for key in ("k", "l", "m", "n", "o")] + [row("n", 2, "newer")]),
    ]
    for order in (files, files[::-1]):
        found = assemble(JOINED, order)
        assert sorted((one["id"], one["name"]) for one in found.rows) == [("k", "K"), ("l", "L2")]
        assert found.columns == ("id", "day", "text", "kind", "name")
        assert found.unmatched == [
            {"source": "names", "join_on": ["id"], "rows": 3, "keys": [["m"], ["n"], ["o"]]}
        ]
        place = order.index(files[0])
        assert [found.sides[place, number] for number in range(1, 7)] == [
            "reference", "superseded", "reference", "duplicate", "quarantined", "quarantined",
        ]  # fmt: skip


def test_two_references_are_joined_one_after_the_other(assemble: Assemble) -> None:
    more = {"owners": {"path": "owners.csv", "kind": "reference", "join_on": ["kind", "id"]}}
    spec = {**JOINED, "sources": {**JOINED["sources"], **more}}
    files: Files = [
        (
            "owners.csv",
            [{"id": "k", "kind": "a", "owner": "me", "text": "no"}, {"id": "l", "kind": "b", "owner": "x"}],
        ),
        ("names.csv", [{"id": "k", "name": "K"}, {"id": "l", "name": "L"}]),
        ("upserts/1.csv", [row("k", 1, "yes"), row("l", 1), row("m", 1)]),
    ]
    found = assemble(spec, files)
    assert [(one["name"], one["owner"], one["text"]) for one in found.rows] == [("K", "me", "yes")]
    assert [(one["rows"], one["keys"]) for one in found.unmatched] == [(1, [["m"]]), (1, [["a", "l"]])]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("deletes/1.csv", [gone("k")])], "there are no rows yet"),
        (
            [("upserts/1.csv", [row("k", 1)])],
            "source 'names' has no usable file yet; drop one that matches 'names.csv'",
        ),
    ],
)
def test_what_a_dataset_cannot_be_made_without(files: Files, reason: str) -> None:
    with pytest.raises(BadUpload, match=reason):
        on_duckdb(JOINED, files)


KEYS, DAYS = st.sampled_from(["k", "l", "m"]), st.integers(1, 3)
BATCH = st.lists(st.tuples(KEYS, DAYS), min_size=1, max_size=4)
DELETES = st.lists(st.tuples(KEYS, st.one_of(DAYS, st.none())), min_size=1, max_size=2)
STORY = st.lists(
    st.one_of(BATCH.map(lambda rows: ("upserts", rows)), DELETES.map(lambda rows: ("deletes", rows))),
    max_size=4,
)


def told(story: list[Any]) -> Files:
    """Files of a story; every one has a row that no delete speaks of, so there is always a dataset."""
    files: list[Any] = [("upserts/0.csv", [row("always", 1)])]
    for place, (kind, events) in enumerate(story, 1):
        cells = [row(*event) if kind == "upserts" else gone(event[0], event[1] or "") for event in events]
        files.append((f"{kind}/{place}.csv", cells))
    return files


def expected(story: list[Any]) -> list[str]:
    """The same in plain Python: per key the newest day that no delete reaches."""
    until: dict[str, int] = {}
    for kind, events in story:
        for key, day in events if kind == "deletes" else ():
            until[key] = max(until.get(key, 0), day or 99)
    newest: dict[str, int] = {"always": 1}
    for kind, events in story:
        for key, day in events if kind == "upserts" else ():
            if day > until.get(key, 0):
                newest[key] = max(newest.get(key, 0), day)
    return sorted(f"{key} of {day:02}-01-2022" for key, day in newest.items())


def same_however_it_comes(assemble: Assemble, story: list[Any], order: list[int]) -> None:
    """What a story says, in its order, once; and in another order with repeats."""
    once = assemble(SPEC, told(story))
    again = [story[place % len(story)] for place in order] if story else []
    anyhow = assemble(SPEC, told([*again, *story[::-1]]))
    assert texts(once) == expected(story)
    assert anyhow.table == once.table


@given(story=STORY, order=st.lists(st.integers(0, 3), max_size=4))
@settings(max_examples=8, deadline=None)
def test_any_order_and_any_repetition_gives_the_same_table(story: list[Any], order: list[int]) -> None:
    same_however_it_comes(on_duckdb, story, order)


@given(story=STORY, order=st.lists(st.integers(0, 3), max_size=4))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_so_it_does_on_spark(spark: Any, story: list[Any], order: list[int]) -> None:
    same_however_it_comes(on_spark(spark), story, order)
