"""The user's own train.py and inference.py, trained, judged and served as any learner; and how they can be wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from learners import artifact, script
from learners.errors import BadData
from learners.schema import Feature

from tests.training.optml import ROOT, fill, frame, pack, run

EXAMPLE = ROOT / "examples/own-script"
TRAIN = "import os, pathlib\npathlib.Path(os.environ['SM_MODEL_DIR'], 'm.txt').write_text('1')\n"
ANSWERS = "def model_fn(d): return d\ndef predict_fn(rows, model): return {answer}\n"


def archive(place: Path, files: Mapping[str, str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place / "sourcedir.tar.gz", "w:gz") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            packed.addfile(entry, io.BytesIO(text.encode()))


def job(
    base: Path, kind: str, files: Mapping[str, str] | None, *more: str
) -> subprocess.CompletedProcess[str]:
    fill(base, *frame(kind))
    if files is not None:
        archive(base / "input/data/source", files)
    return run("train.py", base, "--learner", "script", "--project", kind, "--run", "r", *more)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's own code trained on its own data."""
    base = tmp_path_factory.mktemp("own")
    subprocess.run([sys.executable, str(EXAMPLE / "make_data.py"), str(base / "drop")], check=True)
    made = pd.read_csv(base / "drop/data/breast-cancer.csv").sample(frac=1, random_state=7)
    columns = [{"name": name, "role": "number"} for name in made.columns[:-1]]
    document = {"project": "own-script", "version": 1, "task": "classification", "target": "diagnosis",
                "classes": ["benign", "malignant"], "columns": [*columns, {"name": "diagnosis", "role": "label"}],
                "rows": {}, "source_objects": []}  # fmt: skip
    fill(base, made, document)
    (base / "input/data/source").mkdir(parents=True)
    (base / "drop/code/sourcedir.tar.gz").rename(base / "input/data/source/sourcedir.tar.gz")
    done = run("train.py", base, "--learner", "script", "--neighbours", "9", "--project", "own-script")
    assert done.returncode == 0, done.stdout + done.stderr
    (base / "said").write_text(done.stdout)
    return base


@pytest.mark.slow
def test_the_examples_script_trains_with_its_hyperparameters_and_metrics(example: Path) -> None:
    said = (example / "said").read_text()
    assert "own accuracy=0.9" in said
    assert "validation:auc=0.9" in said
    manifest = json.loads((example / "model/manifest.json").read_text())
    assert manifest["hyperparameters"] == {"neighbours": "9"}
    assert {"model.joblib", "code/source/train.py", "code/source/features.py"} <= set(manifest["files"])


def test_the_examples_model_is_judged_and_answers_as_any(example: Path) -> None:
    """evaluate.py reads model.tar.gz; its probe is a request and the answer inference.py gives."""
    pack(example)
    done = run("evaluate.py", example, PENSTOCK_PROJECT="own-script")
    assert done.returncode == 0, done.stdout + done.stderr
    card = json.loads((example / "processing/output/scorecard.json").read_text())
    assert card["metrics"]["auc"] > 0.95
    probe = json.loads((example / "processing/output/probe.json").read_text())
    for answer in probe["predictions"]:
        assert answer["prediction"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_a_changed_file_of_the_users_is_refused(example: Path, tmp_path: Path) -> None:
    """As any file of a model: what answers is what was judged."""
    import shutil  # noqa: PLC0415

    from learners import artifact  # noqa: PLC0415

    copy = shutil.copytree(example / "model", tmp_path / "model")
    (copy / "code/source/features.py").write_text("def sizes(values): return values\n")
    with pytest.raises(BadData, match=r"code/source/features\.py"):
        artifact.read(copy)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "name the archive's key"),
        ({"train.py": TRAIN}, "no inference.py at its top, but train.py"),
        (
            {"own/train.py": TRAIN, "own/inference.py": ""},
            "no train.py and no inference.py at its top, but own",
        ),
        (
            {"train.py": "raise ValueError('no rows')", "inference.py": ""},
            "train.py ended with status 1: .*no rows",
        ),
        ({"train.py": TRAIN, "inference.py": "def predict_fn(a, b): return a"}, "no model_fn"),
        ({"train.py": TRAIN, "inference.py": "import absent_thing"}, "ModuleNotFoundError: .*absent_thing"),
        ({"train.py": TRAIN, "inference.py": ANSWERS.format(answer="['a']")}, "gave 1 answers to"),
        (
            {"train.py": TRAIN, "inference.py": ANSWERS.format(answer="['a'] * len(rows)")},
            "answers 'a': give a class",
        ),
    ],
)
def test_code_that_cannot_work_is_refused_with_the_reason(
    tmp_path: Path, files: Mapping[str, str] | None, said: str
) -> None:
    import re  # noqa: PLC0415

    done = job(tmp_path, "binary", files)
    assert done.returncode == 1
    failure = (tmp_path / "output/failure").read_text()
    assert re.search(f"BadData: .*{said}", failure, re.DOTALL), failure
    assert "learners/script.py" not in done.stderr


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "input/data/source").mkdir(parents=True)
    (tmp_path / "input/data/source/sourcedir.tar.gz").write_bytes(b"PK not a tar")
    assert "make it with tar czf" in job(tmp_path, "binary", None).stderr


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("['yes' for _ in rows]", [0, 1]),
        ("[{'prediction': 'yes', 'score': 0.75} for _ in rows]", [0.25, 0.75]),
        ("[{'prediction': 'no', 'probabilities': {'no': 0.6, 'yes': 0.4}} for _ in rows]", [0.6, 0.4]),
        ("[[0.9, 0.1] for _ in rows]", [0.9, 0.1]),
        ("{'predictions': ['no' for _ in rows]}", [1, 0]),
    ],
)
def test_answers_may_have_any_usual_form(tmp_path: Path, answer: str, expected: list[float]) -> None:
    model = placed(tmp_path, ANSWERS.format(answer=answer), ["no", "yes"])
    np.testing.assert_allclose(model.predict({"x": [1.0, None]}, 2), [expected, expected])


def placed(directory: Path, inference: str, classes: list[str] | None) -> script.Model:
    (directory / "code/source").mkdir(parents=True)
    (directory / "code/source/inference.py").write_text(inference)
    (directory / "m.txt").write_text("1")
    return script.Model(directory, [Feature("x", "number")], classes)


def test_a_regression_answers_numbers(tmp_path: Path) -> None:
    model = placed(tmp_path, ANSWERS.format(answer="[row['x'] * 2 for row in rows]"), None)
    np.testing.assert_allclose(model.predict({"x": np.array([1.5, 2.0])}, 2), [3, 4])


def test_inference_may_have_dataclasses(tmp_path: Path) -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass M:\n    times: float = 3\n"
        "def model_fn(d): return M()\ndef predict_fn(rows, model): return [row['x'] * model.times for row in rows]\n"
    )
    assert placed(tmp_path, code, None).predict({"x": [2.0]}, 1) == [6]
    assert script.MODULE not in sys.modules


def test_what_train_leaves_where_sagemakers_examples_do_is_no_alteration(tmp_path: Path) -> None:
    """They put the code that serves below SM_MODEL_DIR/code; ours takes that place, and answers."""
    train = (
        "import os, pathlib\nhere = pathlib.Path(os.environ['SM_MODEL_DIR'])\n"
        "for name in ('code/inference.py', 'code/requirements.txt', 'manifest.json', 'm.txt'):\n"
        "    (here / name).write_text('theirs')\n"
        "import sys; sys.stderr.buffer.write(b'caf\\xe9\\n')\n"
    )
    done = job(
        tmp_path,
        "binary",
        {"train.py": train, "inference.py": ANSWERS.format(answer="['benign'] * len(rows)")},
    )
    assert done.returncode == 0, done.stderr
    manifest = artifact.read(tmp_path / "model").manifest
    assert {"m.txt", "code/source/train.py"} < set(manifest["files"])
    assert "theirs" not in (tmp_path / "model/code/inference.py").read_text()


def test_two_scripts_with_modules_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    """The champion and its challenger are loaded in one process."""
    models = []
    for number in (1, 2):
        place = tmp_path / str(number)
        (place / "code/source").mkdir(parents=True)
        (place / "code/source/helper.py").write_text(f"ANSWER = {number}")
        models.append(
            placed_with_helper(
                place,
                "import helper\ndef model_fn(d): return 0\n"
                "def predict_fn(rows, model): return [helper.ANSWER for _ in rows]\n",
            )
        )
    assert [model.predict({"x": [0.0]}, 1)[0] for model in models] == [1, 2]
    assert "helper" not in sys.modules


def placed_with_helper(directory: Path, inference: str) -> Any:
    (directory / "code/source/inference.py").write_text(inference)
    return script.Model(directory, [Feature("x", "number")], None)
