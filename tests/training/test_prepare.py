"""prepare.py as Glue runs it: a process of its own, a real S3, documents that keep to their schemas."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.training.job import Job, Outcome

CONTRACTS = Path(__file__).resolve().parents[2] / "statemachine" / "contracts"
COLUMNS = {"id": "id", "size": "number", "colour": {"type": "category", "required": True}, "kind": "label"}
SPEC: dict[str, Any] = {"project": "p1", "task": "classification", "columns": COLUMNS, "min_rows": 5}
EVERY = ("train", "validation", "test", "unlabelled")
HEADER = "id,size,colour,kind"


def csv(rows: Sequence[Sequence[Any]], header: str = HEADER) -> bytes:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""]).encode()


def good(count: int, start: int = 0) -> list[tuple[Any, ...]]:
    return [(f"k{place}", place / 2, "red", "ab"[place % 2]) for place in range(start, start + count)]


def check_documents(outcome: Outcome) -> None:
    """Each document by its schema."""
    documents = {"prepare": outcome.result}
    if outcome.status == 0:
        documents["dataset"] = outcome.json("dataset.json")
    for name, document in documents.items():
        jsonschema.validate(document, json.loads((CONTRACTS / f"{name}.schema.json").read_text()))


def every_row(outcome: Outcome) -> list[int]:
    """`_row` of every row in every place."""
    rows = [row for side in EVERY for row in outcome.table(side)["_row"].to_pylist()]
    assert outcome.result is not None
    if outcome.result["quarantine_uri"]:
        rows += outcome.table("quarantine")["_row"].to_pylist()
    return rows


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    return Job(aws("s3"), bucket, aws_environment)


@pytest.fixture(params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "spark":
        pytest.importorskip("pyspark", reason="pyspark is not installed: it is Glue's, and needs Java")
    return str(request.param)


def test_a_version_is_made_of_all_files(job: Job, aws: Any, engine: str) -> None:
    aws("glue").create_database(DatabaseInput={"Name": f"db_{engine}"})
    bad = [
        ("x1", "many", "red", "a"),
        ("x2", "1", "", "b"),
        ("x3", "1", "red"),
        ("x4", "1", "red", "a", "more"),
    ]
    first = csv([*good(40), *bad, ("u1", "", "blue", "")])
    second = csv([("k90", "red", "a", "n1")], "id;colour;kind;note".replace(";", ",")).replace(b",", b"\t")
    third = gzip.compress(b"\xef\xbb\xbf" + csv(good(5, 50)).replace(b"\n", b"\r\n"))
    files = {"one.csv": first, "two.tsv": second, "three.csv.gz": third, "bad.csv": b"\x00\x01"}
    outcome = job.run(SPEC, job.objects("p1", files), "--engine", engine, "--database", f"db_{engine}")
    assert (outcome.status, outcome.stderr.count("Traceback")) == (0, 0), outcome.stderr
    check_documents(outcome)
    assert outcome.result is not None
    rows = outcome.result["rows"]
    assert (rows["quarantined"], rows["unlabelled"], sum(rows.values())) == (4, 1, 51)
    assert [outcome.verdicts[name]["rows"]["good"] for name in files] == [40, 1, 5, 0]
    assert outcome.verdicts["bad.csv"]["reason"].startswith("line 1 holds a NUL byte")
    found = every_row(outcome)
    assert len(found) == len(set(found)) == 51
    assert {side: outcome.table(side).num_rows for side in EVERY} == {side: rows[side] for side in EVERY}

    names = ["_row", "_source", "id", "size", "colour", "kind", "note"]
    assert {side: outcome.table(side).column_names for side in EVERY} == dict.fromkeys(EVERY, names)
    assert str(outcome.table("unlabelled").schema.field("size").type) == "double"
    refused = outcome.table("quarantine").sort_by("_row").to_pylist()
    assert [(row["number"], row["column"], row["value"]) for row in refused] == [
        (41, "size", "many"), (42, "colour", ""), (43, "", "x3,1,red"), (44, "", "x4,1,red,a,more"),
    ]  # fmt: skip
    assert dict(refused[0]["record"])["id"] == "x1"

    document = outcome.json("dataset.json")
    assert document["classes"] == ["a", "b"]
    assert [column["role"] for column in document["columns"]] == [
        "id",
        "number",
        "category",
        "label",
        "ignore",
    ]
    assert len(document["source_objects"]) == 3
    profile = outcome.json("profile.json")
    size = next(column for column in profile["columns"] if column["name"] == "size")
    assert (profile["rows"], size["nulls"], size["min"], size["max"]) == (47, 2, 0.0, 27.0)
    table = aws("glue").get_table(DatabaseName=f"db_{engine}", Name="p1_prepared")["Table"]
    assert table["StorageDescriptor"]["Location"].endswith("/prepared/version=000001/")


def test_both_engines_make_the_same_dataset(job: Job) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: it is Glue's, and needs Java")
    rows = [
        (f"k{place}", place / 7, ["red", " blue ", "é"][place % 3], "abc"[place % 3]) for place in range(300)
    ]
    files = {"a.csv": csv(rows), "b.csv": csv([*good(20, 400), ("q", "1;2", "", "a")])}
    for split in ({"method": "hash", "seed": 3}, {"method": "shuffled", "seed": 3, "test": 0.1}):
        made = []
        for engine in ("duckdb", "spark"):
            made.append(job.run({**SPEC, "split": split}, job.objects("p1", files), "--engine", engine))
            assert made[-1].status == 0, made[-1].stderr
        for side in EVERY:
            tables = [outcome.table(side) for outcome in made]
            if split["method"] == "hash":
                tables = [table.sort_by("_row") for table in tables]
            assert tables[0].to_pylist() == tables[1].to_pylist()
        assert [outcome.json("profile.json")["columns"][1]["distinct"] for outcome in made] == [320, 320]


@pytest.mark.slow
def test_a_split_by_time_records_its_cuts_and_can_be_pinned_to_them(job: Job, engine: str) -> None:
    columns = {"day": "date", "size": "number", "kind": "label"}
    rows = [(f"2024-01-{place:02d}", place, "ab"[place % 2]) for place in range(1, 29)]
    later = [(f"2024-02-{place:02d}", place, "ab"[place % 2]) for place in range(1, 29)]
    split: dict[str, Any] = {"method": "time", "by": "day", "test": 0.25, "validation": 0.25}
    spec = {**SPEC, "columns": columns, "split": split}
    first = job.run(spec, job.objects("p1", {"a.csv": csv(rows, "day,size,kind")}), "--engine", engine)
    assert first.status == 0, first.stderr
    assert [first.table(side)["size"].to_pylist() for side in EVERY[:3]] == [
        list(range(1, 15)), list(range(15, 22)), list(range(22, 29))
    ]  # fmt: skip
    cuts = first.json("dataset.json")["split"]["cuts"]
    files = {"a.csv": csv(rows, "day,size,kind"), "b.csv": csv(later, "day,size,kind")}
    pinned = {**spec, "split": {**split, "cuts": cuts}}
    second = job.run(pinned, job.objects("p1", files), "--engine", engine)
    assert second.status == 0, second.stderr
    assert second.table("train").num_rows == 14
    assert second.table("test").num_rows == 7 + 28
    assert "<svg" in second.text("report.html")


HEAD = f"{HEADER}\n".encode()
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "blank lines": (b"\n\r\n  \n".replace(b" ", b""), "only blank lines"),
    "byte order mark alone": (b"\xef\xbb\xbf", "only blank lines"),
    "header only": (HEAD, "a header line and no row"),
    "binary": (b"\x7fELF\x00\x01\x02", "is a program"),
    "png": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 9, "is a picture"),
    "xlsx": (b"PK\x03\x04" + b"x" * 40, "Excel workbook"),
    "parquet": (b"PAR1" + b"x" * 40, "is damaged Parquet"),
    "utf-16": ("id,size\n1,2\n".encode("utf-16")[:-1], "is UTF-16 (little-endian) text that is damaged"),
    "damaged": (HEAD + b"k,\xc3\xa9,1,a\nk,1,\xe9,a\n", "line 3 holds the byte 0xE9"),
    "nul late": (HEAD + b"k,1,red,a\n" * 9 + b"k,\x00,red,a\n", "line 11 holds a NUL byte"),
    "cut off gzip": (gzip.compress(HEAD + b"k,1,red,a\n")[:-8], "gzip that ends too early"),
    "no target": (b"id,size,colour,kinds\nk,1,red,a\n", "lacks target column 'kind' ('kind' may be 'kinds')"),
    "no header": (b"k1,many,red,a\nk2,2,blue,b\n", "lacks target column 'kind'; it has 'k1', 'many'"),
    "duplicated": (b"id,size,colour,kind,Size\nk,1,red,a,2\n", "names 'size' twice"),
    "no required": (b"id,size,color,kind\nk,1,red,a\n", "lacks required column 'colour' ('colour' may be 'color')"),
    "reserved": (b"id,size,colour,kind,_row\nk,1,red,a,2\n", "uses '_row'"),
    "all rows bad": (HEAD + b"k,x,red,a\nk,1,,a\n", "none of its 2 rows is good"),
    "all ragged": (HEAD + b"k,x\nk\n", "none of its 2 rows is good: the row has"),
}  # fmt: skip


def test_every_bad_file_is_refused_with_its_reason_and_the_good_one_goes_on(job: Job) -> None:
    files = {f"{name}.csv": body for name, (body, _) in REFUSED.items()}
    outcome = job.run(SPEC, job.objects("p1", {**files, "good.csv": csv(good(60))}))
    assert outcome.status == 0, outcome.stderr
    check_documents(outcome)
    verdicts = outcome.verdicts
    wrong = {
        name: verdicts[f"{name}.csv"]["reason"]
        for name, (_, reason) in REFUSED.items()
        if reason not in (verdicts[f"{name}.csv"]["reason"] or "")
    }
    assert wrong == {}
    assert (verdicts["good.csv"]["verdict"], verdicts["good.csv"]["rows"]["good"]) == ("prepared", 60)
    assert {row["_source"] for side in EVERY for row in outcome.table(side).to_pylist()} == {
        "drop/p1/good.csv"
    }


def test_a_quote_left_open_costs_its_own_rows_only(job: Job) -> None:
    quoted = [(f"k{place}", 1, '"re,d"', "ab"[place % 2]) for place in range(40)]
    body = csv([*quoted[:20], ("k20", 1, '"red', "a"), *quoted[21:]])
    outcome = job.run(SPEC, job.objects("p1", {"a.csv": body}))
    assert [(row["number"], row["column"]) for row in outcome.table("quarantine").to_pylist()] == [(21, "")]
    assert {row["colour"] for side in EVERY for row in outcome.table(side).to_pylist()} == {"re,d"}


ONE_CLASS = [(f"k{place}", "1", "red", "a") for place in range(30)]
WHOLE: dict[str, tuple[Mapping[str, bytes], str]] = {
    "only file": ({"a.csv": b""}, "drop/p1/a.csv: the file is empty"),
    "none of two": (
        {"a.csv": b"", "b.csv": HEAD},
        "none of the 2 new objects can be used. drop/p1/a.csv: the file is",
    ),
    "too few": ({"a.csv": csv([*good(3), ("k", "x", "red", "a")])}, "3 good labelled rows, min_rows is 5"),
    "unlabelled": ({"a.csv": csv([(row[0], 1, "red", "") for row in good(9)])}, "0 good labelled rows"),
    "one class": ({"a.csv": csv(ONE_CLASS)}, "the train split has one class only, 'a'"),
    "no test": (
        {"a.csv": csv([("k", 1, "red", "ab"[place % 2]) for place in range(9)])},
        "the test split has no rows",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_run_without_enough_to_learn_from_is_refused(job: Job, case: str) -> None:
    files, reason = WHOLE[case]
    outcome = job.run(SPEC, job.objects("p1", files))
    check_documents(outcome)
    last = outcome.stderr.strip().splitlines()[-1]
    assert outcome.status == 1
    assert last.startswith("BadUpload: ")
    assert reason in last
    assert outcome.result is not None
    assert (outcome.result["outcome"], outcome.result["dataset_uri"]) == ("refused", None)
    assert not any(key.endswith("dataset.json") for key in outcome.keys())  # noqa: SIM118


def test_no_file_has_a_column_to_learn_from(job: Job) -> None:
    columns = {**COLUMNS, "wieght": "number"}
    outcome = job.run({**SPEC, "columns": columns}, job.objects("p1", {"a.csv": csv(good(9))}))
    assert outcome.status == 1
    assert "no file has 'wieght'; the files have 'id', 'size'" in outcome.stderr


def test_objects_of_earlier_runs_count_and_a_bad_new_one_changes_nothing(job: Job) -> None:
    entries = job.objects("p1", {"old.csv": csv(good(40)), "new.csv": b""}, old=["old.csv"])
    assert job.run(SPEC, entries).status == 1
    entries = job.objects("p1", {"old.csv": csv(good(40)), "new.csv": csv(good(3, 60))}, old=["old.csv"])
    outcome = job.run(SPEC, entries)
    assert outcome.status == 0
    assert len(every_row(outcome)) == 43


def test_an_object_replaced_or_removed_after_its_claim_is_refused(job: Job) -> None:
    entries = job.objects(
        "p1", {"stays.csv": csv(good(40)), "replaced.csv": csv(good(9)), "gone.csv": csv(good(9))}
    )
    for entry in entries:
        entry["version_id"] = None
    job.s3.put_object(Bucket=job.bucket, Key="drop/p1/replaced.csv", Body=b"other")
    job.s3.delete_object(Bucket=job.bucket, Key="drop/p1/gone.csv")
    outcome = job.run(SPEC, entries)
    assert "was replaced after it was claimed" in outcome.verdicts["replaced.csv"]["reason"]
    assert "is gone from the bucket" in outcome.verdicts["gone.csv"]["reason"]


@pytest.mark.slow
def test_a_version_is_never_changed_by_another_run_and_made_anew_by_its_own(job: Job) -> None:
    entries = job.objects("p1", {"a.csv": csv(good(40))})
    first = job.run(SPEC, entries, run="p1-9001-x")
    stray = f"{first.lake}/prepared/version=000001/train/part-7.parquet"
    job.s3.put_object(Bucket=job.bucket, Key=stray, Body=b"left by an attempt that died")
    again = job.run(SPEC, entries, run="p1-9001-x")
    assert again.status == 0
    assert stray not in again.keys()  # noqa: SIM118
    document = again.json("dataset.json")
    job.s3.put_object(
        Bucket=job.bucket,
        Key=f"{first.lake}/prepared/version=000001/dataset.json",
        Body=json.dumps({**document, "run": "p1-9000-x"}).encode(),
    )
    refused = job.run(SPEC, entries, run="p1-9001-x")
    assert refused.status == 1
    assert "a version is never changed" in refused.stderr.strip().splitlines()[-1]


def test_many_small_objects_are_one_dataset(job: Job) -> None:
    files = {f"{place:04}.csv": csv(good(2, 2 * place)) for place in range(300)}
    outcome = job.run(SPEC, job.objects("p1", files))
    assert outcome.status == 0, outcome.stderr
    found = every_row(outcome)
    assert len(found) == len(set(found)) == 600


def test_rows_keep_the_order_of_their_files(job: Job) -> None:
    entries = job.objects("p1", {"a.csv": csv(good(3000)), "b.csv": csv(good(3000, 3000))})
    train = job.run(SPEC, entries[::-1]).table("train")["_row"].to_pylist()
    assert train == sorted(train)
