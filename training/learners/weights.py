"""How much each class counts: `balanced`, or weights given by name."""

import numpy as np
import numpy.typing as npt

from learners.errors import BadData
from learners.hyperparameters import Text, Value, pairs
from learners.problem import Problem

CLASS_WEIGHT = Text("none", "none, balanced, or weights by class: yes=2, no=1 (a class not named has 1)")


def by_class(problem: Problem, wanted: Value) -> npt.NDArray[np.float64] | None:
    """Return a weight for each class, or None when all count the same; raise BadData.

    `balanced` is scikit-learn's: rows / (classes with rows x rows of the class), so that all classes weigh the same.
    """
    if str(wanted).lower() == "none":
        return None
    classes = problem.dataset.classes
    if classes is None:
        raise BadData(
            "Hyperparameters: class_weight is for classification, and the task is regression: leave it out."
        )
    if str(wanted).lower() == "balanced":
        counts = np.bincount(problem.train.target, minlength=len(classes))
        there = np.count_nonzero(counts)
        return np.where(counts > 0, len(problem.train) / (there * np.maximum(counts, 1)), 1.0)
    given = pairs("class_weight", wanted)
    strange = [name for name in given if name not in classes]
    if strange or any(weight <= 0 for weight in given.values()):
        raise BadData(
            f"Hyperparameters: class_weight is {given}, and must give the classes {classes} weights above 0"
            + (f"; {strange} is none of them." if strange else ".")
        )
    return np.array([given.get(name, 1.0) for name in classes])
