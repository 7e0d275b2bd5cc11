"""The catalog and SQL: what Prepare counted is what Athena counts, for every version, side, label and refused row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.__main__ import main
from penstock.client.lake import Answer, Lake
from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

PROJECT = "ask-sql"
TABLE = "ask_sql_prepared"
ANYTHING = 1_000_000


@pytest.fixture(scope="module")
def asked(stage: Stage) -> Stage:
    """The stage after two runs of a project: the second adds rows; three rows of the first are no good."""
    stage.put_project(cancer_spec(PROJECT))
    rows = breast_cancer()
    bad = [{**row, "mean_radius": "wide"} for row in rows[:3]]
    unknown = [{**rows[3], "diagnosis": ""}]
    for name, content in (("one.csv", bad + unknown + rows[4:300]), ("two.csv", rows[300:])):
        key = stage.drop(PROJECT, name, _csv(content))
        assert [run["state"] for run in stage.settled(PROJECT, {key})][-1] == "SUCCEEDED"
    return stage


def ask(sql: str) -> list[list[Any]]:
    """The rows of an answer."""
    answer: Answer = Lake("local").ask(sql, ANYTHING)
    assert not answer.more
    return [list(row) for row in answer.rows]


def prepared(stage: Stage, version: int) -> dict[str, Any]:
    """What Prepare said of a version."""
    run = next(run for run in stage.runs(PROJECT) if run["summary"]["dataset_version"] == version)["run"]
    found: dict[str, Any] = document(stage, f"runs/{run}/prepare.json")
    return found


def document(stage: Stage, key: str) -> Any:
    """A JSON document of the bucket."""
    return json.loads(stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=key)["Body"].read())


def test_rows_by_side_are_those_prepare_counted(asked: Stage) -> None:
    counted = dict(ask(f"SELECT split, count(*) FROM {TABLE} GROUP BY split"))
    rows = prepared(asked, 2)["rows"]
    assert counted == {
        side: rows[side] for side in ("train", "validation", "test", "unlabelled") if rows[side]
    }
    assert ask(f"SELECT count(*) FROM {TABLE} WHERE split = 'train'") == [[rows["train"]]]


def test_labels_are_those_the_profile_counted(asked: Stage) -> None:
    profile = document(asked, f"lake/{PROJECT}/prepared/version=000002/profile.json")
    [label] = [column for column in profile["columns"] if column["name"] == "diagnosis"]
    counted = dict(ask(f"SELECT diagnosis, count(*) FROM {TABLE} WHERE diagnosis IS NOT NULL GROUP BY 1"))
    assert counted == {top["value"]: top["rows"] for top in label["top"]}
    assert counted == Counter(row["diagnosis"] for row in breast_cancer()[4:])


def test_refused_rows_are_told_by_number_column_value_and_reason(asked: Stage) -> None:
    rows = ask(
        "SELECT version, number, \"column\", value, reason, record['diagnosis'] FROM ask_sql_quarantine "
        "WHERE version = 1 ORDER BY number"
    )
    assert [row[:4] for row in rows] == [[1, number, "mean_radius", "wide"] for number in (1, 2, 3)]
    assert all("number" in row[4] for row in rows)
    assert {row[5] for row in rows} == {"malignant"}
    assert ask("SELECT version, count(*) FROM ask_sql_quarantine GROUP BY 1 ORDER BY 1") == [[1, 3], [2, 3]]


def test_older_versions_stay_readable(asked: Stage) -> None:
    counted = ask("SELECT version, split, count(*) FROM ask_sql_versions GROUP BY 1, 2")
    for version in (1, 2):
        rows = prepared(asked, version)["rows"]
        sides = {side: rows[side] for side in ("train", "validation", "test", "unlabelled") if rows[side]}
        assert {side: count for of, side, count in counted if of == version} == sides
    joined = (
        f"SELECT count(*) FROM ask_sql_versions o JOIN {TABLE} n ON o._row = n._row AND o.split = n.split "
        "WHERE o.version = 1"
    )
    old = prepared(asked, 1)["rows"]
    assert ask(joined) == [[sum(old.values()) - old["quarantined"]]]  # no row changes sides when data comes


def test_figures_and_predictions_are_those_of_the_scorecard(asked: Stage) -> None:
    """Of both versions; the confusion matrix by SQL is the scorecard's."""
    for version in (1, 2):
        run = next(run for run in asked.runs(PROJECT) if run["summary"]["dataset_version"] == version)["run"]
        card = document(asked, f"runs/{run}/evaluate/scorecard.json")
        assert "report.html" in {key.rsplit("/", 1)[-1] for key in keys(asked, f"runs/{run}/evaluate/")}
        figures = ask(
            f"SELECT metric, value FROM ask_sql_scorecards WHERE run = '{run}' AND judged = 'model' AND basis = 'all'"
        )
        assert dict(figures) == card["metrics"]
        counted = ask(
            f"SELECT truth, predicted, count(*) FROM ask_sql_predictions WHERE version = {version} GROUP BY 1, 2"
        )
        place = card["classes"].index
        matrix = card["confusion_matrix"]
        assert all(matrix[place(truth)][place(said)] == count for truth, said, count in counted)
        assert sum(count for *_, count in counted) == card["rows"]["test"]
    joined = (
        f'SELECT count(*) FROM ask_sql_predictions p JOIN {TABLE} d ON p."row" = d._row WHERE p.version = 2'
    )
    assert ask(joined + " AND d.split = 'test' AND d.diagnosis = p.truth") == [[card["rows"]["test"]]]


def keys(stage: Stage, prefix: str) -> list[str]:
    """What lies below a prefix of the bucket."""
    listed = stage.client("s3").list_objects_v2(Bucket=stage.deployed.bucket, Prefix=prefix)
    return [one["Key"] for one in listed["Contents"]]


def test_runs_can_be_asked(asked: Stage) -> None:
    rows = ask(
        "SELECT version, state, metric, rows['train'], seconds > 0, ended_at > started_at "
        f"FROM runs WHERE project = '{PROJECT}' ORDER BY version"
    )
    trained = [prepared(asked, version)["rows"]["train"] for version in (1, 2)]
    assert [row[3] for row in rows] == trained
    assert [[*row[:3], *row[4:]] for row in rows] == [
        [version, "SUCCEEDED", "macro_f1", True, True] for version in (1, 2)
    ]


def penstock(stage: Stage, *words: str) -> int:
    """The command line on this stage."""
    return main(["--root", str(stage.root), *words])


def test_the_word_sql(asked: Stage, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table for people, JSON for machines, a file, an older version, and what there is."""
    count = f"SELECT count(*) AS n FROM {TABLE} AS t"
    assert penstock(asked, "sql", count) == 0
    said = capsys.readouterr().out
    assert "n" in said
    assert "1 row. " in said
    assert " scanned, " in said

    assert penstock(asked, "--json", "sql", count, "--version", "1") == 0
    answer = json.loads(capsys.readouterr().out)
    old = prepared(asked, 1)["rows"]
    assert answer["rows"] == [[sum(old.values()) - old["quarantined"]]]
    assert answer["columns"] == [{"name": "n", "type": "bigint"}]
    assert answer["uri"].startswith(f"s3://{asked.deployed.bucket}/athena/")

    saved = tmp_path / "all.csv"
    assert penstock(asked, "sql", f"SELECT * FROM {TABLE}", "--limit", "2", "--output", str(saved)) == 0
    assert "The first 2 rows" in capsys.readouterr().out
    new = prepared(asked, 2)["rows"]
    assert len(saved.read_text().splitlines()) == sum(new.values()) - new["quarantined"] + 1

    assert penstock(asked, "--json", "sql") == 0
    listed = {table["name"]: table for table in json.loads(capsys.readouterr().out)["tables"]}
    assert {TABLE, "ask_sql_versions", "ask_sql_quarantine", "runs"} <= set(listed)
    assert {"name": "mean_radius", "type": "double"} in listed[TABLE]["columns"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["SELECT * FROM ask_sql_prepard"], ["TABLE_NOT_FOUND", "ask_sql_prepared has _row, _source,"]),
        ([f"SELECT diagnosys FROM {TABLE}"], ["COLUMN_NOT_FOUND: line 1:8", "Did you mean diagnosis?"]),
        (["SELEC 1"], ["mismatched input 'SELEC'", "docs/sql.md"]),
        (["SELECT 1 FROM runs", "--version", "1"], ["names no table of prepared data", TABLE]),
        ([f"SELECT 1 FROM {TABLE}", "--version", "9"], ["has no version 9", "Its versions are 1 to 2"]),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_can(
    asked: Stage, capsys: pytest.CaptureFixture[str], words: list[str], told: list[str]
) -> None:
    assert penstock(asked, "sql", *words) == 1
    said = capsys.readouterr().err
    for part in told:
        assert part in said
