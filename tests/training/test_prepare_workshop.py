"""Workshop 000's first two days, dropped in any order and twice: the published row counts (H1), every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.training.job import Job, Outcome

SPEC: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "examples" / "tweets" / "project.yaml").read_text(encoding="utf-8")
)
EVERY = ("train", "validation", "test", "unlabelled")
LABELS = {"Negative": 22_542, "Positive": 20_830, "Neutral": 18_318, "Irrelevant": 12_990}
FORGOTTEN = {"uq_id_1212123", "uq_id_1212122", "uq_id_12121223", "uq_id_12121452"}
MAPPER, DAY1, DAY2 = (
    "id_entity_mapper.csv",
    "upserts/03-21-2022/part-01.csv",
    "upserts/03-22-2022/part-01.csv",
)
NONE1, GONE2 = "deletes/03-21-2022/part-01.csv", "deletes/03-22-2022/part-01.csv"
COLUMNS = ["Id", "dp_unique_key", "Target", "Text", "updated_date", "Entity"]


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    return Job(aws("s3"), bucket, aws_environment)


@pytest.fixture(scope="module")
def files(shared_data: Path) -> dict[str, bytes]:
    root = shared_data / "seeds" / "000" / "data_prep_component"
    if not root.is_dir():
        pytest.skip("seeds/000 is absent from ../shared/data")
    return {name: (root / name).read_bytes() for name in (MAPPER, DAY1, DAY2, NONE1, GONE2)}


def dropped(job: Job, files: dict[str, bytes], *names: str, again: tuple[str, ...] = ()) -> Outcome:
    """Prepare what was dropped under these names, in this order, and then some of it again under other names."""
    bodies = {name: files[name] for name in names}
    bodies |= {name.replace("part-01", "part-02"): files[name] for name in again}
    outcome = job.run(SPEC, job.objects("tweets", bodies))
    assert outcome.status == 0, outcome.stderr
    assert outcome.result is not None
    counted = sum(sum(item["rows"].values()) for item in outcome.result["objects"])
    assert counted == sum(outcome.result["rows"].values())
    return outcome


def merged(outcome: Outcome) -> tuple[int, int]:
    """(rows after merge and deletes, rows of the dataset, after the join)."""
    assert outcome.result is not None
    rows = outcome.result["rows"]
    made = sum(rows[side] for side in EVERY)
    return made + int(rows["unmatched"]), made


def table(outcome: Outcome) -> list[tuple[str, ...]]:
    """What the dataset says, side by side, whichever files it came from."""
    return sorted(
        (side, *map(str, row.values()))
        for side in EVERY
        for row in outcome.table(side).select(COLUMNS).to_pylist()
    )


def test_the_published_rows(job: Job, files: dict[str, bytes]) -> None:
    outcome = dropped(job, files, MAPPER, DAY1, NONE1, DAY2, GONE2)
    assert merged(outcome) == (74_682, 74_680)
    assert outcome.result is not None
    rows = outcome.result["rows"]
    left = {side: rows[side] for side in ("quarantined", "superseded", "duplicate", "deleted", "reference")}
    # 8 updates; 4 deletes and the 4 rows they take away.
    assert left == {"quarantined": 0, "superseded": 8, "duplicate": 0, "deleted": 8, "reference": 74_682}
    # The two rows whose Id the second day changed: the mapper still has the old one.
    lost = [["1211", "uq_id_1105"], ["909890", "uq_id_2031"]]
    assert outcome.result["unmatched"] == [
        {"source": "entities", "join_on": ["Id", "dp_unique_key"], "rows": 2, "keys": lost}
    ]
    once = table(outcome)
    assert Counter(row[1 + COLUMNS.index("Target")] for row in once) == LABELS
    bodies = [
        outcome.s3.get_object(Bucket=outcome.bucket, Key=key)["Body"].read()
        for key in outcome.keys()  # noqa: SIM118  # a method of ours
    ]
    keys = {row[1 + COLUMNS.index("dp_unique_key")] for row in once}
    assert len(keys) == 74_680
    assert not keys & FORGOTTEN
    assert not any(key.encode() in body for key in FORGOTTEN for body in bodies)


@pytest.mark.slow
def test_order_and_repetition_change_nothing(job: Job, files: dict[str, bytes]) -> None:
    once = table(dropped(job, files, MAPPER, DAY1, NONE1, DAY2, GONE2))
    back = dropped(job, files, GONE2, DAY2, NONE1, DAY1, MAPPER, again=(DAY2, GONE2, DAY1))
    assert table(back) == once
    assert back.result is not None
    assert (
        back.result["rows"]["duplicate"] == 74_682
    )  # rows dropped again, less what is superseded or deleted anyway


@pytest.mark.slow
def test_the_published_counts_day_by_day(job: Job, files: dict[str, bytes]) -> None:
    assert merged(dropped(job, files, MAPPER, DAY1))[0] == 72_004
    assert merged(dropped(job, files, MAPPER, DAY1, NONE1))[0] == 72_004
    assert merged(dropped(job, files, MAPPER, DAY1, NONE1, DAY2))[0] == 74_686
    assert merged(dropped(job, files, MAPPER, DAY1, NONE1, DAY2, GONE2)) == (74_682, 74_680)


def test_a_reference_that_comes_last_is_waited_for(job: Job, files: dict[str, bytes]) -> None:
    outcome = job.run(SPEC, job.objects("tweets", {NONE1: files[NONE1]}))
    assert outcome.status == 1
    assert "there are no rows yet" in outcome.stderr
    assert outcome.verdicts["part-01.csv"]["verdict"] == "prepared"  # and waits
    outcome = job.run(SPEC, job.objects("tweets", {DAY2: files[DAY2], "notes.csv": b"a,b\n1,2\n"}))
    assert "source 'entities' has no usable file yet" in outcome.stderr
    assert outcome.verdicts["notes.csv"]["verdict"] == "ignored"
    assert "no source of the project takes it" in outcome.verdicts["notes.csv"]["reason"]


@pytest.mark.slow
def test_both_engines_merge_alike(job: Job, files: dict[str, bytes]) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: it is Glue's, and needs Java")
    bodies = {name: files[name] for name in (GONE2, DAY1, MAPPER, DAY2, NONE1)}
    made = [
        job.run(SPEC, job.objects("tweets", bodies), "--engine", engine) for engine in ("duckdb", "spark")
    ]
    assert [outcome.status for outcome in made] == [0, 0], made[1].stderr
    assert made[0].result is not None
    assert made[1].result is not None
    for part in ("objects", "rows", "unmatched"):
        assert made[0].result[part] == made[1].result[part]
    assert table(made[0]) == table(made[1])
