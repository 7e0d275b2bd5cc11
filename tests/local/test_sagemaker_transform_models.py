"""Batch transform of real models: XGBoost with a script of one's own, and XGBoost as the algorithm it is."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xgboost

from tests.local.conftest import EmbeddedAws
from tests.local.hosting import IMAGE
from tests.local.job_requests import ROLE, new_name
from tests.local.transforms import MARK, Transforms

ROWS = np.random.default_rng(7).normal(size=(500, 4)).round(3)
SCRIPT = """
import os

import numpy as np
import xgboost


def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "xgboost-model"))
    return booster


def input_fn(data, content_type):
    return xgboost.DMatrix(np.array([line.split(",") for line in data.splitlines()], dtype=float))


def predict_fn(matrix, booster):
    return booster.predict(matrix)


def output_fn(scores, accept):
    return "\\n".join(map(str, scores.tolist())), accept
"""


@pytest.fixture
def jobs(embedded_aws: EmbeddedAws) -> Iterator[Transforms]:
    made = Transforms(embedded_aws, new_name("transform"))
    yield made
    assert made.servers() == []


def model(jobs: Transforms, tmp_path: Path, script: str) -> tuple[str, np.ndarray]:
    """A model of XGBoost's, with `script` as its handlers if there is one, and what it predicts of ROWS."""
    labels = ROWS @ np.array([1.0, -2.0, 0.5, 0.0])
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(ROWS, label=labels), num_boost_round=5)
    booster.save_model(tmp_path / "model.ubj")
    files = {"xgboost-model": (tmp_path / "model.ubj").read_bytes()}
    if script:
        files["code/inference.py"] = script.encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    jobs.put("model.tar.gz", out.getvalue())
    name = jobs.name()
    container = {
        "Image": IMAGE,
        "ModelDataUrl": f"s3://{jobs.prefix}/model.tar.gz",
        "Environment": {MARK: jobs.prefix},
    }
    jobs.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return name, booster.predict(xgboost.DMatrix(ROWS))


@pytest.mark.parametrize(
    "script", [pytest.param(SCRIPT, marks=pytest.mark.slow), ""], ids=["script", "algorithm"]
)
def test_rows_and_scores_stay_together(jobs: Transforms, tmp_path: Path, script: str) -> None:
    name, expected = model(jobs, tmp_path, script)
    jobs.put("in/rows.csv", "".join(f"id-{n},{','.join(map(str, row))}\n" for n, row in enumerate(ROWS)))
    jobs.completed(
        name,
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
        MaxConcurrentTransforms=4,
        MaxPayloadInMB=1,
    )
    pairs = [line.split(",") for line in jobs.get("out/rows.csv.out").splitlines()]
    assert [one for one, _ in pairs] == [f"id-{n}" for n in range(len(ROWS))]
    np.testing.assert_allclose([float(score) for _, score in pairs], expected, rtol=1e-5)
