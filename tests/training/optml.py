"""A job's /opt/ml tree in a temporary directory, filled with scikit-learn's own data sets, and jobs run in it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ROOT / "training"
SHARED = ROOT.parent / "shared" / "data"
LEARNER = {"texts": "text_forest"}  # the rest: gradient_boosting
KINDS = ("binary", "classes", "numbers", "texts")


def frame(kind: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A data set and its dataset.json: two classes with every kind of column, three classes, regression, or texts."""
    made, roles = _MAKERS[kind]()
    task = "regression" if kind == "numbers" else "classification"
    classes = None if task == "regression" else sorted(made["answer"].unique())
    columns = [{"name": name, "role": role, "format": None} for name, role in roles.items()]
    document = {
        "project": kind,
        "version": 3,
        "task": task,
        "target": "answer",
        "classes": classes,
        "columns": columns,
        "rows": {},
        "source_objects": [f"drop/{kind}/a.csv"],
    }
    return made.sample(frac=1, random_state=7).reset_index(drop=True), document


def fill(base: Path, made: pd.DataFrame, document: dict[str, Any]) -> None:
    """Write the splits and dataset.json where training and processing jobs find them."""
    cuts = int(0.6 * len(made)), int(0.7 * len(made))
    parts = {"train": made[: cuts[0]], "validation": made[cuts[0] : cuts[1]], "test": made[cuts[1] :]}
    for name, part in parts.items():
        for place in (base / "input/data" / name, base / "processing" / name):
            place.mkdir(parents=True, exist_ok=True)
            part.to_parquet(place / "part-0.parquet", index=False)
    for place in (base / "input/data/dataset", base / "processing/dataset"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "dataset.json").write_text(json.dumps(document))


def run(script: str, base: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run train.py or evaluate.py as a container would, but for SAGEMAKER_BASE_DIR."""
    return subprocess.run(
        [sys.executable, str(TRAINING / script), *arguments],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base), **environment},
        cwd=base,
        capture_output=True,
        text=True,
        check=False,
    )


def pack(base: Path, name: str = "model") -> None:
    """Do what SageMaker does between the jobs: model/ becomes an input of the processing job."""
    (base / "processing" / name).mkdir(parents=True, exist_ok=True)
    with tarfile.open(base / "processing" / name / "model.tar.gz", "w:gz", compresslevel=1) as packed:
        for path in sorted((base / "model").iterdir()):
            packed.add(path, path.name)


@functools.cache
def trained(kind: str) -> tuple[Path, str]:
    """Train once a test run; return the tree and what the job printed."""
    base = _kept()
    fill(base, *frame(kind))
    arguments = [
        "--learner",
        LEARNER.get(kind, "gradient_boosting"),
        "--project",
        kind,
        "--run",
        f"{kind}-0001-x",
    ]
    arguments += ["--n_estimators", "40"]
    done = run("train.py", base, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    pack(base)
    return base, done.stdout


@functools.cache
def evaluated(kind: str) -> tuple[Path, str]:
    """Train and evaluate once a test run; return the output directory and what the job printed."""
    base, _ = trained(kind)
    done = run("evaluate.py", base, PENSTOCK_PROJECT=kind, PENSTOCK_RUN=f"{kind}-0001-x")
    assert done.returncode == 0, done.stdout + done.stderr
    return base / "processing/output", done.stdout


def held_out(kind: str) -> pd.DataFrame:
    """The rows no job has trained on."""
    return pd.read_parquet(trained(kind)[0] / "processing/test/part-0.parquet")


def _kept() -> Path:
    base = Path(tempfile.mkdtemp(prefix="penstock-optml-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return base


def _binary() -> tuple[pd.DataFrame, dict[str, str]]:
    loaded = datasets.load_breast_cancer(as_frame=True)
    made = loaded.frame[["mean radius", "mean texture", "mean smoothness"]].astype(float).copy()
    rows = np.arange(len(made))
    made.loc[rows % 11 == 0, "mean texture"] = np.nan
    made["clinic"] = [None if row % 13 == 0 else f"clinic {row % 4}" for row in rows]
    made["seen"] = pd.Timestamp("2024-01-31") + pd.to_timedelta(rows, unit="D")
    made["patient"] = [f"{row * 7919 % 100003}" for row in rows]
    made["size after surgery"] = [f"{value:.3f}" for value in loaded.target * 2 + rows % 2 * 0.5]
    made["answer"] = ["benign" if value else "malignant" for value in loaded.target]
    made["_row"], made["_source"] = rows, "drop/binary/a.csv"
    roles = dict.fromkeys(("mean radius", "mean texture", "mean smoothness"), "number")
    named = {"clinic": "category", "seen": "date", "patient": "id", "size after surgery": "ignore"}
    return made, {**roles, **named, "answer": "label"}


def _classes() -> tuple[pd.DataFrame, dict[str, str]]:
    loaded = datasets.load_wine(as_frame=True)
    made = loaded.frame.drop(columns="target").astype(float)
    roles = dict.fromkeys(made.columns, "number")
    made["answer"] = [f"grower {value}" for value in loaded.target]
    return made, {**roles, "answer": "label"}


def _numbers() -> tuple[pd.DataFrame, dict[str, str]]:
    loaded = datasets.load_diabetes(as_frame=True)
    made = loaded.frame.drop(columns=["target", "sex"]).astype(float)
    roles = dict.fromkeys(made.columns, "number")
    made["sex"] = ["a" if value > 0 else "b" for value in loaded.frame["sex"]]
    made["answer"] = loaded.target.astype(float)
    return made, {**roles, "sex": "category", "answer": "label"}


def _texts() -> tuple[pd.DataFrame, dict[str, str]]:
    """Lines of scikit-learn's descriptions of its data sets; the answer is whose description it is."""
    rows = []
    for name in ("breast_cancer", "diabetes", "digits", "iris", "wine"):
        description = getattr(datasets, f"load_{name}")().DESCR
        rows += [(line, name) for line in description.splitlines() if len(re.findall(r"\w\w+", line)) > 3]
    made = pd.DataFrame(rows, columns=["line", "answer"])
    made["note"] = [None if row % 3 else f"note {row % 2}" for row in range(len(made))]
    return made, {"line": "text", "note": "text", "answer": "label"}


_MAKERS = {"binary": _binary, "classes": _classes, "numbers": _numbers, "texts": _texts}
