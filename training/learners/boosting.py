"""What gradient_boosting asks of XGBoost: its import, its matrices, its parameters and its progress."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.encoding import Encoder
from learners.errors import BadData
from learners.hyperparameters import Value, pairs
from learners.problem import Problem, Rows
from learners.weights import by_class

_OURS = {
    "n_estimators", "early_stopping_rounds", "refit", "min_category_rows", "max_categories", "class_weight",
    "monotone_constraints", "derive", "target_transform",
}  # fmt: skip


def engine(lean: bool = False) -> Any:
    """Import xgboost; `lean` hides scikit-learn from it while it is imported.

    XGBoost works without its scikit-learn wrappers, which we do not use, and then loads in 0.3 s and 60 MB
    instead of 1.4 s and 200 MB (3.2.0). Only programs of their own ask for it: a process may want the wrappers.
    """
    if lean and "xgboost" not in sys.modules and "sklearn" not in sys.modules:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
        try:
            import xgboost  # noqa: PLC0415
        finally:
            del sys.modules["sklearn"]
        return xgboost
    import xgboost  # noqa: PLC0415

    return xgboost


class Data:
    """Rows as XGBoost reads them: encoded, weighted by class, their target transformed."""

    def __init__(self, problem: Problem, encoder: Encoder, values: Mapping[str, Value]) -> None:
        self._encoder = encoder
        self._log = values["target_transform"] == "log1p"
        self._weights = by_class(problem, values["class_weight"])
        self._name = problem.dataset.target
        if self._weights is not None and values["scale_pos_weight"] != 1:
            raise BadData(
                "Hyperparameters: class_weight and scale_pos_weight both weigh the classes: leave one out."
            )
        if self._log and problem.dataset.classes is not None:
            raise BadData("Hyperparameters: target_transform is for regression: leave it out.")

    def matrix(self, *parts: Rows) -> Any:
        """Return the parts, one after another, as one DMatrix; raise BadData if the target has no logarithm."""
        encoded = [self._encoder.matrix(part.columns, len(part)) for part in parts]
        target: npt.NDArray[Any] = np.concatenate([part.target for part in parts])
        if self._log and target.min() <= -1:
            raise BadData(
                f"{self._name} is as low as {target.min():g}, and target_transform log1p needs more than -1."
            )
        return engine().DMatrix(
            encoded[0] if len(encoded) == 1 else np.concatenate(encoded),
            np.log1p(target) if self._log else target,
            weight=None if self._weights is None else self._weights[target],
            feature_types=self._encoder.types,
            enable_categorical=True,
        )


def parameters(
    problem: Problem, encoder: Encoder, values: Mapping[str, Value], threads: int
) -> dict[str, Any]:
    """Return XGBoost's parameters for the problem's task; raise BadData."""
    classes = len(problem.dataset.classes or ())
    given: dict[str, Any] = {name: value for name, value in values.items() if name not in _OURS}
    if classes != 2:
        del given["scale_pos_weight"]
    if rules := _monotone(encoder, values["monotone_constraints"]):
        given["monotone_constraints"] = rules
    if classes == 0:
        goal: dict[str, Any] = {"objective": "reg:squarederror", "eval_metric": "rmse"}
    elif classes == 2:
        goal = {"objective": "binary:logistic", "eval_metric": "logloss"}
    else:
        goal = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes}
    return {**given, **goal, "tree_method": "hist", "nthread": threads, "verbosity": 0}


def _monotone(encoder: Encoder, text: Value) -> tuple[int, ...] | None:
    """Return XGBoost's constraint of each column of the matrix: 1 rising, -1 falling, 0 free; raise BadData."""
    given = pairs("monotone_constraints", text)
    numbers = [f.name for f in encoder.features if f.role == "number"] + [
        made.name for made in encoder.derived
    ]
    for name, direction in given.items():
        if name not in numbers or direction not in {-1, 0, 1}:
            raise BadData(
                f"Hyperparameters: monotone_constraints has {name}={direction:g}, and must give number columns "
                f"({', '.join(numbers[:20])}) 1, -1 or 0."
            )
    return tuple(int(given.get(source, 0)) for source in encoder.sources) if given else None


def progress(say: Callable[[str], None], log: bool = False) -> Any:
    """Return the callback that says how training goes; with `log` the errors are those of logarithms (rmsle)."""

    class Progress(engine().callback.TrainingCallback):  # type: ignore[misc]
        """Says the metrics of every round, as SageMaker's own XGBoost container does."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            parts = [
                f"{split}-{'rmsle' if log and name == 'rmse' else name}:{series[-1]:.6f}"
                for split, metrics in evals_log.items()
                for name, series in metrics.items()
            ]
            say(f"[{epoch}] " + " ".join(parts))
            return False

    return Progress()
