"""A script-mode job runs alike however it is isolated: with process namespaces, without them, without any jail."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution, probe
from penstock.localaws.sagemaker import Place, SageMaker
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws

MODES = [mode for mode in ("pid", "mount", "plain") if mode == "plain" or probe(sys.executable) != "plain"]
SOURCE = """
import argparse, os, pathlib
from helper import copy
parser = argparse.ArgumentParser()
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--epochs", type=int)
given = parser.parse_args()
copy(os.environ["SM_CHANNEL_TRAIN"], given.model_dir)
pathlib.Path(given.model_dir, "epochs").write_text(str(given.epochs))
"""
HELPER = "import shutil\ndef copy(a, b):\n    shutil.copytree(a, b, dirs_exist_ok=True)\n"


class Events:
    """Where events go: kept."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def __call__(self, entries: list[dict[str, Any]]) -> None:
        self.entries += entries


@pytest.fixture(params=MODES)
def plane(request: pytest.FixtureRequest, embedded_aws: EmbeddedAws, tmp_path: Path) -> Iterator[SageMaker]:
    place = Place(
        tmp_path / "a plane", embedded_aws.endpoint_url, "us-east-1", "000000000000", sys.executable, tmp_path
    )
    made = SageMaker(place, publish=Events())
    made.plane.execution = Execution(place, Clients(place), mode=request.param)
    yield made
    made.stop()


def test_a_script_runs_alike(plane: SageMaker, embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, train__a_csv="1"), f"job-{uuid.uuid4().hex}"
    request = make.script_training(
        embedded_aws,
        bucket,
        name,
        SOURCE,
        HyperParameters={"epochs": "3"},
        InputDataConfig=[make.channel("train", f"s3://{bucket}/train")],
    )
    make.put(embedded_aws, bucket, f"code/{name}.tar.gz", make.source_archive(train=SOURCE, helper=HELPER))
    plane.call("CreateTrainingJob", request)
    described = plane.wait_job("training", name)
    assert described["TrainingJobStatus"] == "Completed", described
    files = make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz")
    assert files == {"a.csv": "1", "epochs": "3"}
    said = any("SAGEMAKER_BASE_DIR" in line for line in make.lines(embedded_aws, name))
    assert said == (plane.plane.execution.mode == "plain")
