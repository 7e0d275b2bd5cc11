"""Workshop 000's two days dropped on a whole stage: the published rows, whatever the order and however often."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.e2e.conftest import ROOT
from tests.e2e.stage import Stage

pytestmark = pytest.mark.slow
LABELS = {"Negative": 22_542, "Positive": 20_830, "Neutral": 18_318, "Irrelevant": 12_990}
FORGOTTEN = {"uq_id_1212123", "uq_id_1212122", "uq_id_12121223", "uq_id_12121452"}
MAPPER, DAY1, DAY2 = (
    "id_entity_mapper.csv",
    "upserts/03-21-2022/part-01.csv",
    "upserts/03-22-2022/part-01.csv",
)
NONE1, GONE2 = "deletes/03-21-2022/part-01.csv", "deletes/03-22-2022/part-01.csv"
COLUMNS = ["Id", "dp_unique_key", "Target", "Text", "updated_date", "Entity"]


class Project:
    """A project of workshop files, dropped a step at a time."""

    def __init__(self, stage: Stage, name: str, data: Path) -> None:
        spec = yaml.safe_load((ROOT / "examples" / "tweets" / "project.yaml").read_text(encoding="utf-8"))
        # What is learnt is of no matter here, so it may be little: from whom a tweet is about.
        quick = {"name": "gradient_boosting", "hyperparameters": {"num_round": 2, "max_depth": 2}}
        columns = {**spec["columns"], "Text": "ignore", "Entity": "category"}
        gate = {"beat_baseline": False, "at_least": 2}
        stage.put_project(
            {**spec, "project": name, "columns": columns, "learner": quick, "gate": gate, "keep_versions": 1}
        )
        self.stage, self.name, self.data = stage, name, data / "seeds" / "000" / "data_prep_component"

    def drop(self, *names: str, to: str = "part-01") -> dict[str, Any]:
        """Drop files and wait; prepare.json of the newest run."""
        keys = {
            self.stage.drop(self.name, name.replace("part-01", to), (self.data / name).read_bytes())
            for name in names
        }
        runs = self.stage.settled(self.name, keys)
        body = self.stage.client("s3").get_object(
            Bucket=self.stage.deployed.bucket, Key=f"runs/{runs[-1]['run']}/prepare.json"
        )["Body"]
        said: dict[str, Any] = json.loads(body.read())
        assert sum(sum(one["rows"].values()) for one in said["objects"]) == sum(said["rows"].values())
        return said

    def bodies(self) -> dict[str, bytes]:
        """Everything below the project's lake."""
        s3, bucket = self.stage.client("s3"), self.stage.deployed.bucket
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"lake/{self.name}/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def table(self) -> list[tuple[str, ...]]:
        """The newest version, side by side."""
        parts = {
            key: body
            for key, body in self.bodies().items()
            if key.endswith(".parquet") and "/prepared/" in key
        }
        newest = max(key.split("version=")[1][:6] for key in parts)
        tables = {
            key.split("/")[-2]: pq.read_table(io.BytesIO(body), columns=COLUMNS)
            for key, body in parts.items()
            if f"version={newest}" in key
        }
        return sorted(
            (side, *map(str, row.values())) for side, table in tables.items() for row in table.to_pylist()
        )


def merged(said: dict[str, Any]) -> tuple[int, int]:
    """(rows after merge and deletes, rows of the dataset, after the join)."""
    assert said["outcome"] == "prepared", said["reason"]
    made = sum(said["rows"][side] for side in ("train", "validation", "test", "unlabelled"))
    return made + said["rows"]["unmatched"], made


def test_day_by_day_and_everything_twice(stage: Stage, data: Path) -> None:
    tweets = Project(stage, "days", data)
    waits = tweets.drop(DAY1)
    assert "source 'entities' has no usable file yet" in waits["reason"]
    assert merged(tweets.drop(MAPPER))[0] == 72_004
    assert merged(tweets.drop(NONE1))[0] == 72_004
    assert merged(tweets.drop(DAY2))[0] == 74_686
    assert merged(tweets.drop(GONE2)) == (74_682, 74_680)
    once = tweets.table()
    assert Counter(row[1 + COLUMNS.index("Target")] for row in once) == LABELS

    again = tweets.drop(GONE2, DAY2, DAY1, to="part-02")
    assert merged(again) == (74_682, 74_680)
    assert tweets.table() == once
    bodies = tweets.bodies()
    # keep_versions is 1, so what earlier versions held is gone with them.
    assert {key.split("version=")[1][:6] for key in bodies} == {f"{again['version']:06}"}
    assert not any(key.encode() in body for key in FORGOTTEN for body in bodies.values())


def test_in_reverse(stage: Stage, data: Path) -> None:
    tweets = Project(stage, "reverse", data)
    tweets.drop(GONE2)
    tweets.drop(DAY2, NONE1)
    tweets.drop(MAPPER)
    said = tweets.drop(DAY1)
    assert merged(said) == (74_682, 74_680)
    keys = [row[1 + COLUMNS.index("dp_unique_key")] for row in tweets.table()]
    assert len(keys) == len(set(keys)) == 74_680
    assert not FORGOTTEN & set(keys)
    verdicts = {one["key"].removeprefix("drop/reverse/"): one["verdict"] for one in stage.objects("reverse")}
    assert verdicts == dict.fromkeys((MAPPER, DAY1, DAY2, NONE1, GONE2), "prepared")
