"""Our script mode beside AWS's own: `sagemaker-training`, where PENSTOCK_SAGEMAKER_TRAINING names a Python that has it.

python -m venv venv && venv/bin/pip install sagemaker-training==5.1.4
PENSTOCK_SAGEMAKER_TRAINING=venv/bin/python python -m pytest -m slow tests/local/test_script_mode_oracle.py
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.sagemaker.jobs import script_mode

TOOLKIT = os.environ.get("PENSTOCK_SAGEMAKER_TRAINING", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not TOOLKIT, reason="PENSTOCK_SAGEMAKER_TRAINING names no Python with sagemaker-training"
    ),
]
TELLS = """
import json, os, sys
seen = {"environment": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}
json.dump(seen, open(os.environ["SM_MODEL_DIR"] + "/seen", "w"))
"""
RUNNERS = {
    "toolkit": ["-c", "from sagemaker_training.cli.train import main; main()"],
    "ours": [script_mode.__file__],
}


def base(root: Path, source: str, program: str = "train.py") -> Path:
    """An /opt/ml with a script."""
    for name in ("input/config", "input/data/train", "model", "output/data", "output/intermediate", "code"):
        (root / name).mkdir(parents=True)
    (root / "code" / program).write_text(source)
    group = {"instance_group_name": "g", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
    config = {
        "hyperparameters": {
            "sagemaker_program": program,
            "sagemaker_submit_directory": json.dumps(str(root / "code")),
            "sagemaker_container_log_level": "20",
            "sagemaker_mine": "7",
            "epochs": "10",
            "flag": "true",
            "name": '"a b"',
            "d": '{"a": 1}',
            "lr-list": "[1, 2]",
            "x": "1.5",
            "nothing": "null",
        },
        "inputdataconfig": {"train": {"TrainingInputMode": "File"}},
        "resourceconfig": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "g",
            "hosts": ["algo-1"],
            "instance_groups": [group],
            "network_interface_name": "eth0",
        },
    }
    for name, document in config.items():
        (root / "input/config" / f"{name}.json").write_text(json.dumps(document))
    return root


def run(runner: str, root: Path) -> int:
    given = {
        "PATH": os.environ["PATH"],
        "SAGEMAKER_BASE_DIR": str(root),
        "SM_STUDIO_LOCAL_MODE": "true",
        "TRAINING_JOB_NAME": "job",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ended = subprocess.run(
        [TOOLKIT, *RUNNERS[runner]], env=given, capture_output=True, timeout=120, check=False
    )
    return ended.returncode


def test_a_script_sees_what_the_toolkit_shows_it(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    for runner in RUNNERS:
        root = base(tmp_path / "ml", TELLS)
        assert run(runner, root) == 0
        seen[runner] = json.loads((root / "model/seen").read_text())
        root.rename(tmp_path / runner)
    toolkit, ours = seen["toolkit"], seen["ours"]
    assert (ours["argv"], ours["cwd"]) == (toolkit["argv"], toolkit["cwd"])
    told = {
        name: {key: value for key, value in one["environment"].items() if key.startswith("SM_")}
        for name, one in seen.items()
    }
    whole = [json.loads(told[name].pop("SM_TRAINING_ENV")) for name in ("toolkit", "ours")]
    assert told["ours"] == told["toolkit"]
    assert whole[1] == whole[0]


@pytest.mark.parametrize("source", ["import sys; sys.exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_failure_reads_as_the_toolkits(tmp_path: Path, source: str) -> None:
    said = {}
    for runner in RUNNERS:
        root = base(tmp_path / "ml", source)
        assert run(runner, root) == 1
        said[runner] = re.sub(r"python3\.\d+", "python", (root / "output/failure").read_text())
        root.rename(tmp_path / runner)
    assert said["ours"] == said["toolkit"]
