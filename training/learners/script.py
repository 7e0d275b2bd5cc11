"""The user's own train.py and inference.py, as SageMaker's script mode runs them: any model, judged and served as ours.

train.py is run with the channels train, validation and dataset in SM_CHANNEL_*, the hyperparameters as arguments, and
leaves its model in SM_MODEL_DIR. The test rows are not among them: a model is judged on what its maker has not seen.
inference.py has model_fn and predict_fn, perhaps input_fn and output_fn. Requests are checked before they reach it.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from learners.errors import BadData
from learners.hyperparameters import ANY, Known, Text
from learners.problem import Floats, Problem, Table
from learners.schema import Feature

ABOUT, SOURCE, MANIFEST = "script.json", "code/source", "manifest.json"
TRAIN, INFERENCE, REQUIREMENTS = "train.py", "inference.py", "requirements.txt"
HYPERPARAMETERS: Known = {ANY: Text("", "passed to train.py as --name value")}
ALIASES: dict[str, str] = {}
JSON = "application/json"
MODULE = "script_inference"
_KEPT_LINES = 5  # of what train.py said last, told when it fails


class Model:
    """What the user's model_fn returned, behind the user's input_fn, predict_fn and output_fn."""

    importance: Sequence[tuple[str, float]] = ()

    def __init__(self, directory: Path, features: Sequence[Feature], classes: Sequence[str] | None) -> None:
        self.features = list(features)
        self.importance = []
        self._classes = None if classes is None else list(classes)
        self._directory = directory
        self._functions, self._model = _loaded(directory)

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) probabilities, or (rows,) values for regression; raise BadData on other answers."""
        names = [feature.name for feature in self.features]
        parts = [columns[name] if name in columns else [None] * rows for name in names]
        records = [
            {name: plain(value) for name, value in zip(names, row, strict=True)}
            for row in zip(*parts, strict=True)
        ]
        answers = self._answers(records) if rows else []
        if len(answers) != rows:
            raise BadData(
                f"{INFERENCE} gave {len(answers)} answers to {rows} records: give one each, in their order."
            )
        if self._classes is None:
            return np.array([_value(answer) for answer in answers], dtype=np.float64)
        shares = [_probabilities(answer, self._classes) for answer in answers]
        return np.array(shares, dtype=np.float64).reshape(rows, len(self._classes))

    def _answers(self, records: list[dict[str, Any]]) -> list[Any]:
        use = self._functions
        body = json.dumps({"instances": records})
        data = use.input_fn(body, JSON) if hasattr(use, "input_fn") else records
        answer = use.predict_fn(data, self._model)
        if hasattr(use, "output_fn"):
            answer = use.output_fn(answer, JSON)
            answer = answer[0] if isinstance(answer, tuple) else answer
            answer = json.loads(answer) if isinstance(answer, str | bytes) else answer
        answer = answer["predictions"] if isinstance(answer, Mapping) and "predictions" in answer else answer
        return list(answer.tolist() if hasattr(answer, "tolist") else answer)

    def save(self, directory: Path) -> list[str]:
        """Write what is needed to load; return its name and those of the files train.py and its archive left.

        What SageMaker's examples put there for a server, code/inference.py and the like, gives way to ours.
        """
        about = {"features": [feature.document() for feature in self.features], "classes": self._classes}
        (directory / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
        left = (path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        names = sorted(path.relative_to(directory).as_posix() for path in left)
        return [name for name in names if name != MANIFEST and not _ours(name)]


def _ours(name: str) -> bool:
    return name.startswith("code/") and not name.startswith(f"{SOURCE}/")


def load(directory: Path) -> Model:
    """Return the model `save` wrote; raise BadData if inference.py cannot load it."""
    about = json.loads((directory / ABOUT).read_text(encoding="utf-8"))
    return Model(directory, [Feature(**feature) for feature in about["features"]], about["classes"])


def needs(container: Any) -> dict[str, Any]:
    """Return what `fit` needs of the container besides the problem."""
    given = {name: container.channel(name) for name in ("train", "validation", "dataset")}
    channels = {f"SM_CHANNEL_{name.upper()}": str(place) for name, place in given.items() if place}
    return {"source": container.channel("source"), "model_dir": container.model_dir, "channels": channels}


def fit(
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,
    *,
    source: Path | None,
    model_dir: Path,
    channels: Mapping[str, str],
) -> Model:
    """Unpack the archive in channel `source`, run its train.py, and return the model it left; raise BadData."""
    code = model_dir / SOURCE
    _unpack(source, code)
    install(code / REQUIREMENTS)
    arguments = [word for name, value in hyperparameters.items() for word in (f"--{name}", value)]
    settings = {
        "SM_MODEL_DIR": str(model_dir),
        "SM_NUM_CPUS": str(threads),
        "SM_HPS": json.dumps(dict(hyperparameters)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    _run([sys.executable, TRAIN, *arguments], code, {**os.environ, **channels, **settings})
    for leftover in code.rglob("__pycache__"):
        shutil.rmtree(leftover)
    say(f"{TRAIN} is done")
    columns = [column for column in problem.dataset.features if column.name in problem.train.columns]
    features = [Feature(c.name, c.role, c.format, list(c.null_values)) for c in columns]
    return Model(model_dir, features, problem.dataset.classes)


def finish(
    model: Model,
    problem: Problem,  # noqa: ARG001 - as every learner's
    hyperparameters: Mapping[str, str],  # noqa: ARG001
    say: Callable[[str], None],  # noqa: ARG001
    threads: int = 1,  # noqa: ARG001
) -> Model:
    """Return the model as it is: whether to fit on train and validation together is the script's own choice."""
    return model


def install(requirements: Path) -> None:
    """Install what the archive's requirements.txt asks for and the image lacks; nothing is asked for twice."""
    if not requirements.is_file():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadData(f"{REQUIREMENTS} cannot be installed: {done.stderr.strip()[-400:]}")


def plain(value: Any) -> Any:
    """Return a cell as JSON has it: missing is null, a date is ISO 8601."""
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT equal nothing
        return None
    if isinstance(value, np.generic):
        return str(value) if value.dtype.kind == "M" else value.item()
    return value.isoformat() if isinstance(value, date) else value


def _unpack(source: Path | None, code: Path) -> None:
    if source is None:
        raise BadData(
            "script needs its code: name the archive's key below drop/<project>/ as learner.source."
        )
    archives = sorted(path for path in source.rglob("*") if path.is_file())
    if not archives:
        raise BadData("learner.source names no archive that is there: upload it below drop/<project>/ first.")
    try:
        with tarfile.open(archives[0]) as packed:
            packed.extractall(code, filter="data")  # refuses paths outside
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadData(f"{archives[0].name} cannot be unpacked ({error}): make it with tar czf.") from error
    lacking = [name for name in (TRAIN, INFERENCE) if not (code / name).is_file()]
    if lacking:
        found = ", ".join(sorted(path.name for path in code.iterdir())[:10]) or "nothing"
        raise BadData(
            f"{archives[0].name} has no {' and no '.join(lacking)} at its top, but {found}: pack it from there."
        )


def _run(command: Sequence[str], place: Path, environment: Mapping[str, str]) -> None:
    """Run train.py; what it prints is the job's log. Raise BadData with its last words if it fails."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        command, cwd=place, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        for line in process.stderr or ():
            print(line, end="", file=sys.stderr, flush=True)
            last.append(line.strip())
    if process.returncode:
        raise BadData(
            f"{TRAIN} ended with status {process.returncode}: {' | '.join(filter(None, last))[-800:]}"
        )


def _loaded(directory: Path) -> tuple[ModuleType, Any]:
    """Return the user's inference module and what its model_fn makes of the model directory.

    Its folder comes first on the path while it loads, so that its own modules are found; they are taken out of
    sys.modules again, because a champion may bring others of the same names.
    """
    place = directory / SOURCE
    before = set(sys.modules)
    sys.path.insert(0, str(place))
    try:
        spec = importlib.util.spec_from_file_location(MODULE, place / INFERENCE)
        if spec is None or spec.loader is None:
            raise BadData(f"{SOURCE}/{INFERENCE} is not there.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up by its name
        spec.loader.exec_module(module)
        if lacking := [name for name in ("model_fn", "predict_fn") if not hasattr(module, name)]:
            raise BadData(
                f"{INFERENCE} has no {' and no '.join(lacking)}: SageMaker's contract asks for them."
            )
        return module, module.model_fn(str(directory))
    except BadData:
        raise
    except Exception as error:
        raise BadData(f"{INFERENCE} cannot load its model: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(place))
        sys.path.append(str(place))  # for what its functions import later
        sys.modules.pop(MODULE, None)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(place)):
                del sys.modules[name]


def _value(answer: Any) -> float:
    try:
        return float(answer["prediction"] if isinstance(answer, Mapping) else answer)
    except (TypeError, ValueError, KeyError):
        raise BadData(
            f'{INFERENCE} answers {answer!r:.80}: give a number or {{"prediction": number}}.'
        ) from None


def _probabilities(answer: Any, classes: Sequence[str]) -> list[float]:
    """Return one answer as probabilities in class order: they themselves, by name, or a class with its score."""
    if isinstance(answer, Sequence) and not isinstance(answer, str) and len(answer) == len(classes):
        return [float(share) for share in answer]
    told = answer if isinstance(answer, Mapping) else {"prediction": answer}
    if isinstance(told.get("probabilities"), Mapping):
        return [float(told["probabilities"].get(name, 0.0)) for name in classes]
    if str(told.get("prediction")) not in classes:
        raise BadData(
            f"{INFERENCE} answers {answer!r:.80}: give a class ({', '.join(classes[:10])}), "
            '{"prediction": class, "score": …} or probabilities in the order of the classes.'
        )
    score = float(told.get("score", 1.0))
    rest = (1.0 - score) / max(len(classes) - 1, 1)
    return [score if name == str(told["prediction"]) else rest for name in classes]
