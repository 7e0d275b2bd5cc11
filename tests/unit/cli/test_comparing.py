"""Two runs side by side, and two model archives file by file."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from penstock.cli.compare import tables
from penstock.cli.leaderboard import board
from penstock.client.comparison import comparison
from penstock.client.models import Archive, _archive, difference


def record(run: str, version: int, depth: str, **summary: Any) -> dict[str, Any]:
    """A run as the API tells of it."""
    told = {"learner": "gradient_boosting", "dataset_version": version, "validation": {"auc": 0.8}}
    return {
        "run": run, "state": "SUCCEEDED", "ended_at": "2026-11-01T12:00:00+00:00", "reason": None,
        "summary": {**told, "hyperparameters": {"max_depth": depth, "seed": "1"}, **summary},
    }  # fmt: skip


def card(auc: float, *classes: str) -> dict[str, Any]:
    """A scorecard with the same figures for each class."""
    rows = [{"class": name, "precision": auc, "recall": 0.5, "f1": 0.5, "support": 3} for name in classes]
    return {"metrics": {"auc": auc}, "per_class": rows}


def test_only_what_differs_of_the_parameters_and_all_of_the_metrics() -> None:
    runs = (record("one", 1, "3"), record("two", 2, "5"))
    found = comparison(runs, (card(0.8, "a", "b"), card(0.9, "b", "c")))
    assert found["parameters"] == {"max_depth": ("3", "5")}
    assert found["facts"]["dataset version"] == [1, 2]
    one, other, more = found["test"]["auc"]
    assert (one, other) == (0.8, 0.9)
    assert abs(more - 0.1) < 1e-9
    assert list(found["classes"]) == ["a", "b", "c"]
    assert found["classes"]["a"]["precision"] == [0.8, None, None]
    assert found["classes"]["b"]["support"] == [3, 3, 0]
    assert found["same_rows"] is False
    assert [table.columns[0].header for table in tables(found)] == [
        "", "parameter", "on validation rows", "on test rows", "class",
    ]  # fmt: skip


def test_a_run_without_a_scorecard_is_compared_by_what_there_is() -> None:
    found = comparison((record("one", 1, "3"), record("two", 1, "3")), (card(0.8, "a"), {}))
    assert found["parameters"] == {}
    assert found["test"] == {"auc": [0.8, None, None]}
    assert found["same_rows"] is True


def test_the_board_shows_a_run_that_was_never_judged() -> None:
    rows = [
        {"rank": 1, "run": "one", "value": 0.9, "verdict": "champion", "usd": 0.01, "dataset_version": 1,
         "validation": {"auc": 0.91}, "hyperparameters": dict.fromkeys("abcdef", "1"), "learner": "x",
         "when": "2026-11-01T12:00:00+00:00"},
        {"rank": 2, "run": "two", "value": None, "verdict": "failed", "learner": "x", "when": None},
    ]  # fmt: skip
    table = board(rows, "auc")
    cells = [list(column.cells) for column in table.columns]
    assert cells[3] == ["0.9000", "-"]
    assert cells[9][0] == "a=1, b=1, c=1, d=1 and 2 more"


def packed(manifest: dict[str, Any], **files: bytes) -> Archive:
    """A model archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    out.seek(0)
    with tarfile.open(fileobj=out, mode="r:gz") as archive:
        return _archive("s3://b/m.tar.gz", archive)


def test_two_models_are_the_same_when_every_file_is() -> None:
    one = packed({"versions": {"numpy": "1"}}, model=b"trees", code=b"x")
    found = difference(one, packed({"versions": {"numpy": "1"}}, model=b"trees", code=b"x"))
    assert (found["equal"], found["files"], found["differing"]) == (True, 3, {})


def test_what_differs_between_two_models_is_named() -> None:
    one = packed({"versions": {"numpy": "1"}, "metrics": {"auc": 0.8}}, model=b"trees", gone=b"x")
    other = packed({"versions": {"numpy": "2"}, "metrics": {"auc": 0.8}}, model=b"bushes")
    found = difference(one, other)
    assert found["equal"] is False
    assert sorted(found["differing"]) == ["gone", "manifest.json", "model"]
    assert found["differing"]["gone"][1] is None
    assert (found["versions"], found["metrics"]) == ({"numpy": ["1", "2"]}, {})
