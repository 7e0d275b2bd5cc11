"""`eval "$(penstock env)"` in a shell that had another account in mind."""

import os
import shlex
import subprocess
import sys

import yaml

from tests.local.conftest import EmbeddedAws

PROGRAM = f'{shlex.quote(sys.executable)} -m penstock.cli env --root "$ROOT"'


def test_a_shell_is_pointed_at_the_embedded_aws_and_nowhere_else(embedded_aws: EmbeddedAws) -> None:
    """What would send some calls elsewhere is unset, and the SDK's file of defaults is there and keeps it here."""
    mine = {"PATH": os.environ["PATH"], "ROOT": str(embedded_aws.root)}
    elsewhere = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "x",
        "AWS_ENDPOINT_URL_STS": "https://sts.example",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", f'printed="$({PROGRAM})" && eval "$printed" && env -0'],
        env={**mine, **elsewhere},
        capture_output=True,
        check=True,
    )
    after = dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if "=" in entry)
    assert after["AWS_ENDPOINT_URL"] == embedded_aws.endpoint_url
    assert not after.keys() & elsewhere.keys()
    with open(after["SAGEMAKER_USER_CONFIG_OVERRIDE"], encoding="utf-8") as file:
        modules = yaml.safe_load(file)["SageMaker"]["PythonSDK"]["Modules"]
    assert modules["TelemetryOptOut"] is True
    assert modules["Session"]["DefaultS3Bucket"] == "sagemaker-us-east-1-000000000000"
