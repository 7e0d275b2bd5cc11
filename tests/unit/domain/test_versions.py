"""Which prepared versions expire: never one in use, never the newest, and never so that half of one looks whole."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import SUCCEEDED, RunRecord
from chalicelib.domain.versions import expired, in_use
from tests import builders

PARTS = ("dataset.json", "profile.json", "train/part-0.parquet")


def keys(*versions: int, names: tuple[str, ...] = PARTS) -> list[str]:
    return [f"lake/p/prepared/version={version:06d}/{name}" for version in versions for name in names]


def left(found: list[str], keep: int, used: set[int]) -> set[int]:
    gone = set(expired(found, keep, used))
    return {int(key.split("=")[1][:6]) for key in found if key not in gone}


@pytest.mark.parametrize(
    ("keep", "used", "kept"),
    [
        (1, set(), {5}),
        (2, set(), {4, 5}),
        (9, set(), {1, 2, 3, 4, 5}),
        (1, {2, 7}, {2, 5}),
        (2, {1, 5}, {1, 4, 5}),
    ],
)
def test_the_newest_and_those_in_use_stay(keep: int, used: set[int], kept: set[int]) -> None:
    assert left(keys(1, 2, 3, 4, 5), keep, used) == kept


def test_its_quarantine_goes_with_a_version_and_dataset_json_goes_first() -> None:
    quarantine = ["lake/p/quarantine/version=000001/part-0.parquet"]
    gone = expired([*quarantine, *reversed(keys(1)), *keys(2)], 1, set())
    assert gone[0].endswith("version=000001/dataset.json")
    assert set(gone) == {*quarantine, *keys(1)}


def test_what_died_half_way_goes_and_what_is_being_written_stays() -> None:
    half = ("train/part-0.parquet",)
    assert left([*keys(1, names=half), *keys(2, 3), *keys(4, names=half)], 2, set()) == {2, 3, 4}
    assert expired(keys(1, 2, names=half), 1, set()) == []  # no version is whole: none is judged
    assert expired(["lake/p/other/version=000001/x", "runs/p"], 1, set()) == []


def test_a_version_is_in_use_when_a_model_of_it_is_registered() -> None:
    def run(number: int, **summary: Any) -> RunRecord:
        return RunRecord("p", f"p-{number:04d}-x", 1, SUCCEEDED, builders.AT, summary=summary)

    runs = [
        run(1, dataset_version=1, model_package_arn="arn"),
        run(2, dataset_version=2),
        run(3, model_package_arn="arn"),
        run(4, dataset_version=4),
    ]
    champion = Champion("p", "p-0004-x", "s3://b/m", "arn", 1, "e", "c", {}, builders.AT)
    assert in_use(runs, None) == {1}
    assert in_use(runs, champion) == {1, 4}
