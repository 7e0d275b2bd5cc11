"""A model of the user's own, from an archive dropped beside the data: trained, judged, released, asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.e2e.conftest import ROOT
from tests.e2e.stage import Stage

pytestmark = pytest.mark.slow


def test_the_example_becomes_an_api(stage: Stage, tmp_path: Path) -> None:
    """examples/own-script as its README says; the archive is no data, and the answer is the user's own code's."""
    example = ROOT / "examples" / "own-script"
    subprocess.run([sys.executable, str(example / "make_data.py"), str(tmp_path)], check=True)
    spec = yaml.safe_load((example / "project.yaml").read_text(encoding="utf-8"))
    stage.put_project(spec)
    code = stage.drop(
        "own-script", spec["learner"]["source"], (tmp_path / spec["learner"]["source"]).read_bytes()
    )
    stage.settled("own-script", {code})
    file = tmp_path / "data/breast-cancer.csv"
    data = stage.drop("own-script", "data/breast-cancer.csv", file.read_bytes())
    runs = stage.settled("own-script", {data})
    assert runs[-1]["state"] == "SUCCEEDED", runs
    verdicts = {item["key"]: item["verdict"] for item in stage.objects("own-script")}
    assert verdicts == {code: "ignored", data: "prepared"}
    key = f"runs/{runs[-1]['run']}/evaluate/scorecard.json"
    card = json.loads(stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=key)["Body"].read())
    assert card["metrics"]["auc"] > 0.95
    rows = pd.read_csv(file).drop(columns="diagnosis").head(3)
    answer = stage.predict("own-script", {"instances": rows.to_dict("records")})
    assert answer.status == 200, answer.body
    assert [one["prediction"] for one in answer.document["predictions"]] == ["malignant"] * 3
