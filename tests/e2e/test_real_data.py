"""Real files through the whole machine: the workshop's games, churn, abalone, tweets; judged as promised."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xgboost
import yaml
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from tests.e2e.conftest import ROOT
from tests.e2e.stage import Stage

pytestmark = pytest.mark.slow


def _scorecard(stage: Stage, spec: dict[str, Any], file: Path) -> dict[str, Any]:
    """Drop the file, wait for its run, read the scorecard."""
    stage.put_project(spec)
    key = stage.drop(spec["project"], file.name.replace(" ", "_"), file.read_bytes())
    runs = stage.settled(spec["project"], {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    body = stage.client("s3").get_object(
        Bucket=stage.deployed.bucket, Key=f"runs/{runs[0]['run']}/evaluate/scorecard.json"
    )["Body"]
    card: dict[str, Any] = json.loads(body.read())
    return card


def _inferred(file: Path, project: str, folder: Path) -> dict[str, Any]:
    """What `penstock init` makes of a file, with no hand edit."""
    out = folder / f"{project}.yaml"
    subprocess.run(
        [sys.executable, "-m", "penstock.cli", "init", str(file), "--project", project, "--out", str(out)],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    spec: dict[str, Any] = yaml.safe_load(out.read_text())
    return spec


def test_video_games(stage: Stage, data: Path) -> None:
    """H8: error on the workshop's 803 test rows at most 0.1345; regional sales are named as leaks."""
    spec = yaml.safe_load((ROOT / "examples" / "video-games" / "project.yaml").read_text())
    file = next((data / "seeds" / "004").glob("*.csv"))
    card = _scorecard(stage, spec, file)
    assert card["rows"]["test"] == 803
    assert 1 - card["metrics"]["accuracy"] <= 0.1345
    leaks = {item["column"] for item in card["leakage"] if item["flagged"]}
    assert {"NA_Sales", "EU_Sales"} <= leaks
    assert card["baseline"]["metrics"]["accuracy"] == pytest.approx(671 / 803, abs=1e-4)


def _rows(stage: Stage, project: str, side: str) -> pd.DataFrame:
    """One side of the newest dataset version."""
    s3, bucket = stage.client("s3"), stage.deployed.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"lake/{project}/prepared/")["Contents"]
    parts = [
        item["Key"] for item in listed if f"/{side}/" in item["Key"] and item["Key"].endswith(".parquet")
    ]
    return pd.concat(
        pd.read_parquet(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) for key in parts
    )


def test_churn_without_a_hand_edit(stage: Stage, data: Path, tmp_path: Path) -> None:
    """AUC within 0.01 of the plain baseline (XGBoost, 200 rounds, depth 5, rate 0.1) on the very same rows.

    The rows on which that baseline has 0.9342 are asked below.
    """
    file = data / "telecom_churn_5k.csv"
    card = _scorecard(stage, _inferred(file, "churn", tmp_path), file)
    known = pd.concat([_rows(stage, "churn", "train"), _rows(stage, "churn", "validation")])
    test = _rows(stage, "churn", "test")
    features = [name for name in pd.read_csv(file, nrows=1).columns if name != "class"]
    plain = xgboost.train(
        {"objective": "binary:logistic", "eta": 0.1, "max_depth": 5},
        xgboost.DMatrix(known[features].astype(float), known["class"].astype(float)),
        200,
    )
    theirs = roc_auc_score(
        test["class"].astype(int), plain.predict(xgboost.DMatrix(test[features].astype(float)))
    )
    assert card["rows"]["test"] == len(test)
    assert card["metrics"]["auc"] >= theirs - 0.01


def test_abalone_without_a_hand_edit(stage: Stage, data: Path, tmp_path: Path) -> None:
    """RMSE within 2 % of the plain baseline, from an inferred spec."""
    file = data / "abalone.csv"
    card = _scorecard(stage, _inferred(file, "abalone", tmp_path), file)
    assert card["metrics"]["rmse"] <= 2.275 * 1.02


def test_tweets(stage: Stage, data: Path, tmp_path: Path) -> None:
    """Text through `text_linear`, from an inferred spec, better than the majority class by far."""
    file = data / "tweets_semeval_sentiment.csv"
    spec = _inferred(file, "tweets", tmp_path)
    assert spec["learner"]["name"] == "text_linear"
    card = _scorecard(stage, spec, file)
    assert card["metrics"]["accuracy"] >= 0.6178  # TF-IDF and logistic regression, a random fifth
    answer = stage.predict("tweets", {"text": "what a wonderful day, I love it"})
    assert answer.document["prediction"] in {"positive", "negative", "neutral"}


def test_churn_on_the_published_baselines_own_test_rows(stage: Stage, data: Path, tmp_path: Path) -> None:
    """The 1,000 rows on which the plain baseline has 0.9342: never dropped, asked of the released endpoint.

    The pipeline keeps a fifth of what is dropped to judge itself, so it learns from fewer rows than that baseline.
    """
    whole = pd.read_csv(data / "telecom_churn_5k.csv")
    known, unseen = train_test_split(whole, test_size=0.2, random_state=42, stratify=whole["class"])
    file = tmp_path / "known.csv"
    known.to_csv(file, index=False)
    _scorecard(stage, _inferred(file, "churn-readme", tmp_path), file)
    body = unseen.drop(columns="class").to_csv(index=False).encode()
    asked = {"content_type": "text/csv", "accept": "application/json"}
    answer = stage.predict("churn-readme", body, "?probabilities=true", **asked)
    scores = [row["probabilities"]["1"] for row in answer.document["predictions"]]
    area = roc_auc_score(unseen["class"], scores)
    assert area >= 0.9342 - 0.01, area
