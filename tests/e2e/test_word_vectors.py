"""Texts without labels from a dropped file to an endpoint that answers words with vectors, in BlazingText's form."""

from __future__ import annotations

import csv
import json
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from penstock.infer.spec import infer
from tests.e2e.stage import Stage

PROJECT = "headline-words"
GENSIM = 0.3959  # rho of gensim's skip-grams on the same corpus, ../shared/data/README.md


def people(data: Path) -> list[list[Any]]:
    """WordSim-353: two words and how alike people find them."""
    with (data / "wordsim353.csv").open(newline="") as file:
        return [[a.lower(), b.lower(), float(score)] for a, b, score in list(csv.reader(file))[1:]]


@pytest.mark.slow
def test_headlines_become_word_vectors(stage: Stage, data: Path) -> None:
    """Headlines dropped as CSV: judged by their neighbours and WordSim-353, released, asked for words known and not."""
    rows = pd.read_csv(data / "news_headlines_uci_40k.csv", usecols=["TITLE"], nrows=15_000)
    stage.put_project(
        {
            "project": PROJECT,
            "task": "embeddings",
            "columns": {"TITLE": "text"},
            "evaluate": {"pairs": people(data), "analogies": [["apple", "iphone", "samsung", "galaxy"]]},
            "gate": {"metric": "neighbour_auc", "at_least": 0.55},
        }
    )
    key = stage.drop(PROJECT, "headlines.csv", rows.to_csv(index=False).encode())
    runs = stage.settled(PROJECT, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    get = stage.client("s3").get_object
    place = f"runs/{runs[0]['run']}/evaluate/"
    card = json.loads(get(Bucket=stage.deployed.bucket, Key=f"{place}scorecard.json")["Body"].read())
    assert card["learner"] == "word_vectors"
    assert card["metrics"]["neighbour_auc"] > card["baseline"]["metrics"]["neighbour_auc"] + 0.05
    assert card["words"]["pairs_known"] >= 30
    report = get(Bucket=stage.deployed.bucket, Key=f"{place}report.html")["Body"].read().decode()
    assert "Nearest words" in report
    answer = stage.predict(PROJECT, {"instances": ["google", "awesomest"]})
    assert answer.status == 200, answer
    known, unknown = answer.document["predictions"]
    assert (known["word"], unknown["word"]) == ("google", "awesomest")
    assert len(known["vector"]) == len(unknown["vector"]) == 100
    assert any(known["vector"])
    assert not any(unknown["vector"])
    body = json.dumps({"instances": ["google"]}).encode()
    endpoint = stage.client("sagemaker").list_endpoints(NameContains=PROJECT)["Endpoints"][0]["EndpointName"]
    asked = stage.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=body, ContentType="application/json"
    )
    assert json.loads(asked["Body"].read()) == [known]


@pytest.mark.slow
def test_text8_becomes_word_vectors_by_the_spec_that_init_guesses(
    stage: Stage, data: Path, tmp_path: Path
) -> None:
    """1.2 million words cut into lines of 1,000 characters; nothing of the spec is written by hand but the pairs."""
    corpus = tmp_path / "text8.csv"
    words = (data / "text8_first_6.9MB.txt").read_text()
    corpus.write_text("\n".join(["text", *textwrap.wrap(words, 1000)]) + "\n")
    guess = infer(corpus).document
    assert (guess["task"], guess["learner"]["name"]) == ("embeddings", "word_vectors")
    stage.put_project({**guess, "evaluate": {"pairs": people(data)}})
    key = stage.drop(guess["project"], corpus.name, corpus.read_bytes())
    runs = stage.settled(guess["project"], {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    place = f"runs/{runs[0]['run']}/evaluate/scorecard.json"
    found = stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=place)
    card = json.loads(found["Body"].read())
    assert card["metrics"]["rho"] > GENSIM
    assert card["words"]["pairs_known"] > 200
