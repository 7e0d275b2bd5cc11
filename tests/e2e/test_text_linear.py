"""Text from a dropped file to an answering endpoint, through text_linear: prepared, fitted, judged, released, asked."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.stage import Stage

PROJECT = "headlines"
KINDS = {"b": "business", "e": "entertainment", "t": "technology", "m": "health"}


@pytest.mark.slow
def test_headlines_become_an_api(stage: Stage, data: Path, tmp_path: Path) -> None:
    """Two thousand headlines of the workshop dropped as CSV: the endpoint knows new ones, alone and among others."""
    folder = data / "seeds/001/news_5publishers"
    rows = pd.read_csv(
        folder / "train.tsv", sep="\t", header=None, names=["kind", "title"], quoting=3, nrows=2000
    )
    stage.put_project(
        {
            "project": PROJECT,
            "task": "classification",
            "columns": {"title": "text", "kind": "label"},
            "learner": {"name": "text_linear", "hyperparameters": {"c": 0.5}},
            "gate": {"metric": "macro_f1", "at_least": 0.5},
        }
    )
    key = stage.drop(PROJECT, "headlines.csv", rows.to_csv(index=False).encode())
    runs = stage.settled(PROJECT, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    get = stage.client("s3").get_object
    place = f"runs/{runs[0]['run']}/evaluate/scorecard.json"
    card = json.loads(get(Bucket=stage.deployed.bucket, Key=place)["Body"].read())
    assert card["learner"] == "text_linear"
    assert card["metrics"]["accuracy"] > card["baseline"]["metrics"]["accuracy"] + 0.2
    asked = [
        {"title": title}
        for title in ("Fed raises interest rates as stocks fall", "New album tops the charts")
    ]
    ask = "?probabilities=true"
    together = stage.predict(PROJECT, {"instances": asked}, ask).document["predictions"]
    assert [one["prediction"] for one in together] == ["b", "e"]
    by_text = {"instances": [{"text": asked[0]["title"]}]}
    assert stage.predict(PROJECT, by_text, ask).document["predictions"] == together[:1]
    assert set(together[0]["probabilities"]) <= set(KINDS)
    assert stage.predict(PROJECT, {"title": ""}).status == 200
