"""What people do to a bucket, and what the stage says of it: every upload has one verdict, and datasets follow."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

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
    ignored = [
        f"drop/{project}/folder/",
        f"drop/{project}/_SUCCESS",
        "drop/nowhere.csv",
        "drop/Odd_Keys/a.csv",
    ]
    for key in ignored:
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
    assert "Did you mean drop/odd-keys/?" in reasons["drop/Odd_Keys/a.csv"]
    stage.until(lambda: bool(stage.objects("no-such-project")), "the upload of an unknown project")
    [unknown] = stage.objects("no-such-project")
    assert "create it with PUT /projects/no-such-project" in unknown["reason"]
