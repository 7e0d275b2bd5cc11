"""Glue job runs really run their script, in the embedded AWS."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import ROLE, lines, new_bucket, new_name, put

OVER = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED")
SCRIPT = """
import json, os, sys
from awsglue.utils import getResolvedOptions
import inside, beside
import boto3
options = getResolvedOptions(sys.argv, ["out", "JOB_NAME"])
bucket, _, key = options["out"].removeprefix("s3://").partition("/")
seen = {"argv": sys.argv[1:], "cwd": os.listdir(), "modules": [inside.X, beside.X], "job": options["JOB_NAME"]}
boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(seen))
print("done")
print("careful", file=sys.stderr)
"""


def started(aws: EmbeddedAws, script: str, kind: str = "pythonshell", **run: Any) -> tuple[str, str, str]:
    bucket, name = new_bucket(aws), new_name("glue")
    put(aws, bucket, "script.py", script.replace("BUCKET", bucket))
    glue = aws.client("glue")
    glue.create_job(
        Name=name,
        Role=ROLE,
        Command={"Name": kind, "ScriptLocation": f"s3://{bucket}/script.py", "PythonVersion": "3.9"},
        DefaultArguments={"--out": f"s3://{bucket}/seen.json", "--mode": "default"},
    )
    return bucket, name, glue.start_job_run(JobName=name, **run)["JobRunId"]


def over(aws: EmbeddedAws, name: str, run_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = aws.client("glue").get_job_run(JobName=name, RunId=run_id)["JobRun"]
        return run if run["JobRunState"] in OVER else None

    found: dict[str, Any] = until(ended, 90)
    return found


def test_a_script_gets_arguments_modules_and_a_directory_of_its_own(embedded_aws: EmbeddedAws) -> None:
    modules = new_bucket(embedded_aws)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("inside.py", "X = 'zip'")
    put(embedded_aws, modules, "lib.zip", zipped.getvalue())
    put(embedded_aws, modules, "beside.py", "X = 'py'")
    extra = f"s3://{modules}/lib.zip,s3://{modules}/beside.py"
    bucket, name, run_id = started(
        embedded_aws, SCRIPT, Arguments={"--mode": "run --x", "--extra-py-files": extra}
    )
    run = over(embedded_aws, name, run_id)
    assert run["JobRunState"] == "SUCCEEDED", run
    seen = json.loads(embedded_aws.client("s3").get_object(Bucket=bucket, Key="seen.json")["Body"].read())
    given = dict(zip(seen["argv"][::2], seen["argv"][1::2], strict=True))
    assert (given["--JOB_NAME"], given["--JOB_RUN_ID"], given["--mode"]) == (name, run_id, "run --x")
    assert (seen["cwd"], seen["modules"], seen["job"]) == ([], ["zip", "py"], name)
    assert lines(embedded_aws, run_id, "/aws-glue/python-jobs/output") == ["done"]
    assert lines(embedded_aws, run_id, "/aws-glue/python-jobs/error") == ["careful"]


def test_the_last_line_of_standard_error_is_the_message(embedded_aws: EmbeddedAws) -> None:
    script = "import sys; print('BadUpload: no label', file=sys.stderr); sys.exit(1)"
    _, name, run_id = started(embedded_aws, script)
    run = over(embedded_aws, name, run_id)
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "BadUpload: no label")


def test_an_extra_file_that_is_not_there_is_named(embedded_aws: EmbeddedAws) -> None:
    _, name, run_id = started(
        embedded_aws, "pass", Arguments={"--extra-py-files": "s3://nowhere-at-all/x.zip"}
    )
    run = over(embedded_aws, name, run_id)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith("LAUNCH ERROR | s3://nowhere-at-all/x.zip could not be read")


def test_a_module_this_machine_lacks_is_named(embedded_aws: EmbeddedAws) -> None:
    _, name, run_id = started(
        embedded_aws, "pass", Arguments={"--additional-python-modules": "pandas,nope-nope==1"}
    )
    assert (
        "asks for nope-nope==1, which this machine does not have"
        in over(embedded_aws, name, run_id)["ErrorMessage"]
    )


def test_a_stopped_run_is_stopped(embedded_aws: EmbeddedAws) -> None:
    script = (
        "import boto3, time\n"
        "boto3.client('s3').put_object(Bucket='BUCKET', Key='up', Body=b'')\n"
        "while True: time.sleep(0.05)"
    )
    bucket, name, run_id = started(embedded_aws, script)
    s3 = embedded_aws.client("s3")
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="up")["KeyCount"])
    embedded_aws.client("glue").batch_stop_job_run(JobName=name, JobRunIds=[run_id])
    run = over(embedded_aws, name, run_id)
    assert run["JobRunState"] == "STOPPED"


@pytest.mark.slow
def test_a_run_out_of_time_is_ended(embedded_aws: EmbeddedAws) -> None:
    _, name, run_id = started(embedded_aws, "import time; time.sleep(1000)", Timeout=1)
    run = over(embedded_aws, name, run_id)
    assert (run["JobRunState"], "1 minutes" in run["ErrorMessage"]) == ("TIMEOUT", True)
