"""Prepare on real public data (../shared/data, not part of the repository)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.training.job import Job

EVERY = ("train", "validation", "test", "unlabelled")
GAMES: dict[str, Any] = {
    "project": "video-games",
    "task": "classification",
    "columns": {
        "Platform": {"type": "category", "required": True},
        "Genre": {"type": "category", "required": True},
        "Publisher": {"type": "category", "required": True},
        "Critic_Score": {"type": "number", "required": True},
        "User_Score": {"type": "number", "required": True, "null_values": ["tbd"]},
        "Rating": {"type": "category", "required": True},
        "Global_Sales": {"type": "label", "above": 1},
    },
    "split": {"method": "shuffled", "test": 0.1, "validation": 0.2, "seed": 1729},
}


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    return Job(aws("s3"), bucket, aws_environment)


def dropped(shared_data: Path, name: str) -> bytes:
    path = shared_data / name
    if not path.is_file():
        pytest.skip(f"{name} is absent from ../shared/data")
    return path.read_bytes()


def test_video_games_are_the_workshops_rows_and_split(job: Job, shared_data: Path) -> None:
    name = "seeds/004/Video_Games_Sales_as_at_22_Dec_2016.csv"
    outcome = job.run(GAMES, job.objects("video-games", {"games.csv": dropped(shared_data, name)}))
    assert outcome.status == 0, outcome.stderr
    assert outcome.result is not None
    # Published: 8,021 of 16,719 rows, cut 5,614 / 1,604 / 803, of which 671 misses and 132 hits.
    expected = {"train": 5614, "validation": 1604, "test": 803, "unlabelled": 0, "quarantined": 8698}
    assert {
        side: rows for side, rows in outcome.result["rows"].items() if side in expected or rows
    } == expected
    hits = outcome.table("test")["Global_Sales"].to_pylist()
    assert (hits.count("0"), hits.count("1")) == (671, 132)
    assert outcome.table("train")["User_Score"].null_count > 500  # "tbd" is missing, and its row is kept

    frame = pd.read_csv(shared_data / name)
    frame = frame[list(GAMES["columns"])].dropna().sample(frac=1, random_state=1729)
    for side, rows in (("train", frame[:5614]), ("validation", frame[5614:7218]), ("test", frame[7218:])):
        assert outcome.table(side)["_row"].to_pylist() == (rows.index + 1).tolist()


def test_the_report_on_video_games_has_the_workshops_figures(job: Job, shared_data: Path) -> None:
    body = dropped(shared_data, "video_games_sales_2016.csv")
    outcome = job.run(GAMES, job.objects("video-games", {"games.csv": body}))
    assert outcome.status == 0, outcome.stderr
    found = outcome.json("eda.json")
    # Of the whole file, before rows are refused for what they lack.
    empty = {column["name"]: column["empty"] for column in found["columns"]}
    expected = {"Genre": 2, "Publisher": 54, "Critic_Score": 8582, "User_Score": 6704, "Rating": 6769}
    assert {name: empty[name] for name in expected} == expected
    assert (found["read"], found["target"]["read"]) == (16_719, {"0": 14_662, "1": 2057})
    noted = {row["columns"][0] for row in found["leaks"] if row["check"] == "gives_away" and row["columns"]}
    assert noted >= {"NA_Sales", "EU_Sales", "JP_Sales", "Other_Sales"}
    assert outcome.result is not None
    assert outcome.result["report_uri"].endswith("/version=000001/report.html")
    shown = outcome.text("report.html")
    for figure in ("2", "54", "8,582", "6,704", "6,769", "2,057"):
        assert f"{figure} <span class=note>" in shown, figure


@pytest.mark.slow
def test_the_guard_finds_the_paraphrases_and_what_they_have_in_common(job: Job, shared_data: Path) -> None:
    body = dropped(shared_data, "seeds/000/enriched_data_74680.tsv")
    columns = {"Id": "ignore", "dp_unique_key": "id", "Text": "text", "Target": "label"}
    spec = {"project": "tweets", "task": "classification", "columns": columns}
    spec |= {"leaks": {"action": "fail", "near_duplicates": True}}
    outcome = job.run(spec, job.objects("tweets", {"tweets.tsv": body}))
    assert outcome.status == 1
    assert outcome.result is not None
    assert "group: Id" in outcome.result["reason"]
    near = next(row for row in outcome.result["leaks"] if row["check"] == "near_texts")
    # 20,018 held-out texts of four words and more have a paraphrase (the same Id) in train: 89 % of them are found.
    assert near["rows"] > 17_500
    left = outcome.keys()
    assert not [key for key in left if key.endswith(("dataset.json", ".html"))]


def test_tweets_keep_every_row_and_character(job: Job, shared_data: Path) -> None:
    spec = {"project": "tweets", "task": "classification", "labels": ["positive", "negative", "neutral"],
            "columns": {"tweet_id": "id", "text": "text", "sentiment": "label"}}  # fmt: skip
    body = dropped(shared_data, "tweets_semeval_sentiment.csv")
    outcome = job.run(spec, job.objects("tweets", {"tweets.csv": body}))
    assert outcome.status == 0, outcome.stderr
    assert outcome.result is not None
    assert sum(outcome.result["rows"].values()) == 14_284
    assert outcome.result["rows"]["quarantined"] == 0

    texts = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)["text"].tolist()
    found = {row["_row"]: row["text"] for side in EVERY for row in outcome.table(side).to_pylist()}
    assert [found[place] for place in range(1, len(texts) + 1)] == texts


def test_churn(job: Job, shared_data: Path) -> None:
    body = dropped(shared_data, "telecom_churn_5k.csv")
    header = body.split(b"\n", 1)[0].decode().strip().split(",")
    columns = {name.strip('"'): "number" for name in header} | {"class": "label", "phone_number": "id"}
    spec = {"project": "churn", "task": "classification", "columns": columns}
    outcome = job.run(spec, job.objects("churn", {"churn.csv": body}))
    assert outcome.status == 0, outcome.stderr
    assert outcome.result is not None
    rows = outcome.result["rows"]
    assert sum(rows.values()) == 5000
    assert 900 < rows["test"] < 1100
    shares = outcome.json("profile.json")["classes"]
    assert sorted(shares) == ["0", "1"]


def test_abalone_is_a_regression(job: Job, shared_data: Path) -> None:
    body = dropped(shared_data, "abalone.csv")
    header = body.split(b"\n", 1)[0].decode().strip().split(",")
    columns = dict.fromkeys(header, "number") | {"Rings": "label", header[0]: "category"}
    spec = {"project": "abalone", "task": "regression", "columns": columns}
    outcome = job.run(spec, job.objects("abalone", {"abalone.csv": body}))
    assert outcome.status == 0, outcome.stderr
    assert outcome.json("dataset.json")["classes"] is None
    assert str(outcome.table("train").schema.field("Rings").type) == "double"
    assert sum(outcome.table(side).num_rows for side in EVERY) == 4177
