"""Files that are no good: the run ends in Report with a reason a person can act on, and nothing else suffers."""

from __future__ import annotations

import os

import pytest

from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

PROJECT = "hostile"
HEADER = ",".join(breast_cancer()[0]).encode()

BAD = {
    "garbage.csv": (os.urandom(4096) + b"\x00\x00", "no text"),
    "empty.csv": (b"", "empty"),
    "header-only.csv": (HEADER + b"\n", "header"),
    "no-target.csv": (_csv([{"mean_radius": 1.0, "mean_texture": 2.0}] * 30), "diagnosis"),
}


@pytest.fixture(scope="module")
def live(stage: Stage) -> Stage:
    """The stage with a live model for the project."""
    stage.put_project(cancer_spec(PROJECT))
    key = stage.drop(PROJECT, "good.csv", _csv(breast_cancer()[:-5]))
    stage.settled(PROJECT, {key})
    return stage


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_file_is_refused_with_its_reason(live: Stage, name: str) -> None:
    """The verdict is `refused`, its reason names the fault, and the run's outcome says the same."""
    content, word = BAD[name]
    key = live.drop(PROJECT, name, content)
    live.settled(PROJECT, {key})
    [found] = [item for item in live.objects(PROJECT) if item["key"] == key]
    assert found["verdict"] == "refused"
    assert word in found["reason"].lower()
    run = live.get(f"/runs/{found['run']}")
    assert run["state"] == "REFUSED"
    assert name in run["reason"]


def test_live_endpoint_keeps_answering_and_nothing_is_lost(live: Stage) -> None:
    """After every bad file the first model still answers, and each upload still lies in the bucket with a verdict."""
    names = [(name, content) for name, (content, _) in sorted(BAD.items())]
    keys = {live.drop(PROJECT, f"again/{name}", content) for name, content in names}
    live.settled(PROJECT, keys)
    row = {k: v for k, v in breast_cancer()[-1].items() if k != "diagnosis"}
    assert live.predict(PROJECT, row).status == 200
    [good] = [item for item in live.objects(PROJECT) if item["key"].endswith("/good.csv")]
    assert (good["verdict"], good["rows"]["good"]) == ("prepared", 564)
    listed = live.client("s3").list_objects_v2(Bucket=live.deployed.bucket, Prefix=f"drop/{PROJECT}/")[
        "Contents"
    ]
    assert {item["Key"] for item in listed} == {item["key"] for item in live.objects(PROJECT)}
