"""Erase as a job: whatever a project keeps in its bucket, in whatever format and version, the record is gone."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from data import seek
from data.erasure import Plan
from data.seek import Found
from erase import Erase, arguments

from tests.training.everything import texts
from tests.training.job import TRAINING, Job, Outcome

KEY, TEXT = "person-4711", "what this person wrote, word for word"
ROWS = 40


def spec(project: str, **more: Any) -> dict[str, Any]:
    """Rows of persons, each with a key and a text."""
    columns = {"who": "id", "size": "number", "note": "text", "kind": "label"}
    return {
        "project": project, "task": "classification", "columns": columns, "labels": ["a", "b"], "min_rows": 5,
        "key": "who", "split": {"test": 0.3, "validation": 0.1},
        "sources": {"deletes": {"path": "gone/**"}, "rows": {"path": "**"}}, **more,
    }  # fmt: skip


def lines(first: int, count: int = ROWS) -> list[str]:
    """Rows of others."""
    return [f"other-{n},{n},note of number {n} here,{'ab'[n % 2]}" for n in range(first, first + count)]


def table(*rows: str) -> bytes:
    """A CSV."""
    return "\n".join(["who,size,note,kind", *rows, ""]).encode()


def own(size: str = "5") -> str:
    """The person's row."""
    return f'{KEY},{size},"{TEXT}",a'


class Bucket:
    """One project in the test bucket."""

    def __init__(self, job: Job, project: str, **more: Any) -> None:
        self.job, self.s3, self.bucket, self.project = job, job.s3, job.bucket, project
        self.spec = spec(project, **more)
        self.work = f"runs/erasures/{project}/one/"

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def body(self, key: str) -> bytes:
        found: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return found

    def prepare(self, files: Mapping[str, bytes], version: int = 1) -> Outcome:
        """Drop and prepare, in the lake of the project."""
        entries = self.job.objects(self.project, files)
        done = self.job.run(self.spec, entries, version=version, run=self.project)
        assert done.status == 0, done.stderr
        return done

    def erase(
        self, *keys: str, dry_run: bool = False, environment: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Run the job; its result."""
        asked = {"columns": ["who"], "keys": [[key] for key in keys], "dry_run": dry_run}
        if keys:
            self.put(f"{self.work}keys.json", json.dumps(asked).encode())
            self.put(f"{self.work}project.json", json.dumps(self.spec).encode())
        arguments = {
            "bucket": self.bucket, "project": self.project, "erasure": "one", "work_prefix": self.work,
            "spec_uri": f"s3://{self.bucket}/{self.work}project.json", "capture_prefix": f"capture/{self.project}/",
        }  # fmt: skip
        words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
        done = subprocess.run(
            [self.job.python, str(TRAINING / "erase.py"), *words],
            env={**self.job.environment, **(environment or {})},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
        result: dict[str, Any] = json.loads(self.body(f"{self.work}result.json"))
        return result

    def holding(self, *words: str) -> set[str]:
        """Keys of which any version says one of these words."""
        return {
            key for key, _, text in texts(self.s3, self.bucket)
            if f"/{self.project}" in key and any(word in text for word in words)
        }  # fmt: skip


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    """Drops and runs."""
    return Job(aws("s3"), bucket, aws_environment)


def _parquet() -> bytes:
    names = {
        "who": ["other-900", KEY, "other-901"],
        "size": [1.0, 2.0, 3.0],
        "note": ["x", TEXT, "y"],
        "kind": ["a", "b", "a"],
    }
    out = io.BytesIO()
    pq.write_table(pa.table(names), out, compression="gzip")
    return out.getvalue()


def _capture(data: str, encoding: str = "JSON") -> str:
    return json.dumps(
        {"captureData": {"endpointInput": {"data": data, "encoding": encoding, "mode": "INPUT"}}}
    )


def _batch(it: Bucket) -> tuple[str, dict[str, Any], list[str]]:
    """A batch that was scored: its folder, its document, and the lines of its files, the key's first."""
    folder = "scores/erase-all/erase-all-0123456789ab"
    scored = [json.dumps({"_row": row, "who": who, "size": row}) for row, who in ((1, KEY), (2, "other-1"))]
    kept = {"id": "erase-all-0123456789ab", "key": f"drop/erase-all/score/{ROWS}.csv", "rows": {"read": 2}}
    it.put(f"{folder}/batch.json", json.dumps(kept).encode())
    it.put(f"{folder}/request/r.csv", f"who,size\n{KEY},1\n".encode())
    for name in ("input/rows.jsonl", "errors.jsonl", "output/rows.jsonl.out"):
        it.put(f"{folder}/{name}", "\n".join(scored).encode())
    return folder, kept, scored


def test_the_key_is_in_no_version_of_any_object(job: Job) -> None:
    it = Bucket(job, "erase-all")
    jsonl = "\n".join(
        json.dumps({"who": who, "size": 1, "note": note, "kind": "a"})
        for who, note in (("other-910", "n"), (KEY, TEXT))
    )
    it.put("drop/erase-all/a.csv", table(own("1"), *lines(0)))  # overwritten below: an old version holds it
    files = {
        "a.csv": table(*lines(0), own()),
        "b.csv.gz": gzip.compress(table(own("9"), *lines(100))),
        "c.csv": b"\xff\xfe" + table(*lines(200), own("8")).decode().encode("utf-16-le"),
        "d.jsonl": jsonl.encode(),
        "e.parquet": _parquet(),
        "bad.csv": table(*lines(300), own("wide"), "one,two", f"{KEY},too,few"),
        "only.csv": table(own("77")),
    }
    first = it.prepare(files)
    it.prepare({"gone/today.csv": f"who\n{KEY}\nother-7\n".encode(), **files}, version=2)
    it.put("drop/erase-all/notes.pdf", b"%PDF-1.4 \x00 of " + KEY.encode())
    it.put("drop/erase-all/a-letter.pdf", b"%PDF-1.4 \x00 first of all, " + TEXT.encode())
    it.put("drop/erase-all/archive.zip", b"PK\x03\x04 opaque")
    it.put("drop/erase-all/deleted.csv", table(own()))
    it.s3.delete_object(Bucket=it.bucket, Key="drop/erase-all/deleted.csv")
    requests = [_capture(json.dumps({"text": text})) for text in (TEXT, "of others")]
    requests += [
        _capture(base64.b64encode(f"{KEY},5".encode()).decode(), "BASE64"),
        _capture("other-1,1", "CSV"),
    ]
    it.put("capture/erase-all/live/1.jsonl", "\n".join(requests).encode())
    it.put(
        "labels/erase-all/m.manifest",
        f'{json.dumps({"source": TEXT, "l": 1})}\n{{"source": "of others"}}\n'.encode(),
    )
    it.put("runs/erase-all-0001-ab/evaluate/report.html", f"<p>{KEY}: wrong</p>".encode())
    told = {
        "worst": [{"who": KEY, "size": 5}, {"who": "other-1", "size": 6}],
        "note": f"{TEXT} and more",
        "f1": 0.5,
    }
    it.put("runs/erase-all-0001-ab/evaluate/scorecard.json", json.dumps(told).encode())
    it.put("runs/erase-all-0001-ab/evaluate/by.json", json.dumps({"by": {KEY: 3, "other-1": 4}}).encode())
    it.put("athena/erase-all/1.csv", f'"who"\n"{KEY}"\n'.encode())
    batch, kept, scored = _batch(it)

    before = it.holding(KEY, TEXT)
    assert len(before) > 16
    dry = it.erase(KEY, dry_run=True)
    assert it.holding(KEY, TEXT) == before
    it.s3.delete_object(Bucket=it.bucket, Key=f"{it.work}result.json")
    said = it.erase(KEY)

    assert it.holding(KEY, TEXT) == set()
    assert said["complete"]
    assert {name: zone["rows"] for name, zone in said["zones"].items()} == {
        name: zone["rows"] for name, zone in dry["zones"].items()
    }
    assert said["zones"]["drops"]["rows"] == 11
    assert [one["key"] for one in said["unsearched"]] == ["drop/erase-all/archive.zip"]
    assert it.body("drop/erase-all/a.csv") == table(*lines(0))
    assert gzip.decompress(it.body("drop/erase-all/b.csv.gz")) == table(*lines(100))
    assert it.body("drop/erase-all/c.csv").decode("utf-16") == table(*lines(200)).decode()
    assert it.body("drop/erase-all/gone/today.csv") == b"who\nother-7\n"
    assert it.body("drop/erase-all/bad.csv") == table(*lines(300), "one,two")
    assert it.body("capture/erase-all/live/1.jsonl").decode() == f"{requests[1]}\n{requests[3]}"
    for name in ("input/rows.jsonl", "errors.jsonl", "output/rows.jsonl.out"):
        assert it.body(f"{batch}/{name}").decode() == scored[1]
    assert json.loads(it.body(f"{batch}/batch.json")) == kept
    card = json.loads(it.body("runs/erase-all-0001-ab/evaluate/scorecard.json"))
    assert card == {
        "worst": [{"who": "[erased]", "size": None}, told["worst"][1]],
        "note": "[erased]",
        "f1": 0.5,
    }
    assert json.loads(it.body("runs/erase-all-0001-ab/evaluate/by.json")) == {
        "by": {"[erased 1]": 3, "other-1": 4}
    }
    assert {one["version"]: sum(one["rows"].values()) for one in said["datasets"]}[1] > 1
    document = first.json("dataset.json")
    assert document["erased"][0]["erasure"] == "one"
    sides = ("train", "validation", "test")
    assert {side: first.table(side).num_rows for side in sides} == {
        side: document["rows"][side] for side in sides
    }


def held(bucket: Bucket) -> dict[str, int]:
    """How much of a record the last erasure found, by zone."""
    result = json.loads(bucket.body(f"{bucket.work}result.json"))
    return {name: zone["rows"] for name, zone in result["zones"].items()}


def killed_after(bucket: Bucket, strikes: int, folder: Path) -> None:
    """Start the erasure and let its process die after so many objects were changed."""
    folder.joinpath("sitecustomize.py").write_text(
        f"""
import os, sys
sys.path.insert(0, {str(TRAINING)!r})
from data import versions
left = {strikes}
purge = versions.purge
def dying(*arguments):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    purge(*arguments)
versions.purge = dying
"""
    )
    with pytest.raises(AssertionError):
        bucket.erase(KEY, environment={"PYTHONPATH": str(folder)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "strikes", [1, pytest.param(0, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_a_job_that_was_killed_is_finished_by_the_next(job: Job, tmp_path: Path, strikes: int) -> None:
    """It dies between writing an object anew and deleting the old version; the receipt is that of one whole run."""
    it = Bucket(job, f"erase-killed-{strikes}")
    it.prepare({"a.csv": table(own(), *lines(0)), "b.csv": table(*lines(100), own("7"))})
    killed_after(it, strikes, tmp_path)
    assert it.holding(KEY)
    said = it.erase()
    assert it.holding(KEY, TEXT) == set()
    assert said["zones"]["drops"]["rows"] == 2
    assert {one["key"].rsplit("/", 1)[1] for one in said["rewritten"]} == {"a.csv", "b.csv"}
    for one in said["rewritten"]:
        told = it.s3.head_object(Bucket=it.bucket, Key=one["key"])
        assert (told["VersionId"], told["Metadata"]["penstock-was"]) == (one["version_id"], one["was"])
    again = it.erase()
    assert again["rewritten"] == said["rewritten"]


class Growing(Erase):
    """An erasure of a project in which there is one record more after each look, `last` in all."""

    last: int

    def _strike(self, some: Iterable[tuple[str, Found]]) -> None:
        self.struck = [*getattr(self, "struck", []), *(one.key for _, one in some)]

    def _look(self, plan: Plan, since: datetime | None = None) -> None:
        assert since is not None
        if len(plan.known) < self.last:
            plan.add("runs", Found(f"runs/{len(plan.known)}.json", "1", seek.WORDS))

    def _keep(self, plan: Plan) -> None:
        """It is not started again."""


@pytest.mark.parametrize(("last", "ends"), [(5, True), (100, False)])
def test_what_does_not_come_to_an_end_is_not_said_to_be_erased(tmp_path: Path, last: int, ends: bool) -> None:
    names = ("bucket", "project", "erasure", "work_prefix", "spec_uri", "capture_prefix")
    it = Growing(arguments([f"--{name}=x" for name in names]), str(tmp_path))
    it.last = last
    plan = Plan(datetime.now(UTC).isoformat())
    plan.add("drops", Found("drop/x/a.zip", "1", seek.UNSEARCHED))
    if ends:
        it._strike_until_clean(plan)
        assert it.struck == [f"runs/{number}.json" for number in range(1, last)]
    else:
        with pytest.raises(RuntimeError, match="records keep turning up"):
            it._strike_until_clean(plan)


@pytest.mark.slow
def test_an_upload_over_it_meanwhile_stays(job: Job, tmp_path: Path) -> None:
    it = Bucket(job, "erase-over")
    it.put("drop/erase-over/a.csv", table(own(), *lines(0)))
    killed_after(it, 0, tmp_path)
    it.put("drop/erase-over/a.csv", table(*lines(50), own("9")))
    it.erase()
    assert it.holding(KEY) == set()
    assert it.body("drop/erase-over/a.csv") == table(*lines(50))


@pytest.mark.slow
def test_keys_of_several_columns_and_of_numbers(job: Job) -> None:
    it = Bucket(job, "erase-pairs", key=["who", "size"])
    it.prepare(
        {"a.csv": table("p,1.0,note one here,a", "p,2,note two here,b", "q,1,note three here,a", *lines(0))}
    )
    asked = {"columns": ["who", "size"], "keys": [["p", "2"]], "dry_run": False}
    it.put(f"{it.work}keys.json", json.dumps(asked).encode())
    it.put(f"{it.work}project.json", json.dumps(it.spec).encode())
    it.erase()
    assert it.body("drop/erase-pairs/a.csv") == table(
        "p,1.0,note one here,a", "q,1,note three here,a", *lines(0)
    )
    assert it.holding("note two here") == set()
    assert "drop/erase-pairs/a.csv" in it.holding("note one here")
    assert held(it)["lake"] == 1


def test_short_keys_touch_their_own_rows_only(job: Job) -> None:
    """`7` is in every row; it is a key in one."""
    it = Bucket(job, "erase-short")
    it.prepare(
        {"a.csv": table("7,7,short 7 note,a", *lines(0)), "bad.csv": table("8,seven,7,a", *lines(60, 5))}
    )
    it.put(
        "runs/erase-short-0001-ab/evaluate/scorecard.json",
        b'{"worst": [{"who": 7, "n": 7}, {"who": 8, "n": 7}]}',
    )
    it.erase("7")
    assert it.body("drop/erase-short/a.csv") == table(*lines(0))
    assert it.body("drop/erase-short/bad.csv") == table("8,seven,7,a", *lines(60, 5))
    card = json.loads(it.body("runs/erase-short-0001-ab/evaluate/scorecard.json"))
    assert card == {"worst": [{"who": None, "n": None}, {"who": 8, "n": 7}]}


@pytest.mark.slow
@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-16")])
def test_corrections_follow_the_rows_they_correct(job: Job, delimiter: str, encoding: str) -> None:
    """They name the upload by its etag and its rows by number; both are others when a row has gone."""
    it = Bucket(job, f"erase-replay-{encoding}")
    body = table("x-1,wide,note,a", own(), "x-2,wide,note,b", *lines(0))
    [entry] = job.objects(it.project, {"in/a.csv": body})
    name = f"replay/version=000001/etag={entry['etag']}/in/a.csv.replay.csv"
    fixes = f"_replayed_number,who,size,note,kind\n1,x-1,1,note,a\n2,{KEY},2,{TEXT},a\n3,x-2,3,note,b\n"
    it.put(
        f"drop/{it.project}/{name}",
        fixes.replace(f"{TEXT}", "a note of theirs").replace(",", delimiter).encode(encoding),
    )
    said = it.erase(KEY)
    assert it.holding(KEY, TEXT) == set()
    made = next(one for one in said["rewritten"] if one["key"].endswith("in/a.csv"))
    moved = it.body(f"drop/{it.project}/{name.replace(entry['etag'], made['etag'])}").decode()
    assert moved == "_replayed_number,who,size,note,kind\n1,x-1,1,note,a\n2,x-2,3,note,b\n"
    found = it.s3.list_objects_v2(Bucket=it.bucket, Prefix=f"drop/{it.project}/replay/")["Contents"]
    assert len(found) == 1


@pytest.mark.slow
def test_the_workshops_four_keys_are_in_no_object(job: Job, shared_data: Path) -> None:
    """Day 1, day 2 and the deletes: these leave four keys out of the dataset; erased, they are nowhere at all."""
    root = shared_data / "seeds" / "000" / "data_prep_component"
    if not root.is_dir():
        pytest.skip("seeds/000 is absent from ../shared/data")
    example = TRAINING.parent / "examples" / "tweets" / "project.yaml"
    it = Bucket(job, "tweets")
    it.spec = yaml.safe_load(example.read_text(encoding="utf-8"))
    names = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.csv"))
        if "DP_staging" not in path.parts
    ]
    files = {name: (root / name).read_bytes() for name in names}
    first = it.prepare(files)
    four = ("uq_id_1212123", "uq_id_1212122", "uq_id_12121223", "uq_id_12121452")
    assert {key.split("/")[0] for key in it.holding(*four)} == {"drop"}  # no version has them: the uploads do
    said = it.erase(*four)
    assert it.holding(*four) == set()
    assert said["unsearched"] == []
    # The second day's deletes name nobody else: nothing would be left of that file.
    assert said["removed"] == ["drop/tweets/deletes/03-22-2022/part-01.csv"]
    left = {
        name: it.body(f"drop/tweets/{name}") for name in names if f"drop/tweets/{name}" not in said["removed"]
    }
    assert said["zones"]["drops"]["rows"] == 8  # of upserts, and of the deletes themselves
    assert set(files) - set(left) == {"deletes/03-22-2022/part-01.csv"}
    again = it.prepare(left, version=2)
    sides = ("train", "validation", "test")
    assert [again.table(side).num_rows for side in sides] == [first.table(side).num_rows for side in sides]
    assert sum(again.table(side).num_rows for side in sides) == 74_680
