"""Trains a model in SageMaker script mode: channels train, validation and dataset → model directory.

A channel `model` holds an earlier model.tar.gz to go on from, where the learner and the data allow it.

Started as `python train.py --learner gradient_boosting --max_depth 6 …`. Exit 1 and the failure file say what is wrong
with the data or the settings. Metrics are printed one a line, `validation:auc=0.93`, for MetricDefinitions.
"""

import importlib.metadata
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from container import Container, ensure_requirements

HERE = Path(__file__).resolve().parent
DEFAULT_LEARNER = "gradient_boosting"
_LIBRARIES = ("numpy", "pyarrow", "xgboost", "xgboost-cpu", "scikit-learn", "scipy")


def main(arguments: Sequence[str]) -> None:
    """Train as the container says; end the process with code 1 on data errors."""
    container = Container()
    given = container.hyperparameters(arguments)
    ensure_requirements(given.get("learner", DEFAULT_LEARNER))
    from learners.errors import BadData  # noqa: PLC0415 - numpy may just have been installed

    try:
        train(container, given)
    except BadData as error:
        container.fail("BadData", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the job must say it
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        container.fail(type(error).__name__, str(error))


def train(container: Container, given: Mapping[str, str]) -> None:
    """Fit the learner the hyperparameters name and write the model directory; raise BadData."""
    import learners  # noqa: PLC0415
    from learners import artifact, gradient_boosting, warm_start  # noqa: PLC0415

    started = time.perf_counter()
    name = given.get("learner", DEFAULT_LEARNER)
    learner = learners.get(name)
    own = {key: value for key, value in given.items() if key not in ("learner", "project", "run")}
    if name == "gradient_boosting":
        gradient_boosting.engine(lean=True)
    problem = _problem(container)
    print(
        f"{name} on {len(problem.train)} rows of {problem.dataset.project} version {problem.dataset.version}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as scratch:
        start, origin = warm_start.start(
            container.channel("model"), learner, problem, own, Path(scratch), _say
        )
    more = {
        **({"start": start} if start else {}),
        **(learner.needs(container) if hasattr(learner, "needs") else {}),
    }
    model = learner.fit(problem, own, _say, container.cores, **more)
    metrics = _measure(model, problem)
    model = learner.finish(model, problem, own, _say, container.cores)
    about = _about(problem.dataset, given, name, own, metrics, learner) | {"started_from": origin}
    artifact.write(container.model_dir, model, about, HERE)
    print(f"trained in {time.perf_counter() - started:.2f} s", flush=True)


def _problem(container: Container) -> Any:
    import tables  # noqa: PLC0415
    from learners import problem  # noqa: PLC0415
    from learners.errors import BadData  # noqa: PLC0415

    train_dir, dataset_dir = container.channel("train"), container.channel("dataset")
    if train_dir is None or dataset_dir is None:
        raise BadData("The job needs the channels train and dataset: name both in InputDataConfig.")
    dataset = tables.read_dataset(dataset_dir)
    validation_dir = container.channel("validation")
    validation = (
        tables.read(validation_dir) if validation_dir and any(validation_dir.rglob("*.parquet")) else None
    )
    return problem.problem(dataset, tables.read(train_dir), validation, _say)


def _measure(model: Any, problem: Any) -> dict[str, float]:
    """Print each split's metrics, one a line, and return those of validation (of train if there is none)."""
    from judge import metrics  # noqa: PLC0415

    if problem.dataset.task == "embeddings":
        return _measure_words(model, problem)
    measure = metrics.regression if problem.dataset.task == "regression" else metrics.classification
    found: dict[str, float] = {}
    for split, rows in (("train", problem.train), ("validation", problem.validation)):
        if rows is not None:
            found = measure(rows.target, model.predict(rows.columns, len(rows)))
            for name, value in found.items():
                print(f"{split}:{name}={value:.6f}", flush=True)
    return found


def _measure_words(model: Any, problem: Any) -> dict[str, float]:
    """Print and return what word vectors achieve on the validation texts; nothing without them."""
    from judge import words  # noqa: PLC0415
    from learners.text_features import joined  # noqa: PLC0415

    rows, names = problem.validation, [feature.name for feature in model.features]
    if rows is None:
        return {}
    found = words.measured(model, words.questions(joined(rows.columns, names, len(rows)), {}))
    for name, value in found.items():
        print(f"validation:{name}={value:.6f}", flush=True)
    return found


def _about(
    dataset: Any,
    given: Mapping[str, str],
    name: str,
    own: Mapping[str, str],
    metrics: Mapping[str, float],
    learner: Any,
) -> dict[str, Any]:
    """Return the manifest's account of how the model came about."""
    from learners import hyperparameters  # noqa: PLC0415

    return {
        "learner": name,
        "task": dataset.task,
        "classes": dataset.classes,
        "target": dataset.target,
        "project": given.get("project", dataset.project),
        "run": given.get("run", ""),
        "dataset": {
            "project": dataset.project,
            "version": dataset.version,
            "rows": dataset.rows,
            "split": dataset.split,
        },
        "hyperparameters": hyperparameters.parse(own, learner.HYPERPARAMETERS, learner.ALIASES),
        "metrics": dict(metrics),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
