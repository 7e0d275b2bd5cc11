"""What a job installs is the job's: it ends with it, and the person's environment never sees it."""

import importlib.util
import io
import zipfile
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws
from tests.local.job_requests import (
    channel,
    lines,
    new_bucket,
    new_name,
    put,
    script_training,
    shell_training,
    trained,
)

WHEEL = "colours-1.0-py3-none-any.whl"
INSTALLS = """
import os, subprocess, sys
wheel = os.path.join(os.environ["SM_CHANNEL_WHEELS"], "colours-1.0-py3-none-any.whl")
subprocess.check_call([sys.executable, "-m", "pip", "install", "--no-index", wheel, "numpy"])
import colours, numpy
print("blue is", colours.BLUE, "and numpy is this machine's:", os.environ["HOME"] not in numpy.__file__)
"""


def wheel() -> bytes:
    """A wheel of one module, `colours`."""
    info = "colours-1.0.dist-info"
    files = {
        "colours.py": 'BLUE = "#0000ff"\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: colours\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def bucket(embedded_aws: EmbeddedAws) -> str:
    """A bucket with the wheel below wheels/."""
    made = new_bucket(embedded_aws)
    put(embedded_aws, made, f"wheels/{WHEEL}", wheel())
    return made


def with_wheel(bucket: str) -> dict[str, Any]:
    return {"InputDataConfig": [channel("wheels", f"s3://{bucket}/wheels/")]}


def test_a_script_installs_with_its_own_interpreter(embedded_aws: EmbeddedAws, bucket: str) -> None:
    """`sys.executable -m pip install`, as scripts of SDK v2 do; what this machine has need not be installed."""
    name = new_name("pip")
    request = script_training(embedded_aws, bucket, name, INSTALLS, **with_wheel(bucket))
    described = trained(embedded_aws, request)
    assert described["TrainingJobStatus"] == "Completed", described
    assert "blue is #0000ff and numpy is this machine's: True" in lines(embedded_aws, name)
    assert importlib.util.find_spec("colours") is None


def test_the_commands_pip_and_python3_are_the_jobs_own(embedded_aws: EmbeddedAws, bucket: str) -> None:
    """As the SDK v3 driver calls them; a second job finds nothing of the first one's."""
    install = f"pip3 install --no-index /opt/ml/input/data/wheels/{WHEEL}"
    script = f"python3 -c 'import colours' && exit 3; {install} && python3 -c 'import colours'"
    for name in (new_name("pip"), new_name("pip")):
        described = trained(embedded_aws, shell_training(bucket, name, script, **with_wheel(bucket)))
        assert described["TrainingJobStatus"] == "Completed", described
    assert importlib.util.find_spec("colours") is None
