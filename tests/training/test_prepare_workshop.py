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
MAPPER, DAY1, DAY2 = "id_entity_mapper.csv", "upserts/03-21-2022/part-01.csv", "upserts/03-22-2022/part-01.csv"
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


def dropped(job: Job, files: dict[str, bytes], *names: str) -> Outcome:
    """Prepare what was dropped under these names, in this order; a name may say how often: `name@2`."""
    bodies = {name: files[name.partition("@")[0]] for name in names}
    renamed = {name.replace("part-01", f"part-{name[-1]}") if "@" in name else name: body for name, body in bodies.items()}
    outcome = job.run(SPEC, job.objects("tweets", {name.partition("@")[0]: body for name, body in renamed.items()}))
    assert outcome.status == 0, outcome.stderr
    assert outcome.result is not None
    taken_in = sum(sum(item["rows"].values()) for item in outcome.result["objects"])
    assert taken_in == sum(outcome.result["rows"].values())
    return outcome


def merged(outcome: Outcome) -> tuple[int, int]:
    """(rows after merge and deletes, rows in the dataset, after the join)."""
    assert outcome.result is not None
    rows = outcome.result["rows"]
    made = sum(rows[side] for side in EVERY)
    return made + rows["unmatched"], made


def table(outcome: Outcome) -> list[tuple[Any, ...]]:
    """What the dataset says, side by side, whichever files it came from."""
    return sorted(
        (side, *row.values())
        for side in EVERY
        for row in outcome.table(side).select(COLUMNS).fill_null("").to_pylist()
    ) if False else sorted(
        (side, *("" if value is None else value for value in row.values()))
        for side in EVERY
        for row in outcome.table(side).select(COLUMNS).to_pylist()
    )


def test_the_published_counts_day_by_day(job: Job, files: dict[str, bytes]) -> None:
    assert merged(dropped(job, files, MAPPER, DAY1, NONE1))[0] == 72_004
    assert merged(dropped(job, files, MAPPER, DAY1, NONE1, DAY2))[0] == 74_686
    outcome = dropped(job, files, MAPPER, DAY1, NONE1, DAY2, GONE2)
    assert merged(outcome) == (74_682, 74_680)
    assert outcome.result is not None
    print(outcome.result["rows"], outcome.result["unmatched"], [ (o["key"],o["rows"]) for o in outcome.result["objects"]])
    print(outcome.stdout)
