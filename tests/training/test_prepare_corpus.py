"""Nothing that is dropped crashes Prepare, reaches training by mistake, or is lost without a word."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.training import corpus
from tests.training.data.dropped import look, read
from tests.training.job import Job, Outcome
from tests.training.mutants import anything

SIDES = ("train", "validation", "test", "unlabelled", "quarantine")


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    return Job(aws("s3"), bucket, aws_environment)


def wrong(case: corpus.Case, verdict: dict[str, Any]) -> str | None:
    """What of a verdict is not as expected."""
    if case.refusal:
        fits = verdict["verdict"] == "refused" and case.refusal in verdict["reason"]
        return None if fits else f"{case.name}: not {case.refusal!r} but {verdict}"
    expected = {"good": case.good, "refused": case.bad, "unlabelled": case.unlabelled}
    found = {side: verdict["rows"][side] for side in expected}
    if (verdict["verdict"], found) != ("prepared", expected):
        return f"{case.name}: not {expected} but {verdict}"
    notes = "; ".join(verdict["notes"])
    if bool(notes) != bool(case.note) or case.note not in notes:
        return f"{case.name}: not the note {case.note!r} but {notes!r}"
    return None


def check(outcome: Outcome, cases: list[corpus.Case]) -> None:
    """Every file has its verdict, every row its place, and the sums agree."""
    assert (outcome.status, outcome.stderr.count("Traceback")) == (0, 0), outcome.stderr[-3000:]
    assert outcome.result is not None
    verdicts = outcome.verdicts
    assert sorted(verdicts) == sorted([case.name for case in cases] + ["good.csv"])
    assert "\n".join(found for case in cases if (found := wrong(case, verdicts[case.name]))) == ""
    read = [row for side in SIDES for row in outcome.table(side).select(["_row", "_source"]).to_pylist()]
    assert len(read) == len({row["_row"] for row in read}) == sum(outcome.result["rows"].values())
    places = Counter(row["_source"].rsplit("/", 1)[-1] for row in read)
    accepted = {case.name: case.good + case.bad + case.unlabelled for case in cases if not case.refusal}
    quarantined = {case.name for case in cases if case.refusal} & set(places)
    assert {name: places[name] for name in accepted} == accepted
    assert all("rows is good" in verdicts[name]["reason"] for name in quarantined)
    assert set(places) == {*accepted, *quarantined, "good.csv"}
    for side in SIDES[:-1]:
        trained = {key.rsplit("/", 1)[-1] for key in outcome.table(side)["_source"].to_pylist()}
        assert trained <= {*accepted, "good.csv"}


def test_every_odd_file_is_read_or_refused_with_its_cause(job: Job) -> None:
    cases = corpus.cases()
    assert len(cases) >= 60
    files = {case.name: case.body for case in cases} | {"good.csv": corpus.text(60).encode()}
    assert len(files) == len(cases) + 1
    check(job.run(corpus.SPEC, job.objects("corpus", files)), cases)


@pytest.mark.slow
def test_every_odd_file_is_read_or_refused_alike_on_spark(job: Job) -> None:
    job = replace(job, timeout=1200)
    pytest.importorskip("pyspark", reason="pyspark is not installed: it is Glue's, and needs Java")
    cases = corpus.cases()
    files = {case.name: case.body for case in cases} | {"good.csv": corpus.text(60).encode()}
    entries = job.objects("corpus", files)
    made = [job.run(corpus.SPEC, entries, "--engine", engine) for engine in ("duckdb", "spark")]
    check(made[1], cases)
    assert made[0].verdicts == made[1].verdicts
    for side in SIDES:
        tables = [outcome.table(side).sort_by("_row").to_pylist() for outcome in made]
        assert tables[0] == tables[1]


def test_no_bytes_crash_a_job_and_no_row_is_lost(job: Job, tmp_path: Path) -> None:
    found: set[bytes] = set()

    # One job with all of them: a job needs seconds, a file milliseconds.
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(anything)
    def gather(body: bytes) -> None:
        found.add(body)

    gather()
    files = {f"{place}.csv": body for place, body in enumerate(sorted(found))}
    outcome = job.run(corpus.SPEC, job.objects("corpus", {**files, "good.csv": corpus.text(60).encode()}))
    assert (outcome.status, outcome.stderr.count("Traceback")) == (0, 0), outcome.stderr[-3000:]
    assert outcome.result is not None
    sides = SIDES if outcome.result["quarantine_uri"] else SIDES[:-1]
    table = [row for side in sides for row in outcome.table(side).select(["_row", "_source"]).to_pylist()]
    assert len(table) == len({row["_row"] for row in table}) == sum(outcome.result["rows"].values())
    places = Counter(row["_source"].rsplit("/", 1)[-1] for row in table)
    for name, body in files.items():
        verdict = outcome.verdicts[name]
        assert bool(verdict["reason"]) == (verdict["verdict"] == "refused")
        if verdict["verdict"] == "prepared":
            rows = read(look(tmp_path, name, body, corpus.SPEC))
            assert len(rows) == places[name] == sum(verdict["rows"].values())
