"""What people do to a bucket, and what the stage says of it: every upload has one verdict, and datasets follow."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from penstock.cli.__main__ import main
from penstock.client.api import Api
from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

ODD = [
    "a b.csv",
    "plus+percent%20%.csv",
    "#?&=;.csv",
    "caf\u00e9.csv",
    "cafe\u0301.csv",
    "tab\tand\x7f.csv",
    "deep/er//and/../deeper.csv",
    "\U0001f600.csv",
]


def verdicts(stage: Stage, project: str) -> dict[str, str]:
    """Verdict by version."""
    return {one["version_id"]: one["verdict"] for one in stage.objects(project)}


def rows_of(stage: Stage, run: str) -> int:
    """Rows on the sides of a run's dataset."""
    told = stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=f"runs/{run}/prepare.json")
    counted = json.loads(told["Body"].read())["rows"]
    return int(counted["train"] + counted["validation"] + counted["test"])


def idle(stage: Stage, project: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
    """Wait until these versions have these verdicts and nothing runs or waits; the runs, oldest first."""

    def over() -> bool:
        told = stage.get(f"/projects/{project}/objects")["objects"]
        now = {one["version_id"]: one["verdict"] for one in told}
        left = any(one["leaving"] or one["verdict"] in ("pending", "claimed") for one in told)
        running = any(run["state"] == "RUNNING" for run in stage.runs(project))
        return not left and not running and wanted.items() <= now.items()

    stage.until(over, f"{wanted} in {project}")
    return sorted(stage.runs(project), key=lambda run: run["run"])


@pytest.mark.slow
def test_deletes_copies_parts_and_restored_versions(stage: Stage) -> None:
    """The dataset holds the rows of what the bucket shows, after each change one can make to a bucket."""
    project, s3, bucket = "changes", stage.client("s3"), stage.deployed.bucket
    stage.put_project(cancer_spec(project))
    rows = breast_cancer()
    first, second = f"drop/{project}/first.csv", f"drop/{project}/copied.csv"
    v1 = s3.put_object(Bucket=bucket, Key=first, Body=_csv(rows[:300]))["VersionId"]
    v2 = s3.copy_object(Bucket=bucket, Key=second, CopySource={"Bucket": bucket, "Key": first})["VersionId"]
    [*_, run] = idle(stage, project, {v1: "prepared", v2: "prepared"})
    assert run["summary"]["objects"] == 2

    s3.delete_object(Bucket=bucket, Key=second)
    [*_, run] = idle(stage, project, {v1: "prepared", v2: "deleted"})
    assert rows_of(stage, run["run"]) == 300
    [told] = stage.get(f"/projects/{project}/objects?key={quote(second)}")["objects"]
    assert (told["reason"], told["run"]) == ("deleted from the bucket", run["run"])

    upload = s3.create_multipart_upload(Bucket=bucket, Key=first)["UploadId"]
    part = {"Bucket": bucket, "Key": first, "UploadId": upload, "PartNumber": 1}
    etag = s3.upload_part(**part, Body=_csv(rows))["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    v3 = s3.complete_multipart_upload(Bucket=bucket, Key=first, UploadId=upload, MultipartUpload=parts)[
        "VersionId"
    ]
    [*_, run] = idle(stage, project, {v1: "superseded", v2: "deleted", v3: "prepared"})
    assert rows_of(stage, run["run"]) == len(rows)

    s3.delete_object(Bucket=bucket, Key=first, VersionId=v3)  # the version before is the current one again
    [*_, run] = idle(stage, project, {v1: "prepared", v2: "deleted", v3: "deleted"})
    assert rows_of(stage, run["run"]) == 300
    told = stage.get(f"/projects/{project}/objects")
    assert (told["total"], told["verdicts"]) == (3, {"deleted": 2, "prepared": 1})


def test_any_key_is_taken_and_told_of(stage: Stage) -> None:
    """Every upload has a verdict, whatever its key: prepared, or ignored with the reason."""
    project, s3, bucket = "odd-keys", stage.client("s3"), stage.deployed.bucket
    stage.put_project(cancer_spec(project))
    rows = breast_cancer()
    longest = "k" * (1024 - len(f"drop/{project}/.csv")) + ".csv"
    names = [*ODD, longest]
    keys = [stage.drop(project, name, _csv(rows[place :: len(names)])) for place, name in enumerate(names)]
    ours = [
        f"lake/{project}/prepared/version=000099/train/part-0.parquet",
        f"runs/{project}-0099-x/prepare.json",
    ]
    ignored = [
        f"drop/{project}/folder/",
        f"drop/{project}/_SUCCESS",
        f"drop/{project}/_temporary/0/part-00000.csv",
        "drop/nowhere.csv",
        "drop/Odd_Keys/a.csv",
    ]
    for key in [*ours, *ignored]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.put_object(Bucket=bucket, Key="drop/no-such-project/a.csv", Body=b"a")
    runs = stage.settled(project, set(keys))
    assert rows_of(stage, runs[-1]["run"]) == len(rows)
    told = stage.get(f"/projects/{project}/objects")
    assert (told["total"], told["verdicts"], told["next"]) == (len(keys), {"prepared": len(keys)}, None)
    assert {one["key"] for one in told["objects"]} == set(keys)
    for key in keys:
        [one] = stage.get(f"/projects/{project}/objects?key={quote(key, safe='')}")["objects"]
        assert one["key"] == key
    stage.until(
        lambda: set(ignored) <= {one["key"] for one in stage.objects("-")}, "the uploads of no project"
    )
    reasons = {one["key"]: one["reason"] for one in stage.objects("-")}
    assert not set(ours) & set(reasons)  # what the product writes is nobody's upload
    assert len(stage.runs(project)) == len(runs)  # and what Spark leaves beside data starts nothing
    assert "Did you mean drop/odd-keys/?" in reasons["drop/Odd_Keys/a.csv"]
    stage.until(lambda: bool(stage.objects("no-such-project")), "the upload of an unknown project")
    [unknown] = stage.objects("no-such-project")
    assert "create it with PUT /projects/no-such-project" in unknown["reason"]


def small_file(number: int) -> bytes:
    """Three points, and whether each is above the diagonal."""
    dice = Random(number)
    points = [(dice.uniform(-1, 1), dice.uniform(-1, 1)) for _ in range(3)]
    return "\n".join(["x,y,side", *(f"{x},{y},{'above' if y > x else 'below'}" for x, y in points)]).encode()


def counted(stage: Stage, function: str, metric: str) -> float:
    """The sum of a function's metric in the last hours. Its logs would not do: they keep the newest 2,000 streams."""
    now = time.time()
    points = stage.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": f"penstock-local-{function}"}],
        StartTime=now - 3 * 3600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(float(point["Sum"]) for point in points)


@pytest.mark.slow
@pytest.mark.parametrize("files", [300, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_burst_of_small_files_is_a_few_runs_and_a_complete_ledger(stage: Stage, files: int) -> None:
    """Two runs at most: one over what was there, one over the rest. Each file has its verdict, each row is in the last
    dataset, and no function failed.
    """
    project = f"burst-{files}"
    errors = {name: counted(stage, name, "Errors") for name in ("ingest", "claim", "report")}
    columns = {"x": "number", "y": "number", "side": "label"}
    gate = {"metric": "macro_f1", "at_least": 0.1, "beat_champion": False}
    stage.put_project({"project": project, "task": "classification", "columns": columns, "gate": gate})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: stage.drop(project, f"{n % 7}/{n:05d}.csv", small_file(n)), range(files)))

    def over() -> bool:
        counts = Api(stage.deployed.api_url).verdicts(project)
        return counts == {"prepared": files} and all(r["state"] != "RUNNING" for r in stage.runs(project))

    stage.until(over, f"{files} verdicts", seconds=600)
    runs = sorted(stage.runs(project), key=lambda run: run["run"])
    assert len(runs) <= 2
    assert runs[-1]["summary"]["objects"] == files
    assert rows_of(stage, runs[-1]["run"]) == 3 * files
    assert counted(stage, "ingest", "Invocations") >= files
    assert {name: counted(stage, name, "Errors") for name in errors} == errors


def test_why_tells_of_keys_versions_and_patterns(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what to check of an upload nobody knows."""
    project, bucket = "asked", stage.deployed.bucket
    keys = [stage.drop(project, name, b"x") for name in ("a [1].csv", "b.csv")]  # there is no such project
    stage.until(lambda: len(stage.objects(project)) == 2, "both uploads")

    def why(*words: str) -> tuple[int, str, str]:
        code = main(["why", "--root", str(stage.root), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    code, out, _ = why(f"s3://{bucket}/{keys[0]}")
    assert (code, out.splitlines()[0]) == (0, f"{keys[0]}: ignored")
    assert "PUT /projects/asked" in out
    version = stage.objects(project)[1]["version_id"]
    assert json.loads(why("--json", keys[1], "--version", version)[1])["uploads"][0]["version_id"] == version
    told = json.loads(why("--json", f"drop/{project}/*.csv")[1])
    assert (told["total"], told["verdicts"]) == (2, {"ignored": 2})
    assert "2 uploads: 2 ignored" in why(f"drop/{project}/?*")[1]
    code, out, err = why(f"drop/{project}/none.csv")
    assert (code, out) == (1, "")
    assert "neither the bucket nor the ledger has it" in err
    code, _, err = why(keys[1], "--version", "v0")
    assert code == 1
    assert "no version v0" in err
