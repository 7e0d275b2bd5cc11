"""Refused rows, asked after, corrected and dropped again: all rows are in the new version, none in quarantine."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from penstock.cli.__main__ import main
from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

PROJECT = "replayed"


def said(capsys: pytest.CaptureFixture[str], stage: Stage, *words: str) -> Any:
    """What a word answers a machine."""
    capsys.readouterr()
    assert main(["--json", "--root", str(stage.root), *words]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def last_rows(stage: Stage) -> dict[str, int]:
    """The counts of the newest run's dataset."""
    run = max(record["run"] for record in stage.runs(PROJECT))
    body = (
        stage.client("s3")
        .get_object(Bucket=stage.deployed.bucket, Key=f"runs/{run}/prepare.json")["Body"]
        .read()
    )
    found: dict[str, int] = json.loads(body)["rows"]
    return found


def judged(stage: Stage, key: str, uploads: int) -> None:
    """Wait until the key's newest upload, of so many, has its verdict: the one before has its own already."""

    def over() -> bool:
        found = stage.get(f"/projects/{PROJECT}/objects?key={quote(key, safe='')}")["objects"]
        settled = len(found) == uploads and found[-1]["verdict"] == "prepared"
        return settled and all(run["state"] != "RUNNING" for run in stage.runs(PROJECT))

    stage.until(over, f"upload {uploads} of {key}")


@pytest.mark.slow
def test_refused_rows_are_corrected_and_come_back(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = breast_cancer()
    bad = [{**row, "mean_radius": "wide"} if place in (10, 20) else row for place, row in enumerate(rows)]
    stage.put_project(cancer_spec(PROJECT))
    ragged = b"1,2,3\n"
    key = stage.drop(PROJECT, "in/tumours.csv", _csv(bad) + ragged)
    stage.settled(PROJECT, {key})
    [told] = said(capsys, stage, "why", key)["uploads"]
    assert (told["verdict"], told["rows"]["refused"]) == ("prepared", 3)

    path = tmp_path / "refused.csv"
    told = said(capsys, stage, "replay", "--project", PROJECT, "--out", str(path))
    assert told["rows"] == 3
    assert any("cells" in reason for reason in told["reasons"])
    with path.open(newline="", encoding="utf-8") as file:
        refused = list(csv.DictReader(file))
    assert [row["_number"] for row in refused] == ["11", "21", "570"]
    assert refused[2]["_text"] == "1,2,3"
    originals = [rows[10], rows[20], {**rows[30], "mean_radius": 9.5}]
    for row, original in zip(refused, originals, strict=True):
        row.update({name: str(cell) for name, cell in original.items()})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(refused[0]))
        writer.writeheader()
        writer.writerows(refused)

    for uploads in (1, 2):  # a second time changes nothing
        told = said(capsys, stage, "replay", "--project", PROJECT, "--fixed", str(path))
        assert told["rows"] == 3
        judged(stage, told["objects"][0], uploads)
        found = last_rows(stage)
        assert (found["quarantined"], found["superseded"]) == (0, 3)
        assert found["train"] + found["validation"] + found["test"] == len(rows) + 1
    told = said(capsys, stage, "replay", "--project", PROJECT)
    assert (told["rows"], told["file"]) == (0, None)
