"""The text networks from a dropped file to an endpoint: PyTorch fits in one image, NumPy answers in another."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.e2e.stage import Stage

SETTINGS: dict[str, dict[str, Any]] = {
    "text_cnn": {"epochs": 4, "channels": 50, "embedding_dim": 50},
    "text_sequence": {"epochs": 4, "hidden": 32, "learning_rate": 0.005},
}


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed: pip install penstock[pytorch]",
)
@pytest.mark.parametrize("learner", sorted(SETTINGS))
def test_headlines_become_an_api_by_a_network(stage: Stage, data: Path, learner: str) -> None:
    """Three thousand headlines dropped as CSV: fitted, judged, released, and asked for titles alone and together."""
    project = learner.replace("_", "-")
    folder = data / "seeds/001/news_5publishers"
    rows = pd.read_csv(
        folder / "train.tsv", sep="\t", header=None, names=["kind", "title"], quoting=3, nrows=3000
    )
    stage.put_project(
        {
            "project": project,
            "task": "classification",
            "columns": {"title": "text", "kind": "label"},
            "learner": {"name": learner, "hyperparameters": SETTINGS[learner]},
            "gate": {"metric": "macro_f1", "at_least": 0.4},
        }
    )
    key = stage.drop(project, "headlines.csv", rows.to_csv(index=False).encode())
    runs = stage.settled(project, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    place = f"runs/{runs[0]['run']}/evaluate/scorecard.json"
    found = stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=place)
    card = json.loads(found["Body"].read())
    assert card["learner"] == learner
    assert card["metrics"]["accuracy"] > card["baseline"]["metrics"]["accuracy"] + 0.2
    asked = [
        {"title": title}
        for title in ("Fed raises interest rates as stocks fall", "New album tops the charts")
    ]
    ask = "?probabilities=true"
    together = stage.predict(project, {"instances": asked}, ask).document["predictions"]
    assert [one["prediction"] for one in together] == ["b", "e"]
    [alone] = stage.predict(project, {"instances": asked[:1]}, ask).document["predictions"]
    assert alone["probabilities"] == pytest.approx(together[0]["probabilities"], abs=1e-5)
    assert stage.predict(project, {"title": ""}).status == 200
