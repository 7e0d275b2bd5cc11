"""Refused rows, corrected and dropped again: each takes the place of the row it corrects, once, whatever comes when."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.training.job import Job, Outcome

SPEC: dict[str, Any] = {
    "project": "replay", "task": "classification", "columns": {"n": "number", "t": "text", "y": "label"},
    "labels": ["a", "b"], "min_rows": 5, "split": {"test": 0.3, "validation": 0.0},
}  # fmt: skip
ROWS = 30


def rows(bad: tuple[int, ...] = ()) -> bytes:
    """Rows from 1; the bad ones have words for numbers."""
    lines = [
        f"{'many' if place in bad else place},t{place},{'ab'[place % 2]}" for place in range(1, ROWS + 1)
    ]
    return "\n".join(["n,t,y", *lines, ""]).encode()


def fix(places: tuple[int, ...], number: str = "7") -> bytes:
    """Corrections of those rows."""
    lines = [f"{place},{number},t{place},{'ab'[place % 2]}" for place in places]
    return "\n".join(["_replayed_number,n,t,y", *lines, ""]).encode()


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    """Drops and runs."""
    return Job(aws("s3"), bucket, aws_environment)


def prepared(job: Job, files: dict[str, bytes], order: int = 0, **spec: Any) -> Outcome:
    """The dataset of an upload `in/a.csv` with corrections of it."""
    first = job.objects("replay", {"in/a.csv": files["in/a.csv"]})
    etag = first[0]["etag"]
    others = {name.format(etag=etag): body for name, body in files.items() if name != "in/a.csv"}
    entries = [*first, *job.objects("replay", others)]
    random.Random(order).shuffle(entries)
    for place, entry in enumerate(entries):
        entry["sequencer"] = f"{place:016X}"
    done = job.run({**SPEC, **spec}, entries)
    assert done.status == 0, done.stderr
    return done


def texts(done: Outcome) -> list[str]:
    """The texts of all good rows."""
    return sorted(text for side in ("train", "test") for text in done.table(side)["t"].to_pylist())


KEY = "replay/version=000001/etag={etag}/in/a.csv.replay.csv"
WHOLE = sorted(f"t{place}" for place in range(1, ROWS + 1))


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("spec", [{}, {"key": "t"}, {"sources": {"rows": {"path": "in/*.csv"}}}])
def test_a_corrected_row_takes_the_place_of_the_one_it_corrects(
    job: Job, order: int, spec: dict[str, Any]
) -> None:
    done = prepared(job, {"in/a.csv": rows((3, 8)), KEY: fix((3, 8))}, order, **spec)
    assert done.result is not None
    found = done.result["rows"]
    assert (found["quarantined"], found["superseded"], found["train"] + found["test"]) == (0, 2, ROWS)
    assert texts(done) == WHOLE
    assert [column["name"] for column in done.json("dataset.json")["columns"]] == ["n", "t", "y"]
    assert [one["drift"] for one in done.result["objects"]] == [[], []]


@pytest.mark.slow
def test_what_is_corrected_in_part_stays_in_quarantine_in_part(job: Job) -> None:
    done = prepared(job, {"in/a.csv": rows((3, 8)), KEY: fix((3,))})
    assert done.table("quarantine")["number"].to_pylist() == [8]
    assert len(texts(done)) == ROWS - 1


def test_a_correction_that_is_bad_is_in_quarantine_and_nothing_is_doubled(job: Job) -> None:
    done = prepared(job, {"in/a.csv": rows((3,)), KEY: fix((3,), "few")})
    assert done.table("quarantine")["value"].to_pylist() == ["few"]
    assert len(texts(done)) == ROWS - 1


def test_a_correction_of_an_upload_that_was_replaced_is_refused(job: Job) -> None:
    """The newer upload has the row, corrected or not: with the old correction it would be there twice."""
    done = prepared(job, {"in/a.csv": rows(), KEY.replace("{etag}", "0123"): fix((3,))})
    verdict = done.verdicts["a.csv.replay.csv"]
    assert verdict["verdict"] == "refused"
    assert "was replaced by a newer upload" in verdict["reason"]
    assert texts(done) == WHOLE


def test_corrections_that_break_off_are_refused_and_the_rest_is_prepared(job: Job) -> None:
    """They are the only ones: no column of theirs is left then."""
    broken = b'{"_replayed_number": "3", "n": 7, "t": "t3", "y": "b"}\n{"n": "' + b"x" * (9 << 20) + b'"}\n'
    done = prepared(job, {"in/a.csv": rows((3,)), KEY: broken})
    verdict = next(one for name, one in done.verdicts.items() if "replay" in name)
    assert (verdict["verdict"], "cannot be read after row" in verdict["reason"]) == ("refused", True)
    assert len(texts(done)) == ROWS - 1
