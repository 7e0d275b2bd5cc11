"""What the leak guard finds, and what it leaves alone; the same on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from data import leaks, near, spec
from data.errors import BadUpload

from tests.training.data.bench import Bench

COLUMNS = {"id": "id", "x": "number", "c": "category", "y": "label"}
DOCUMENT: dict[str, Any] = {"project": "p1", "task": "classification", "columns": COLUMNS}
TEXTS: dict[str, Any] = {
    **DOCUMENT,
    "columns": {"id": "id", "text": "text", "who": "ignore", "y": "label"},
    "leaks": {"near_duplicates": True},
}


def find(bench: Bench, document: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, leaks.Finding]:
    """The findings by check; of one check the worst."""
    meaning = spec.parse(document)
    names = list(dict.fromkeys([*document["columns"], *rows[0]]))
    guard = leaks.Guard(bench, bench.judged(document, rows), meaning, names, len(rows))  # type: ignore[arg-type]
    return {finding.check: finding for finding in reversed(guard.find())}


def rows(count: int) -> list[dict[str, Any]]:
    dice = np.random.default_rng(1)
    noise = dice.normal(size=count).round(6)
    return [
        {"id": str(place), "x": str(noise[place]), "c": "uvw"[place % 3], "y": "ab"[int(dice.random() < 0.4)]}
        for place in range(count)
    ]


def test_honest_rows_are_clear(bench: Bench) -> None:
    found = find(bench, DOCUMENT, rows(400))
    assert {check: one.verdict for check, one in found.items()} == dict.fromkeys(
        ("header_rows", "equal_rows", "gives_away", "id_like"), "clear"
    )


def test_a_header_inside_the_data_is_named_by_file_and_row(bench: Bench) -> None:
    given = rows(30)
    given.insert(7, {"id": "id", "x": "x", "c": "C", "y": "y"})
    found = find(bench, DOCUMENT, given)["header_rows"]
    assert (found.verdict, found.rows) == ("leak", 1)
    assert found.examples == ({"file": "a.csv", "number": 8},)
    assert "a.csv row 8" in found.said


def test_a_column_that_gives_the_target_away_is_named(bench: Bench) -> None:
    given = [{**row, "x": f"{1 if row['y'] == 'a' else 2}.{row['id']}"} for row in rows(400)]
    found = find(bench, DOCUMENT, given)["gives_away"]
    assert (found.verdict, found.columns) == ("leak", ("x",))


def test_a_column_that_is_left_out_is_a_note_only(bench: Bench) -> None:
    given = [{**row, "later": row["y"] + "!"} for row in rows(400)]
    found = find(bench, DOCUMENT, given)["gives_away"]
    assert (found.verdict, found.columns[0]) == ("note", "later")


def test_an_id_among_what_is_learned_from_is_told(bench: Bench) -> None:
    document = {**DOCUMENT, "columns": {**COLUMNS, "id": "number"}}
    found = find(bench, document, rows(400))["id_like"]
    assert (found.verdict, found.columns) == ("note", ("id",))


def test_rows_on_both_sides_are_equal_in_every_value_nulls_and_zeros_among_them(bench: Bench) -> None:
    given = rows(200)
    copies = [{"x": None, "c": "u"}, {"x": "-0.0", "c": "u"}, {"x": "0", "c": "u"}, {"x": "7", "c": ""}]
    given += [{"id": f"copy {place}", "y": "a", **copies[place % 4]} for place in range(120)]
    found = find(bench, DOCUMENT, given)["equal_rows"]
    sides = bench.rows(bench.judged(DOCUMENT, given))
    held = [row for row in sides if row["id"].startswith("copy") and row["_side"] in {"validation", "test"}]
    assert (found.verdict, found.rows) == ("note", len(held))
    assert found.said.startswith(f"{len(held)} held-out rows have a row that is also in train")


def test_a_group_on_both_sides_is_a_leak_and_one_that_is_split_by_is_not(bench: Bench) -> None:
    given = [{**row, "who": f"w{place % 20}"} for place, row in enumerate(rows(300))]
    document = {**DOCUMENT, "columns": {**COLUMNS, "who": "ignore"}, "leaks": {"group": "who"}}
    found = find(bench, document, given)["group_overlap"]
    assert (found.verdict, found.columns) == ("leak", ("who",))
    assert found.examples[0].keys() >= {"file", "number", "other_file", "other_number"}
    apart = find(bench, {**document, "split": {"group": "who"}}, given)["group_overlap"]
    assert apart.verdict == "clear"


def told(place: int) -> str:
    dice = np.random.default_rng(place)
    return " ".join(f"w{number}" for number in dice.integers(0, 5000, 12))


def test_texts_on_both_sides_are_found_whatever_their_case_and_spacing(bench: Bench) -> None:
    given = [
        {
            "id": f"{place}{copy}",
            "text": told(place) if copy else told(place).upper() + " !",
            "who": "u",
            "y": "ab"[copy],
        }
        for place in range(60)
        for copy in (0, 1)
    ]
    found = find(bench, TEXTS, given)["equal_texts"]
    assert found.verdict == "leak"
    held, known = found.examples[0]["number"], found.examples[0]["other_number"]
    assert (held - 1) // 2 == (known - 1) // 2
    alone = find(bench, TEXTS, given[::2])
    assert {alone["equal_texts"].verdict, alone["near_texts"].verdict} == {"clear"}


def test_near_texts_name_the_column_to_split_by(bench: Bench) -> None:
    given = [
        {"id": f"{place}{copy}", "text": f"{told(place)} more{copy}", "who": f"u{place}", "y": "ab"[copy % 2]}
        for place in range(60)
        for copy in range(3)
    ]
    found = find(bench, TEXTS, given)["near_texts"]
    assert found.verdict == "leak"
    assert "group: who" in found.said
    assert find(bench, {**TEXTS, "split": {"group": "who"}}, given)["near_texts"].verdict == "clear"


def test_near_keeps_to_pairs_that_share_half_of_their_words() -> None:
    texts = [
        "one two three four five six",
        "one two three four five seven",
        "a b",
        "a b",
        "x y z q one two",
        None,
    ]
    found = near.find(texts, np.array([True, False, True, False, False, True]))
    assert (found.held.tolist(), found.known.tolist()) == ([0], [1])
    assert found.alike[0] == pytest.approx(5 / 7)
    assert len(near.find(["", None], np.array([True, False])).held) == 0


def test_fail_ends_the_run_with_what_was_found_and_warn_does_not() -> None:
    finding = leaks.Finding("header_rows", "leak", "2 rows repeat the header.")
    leaks.enforce(spec.parse(DOCUMENT), [finding])
    with pytest.raises(BadUpload, match=r"the leak guard found 1: 2 rows repeat the header"):
        leaks.enforce(spec.parse({**DOCUMENT, "leaks": {"action": "fail"}}), [finding])
    note = leaks.Finding("id_like", "note", "x")
    leaks.enforce(spec.parse({**DOCUMENT, "leaks": {"action": "fail"}}), [note])
