"""The learners, by the name a project gives. A learner is a module with `fit`, `load` and `HYPERPARAMETERS`.

`fit` gives a model, `finish` the one to ship, `load` one that was saved; what all three return is `artifact.Model`.
One that can go on from an earlier model also has `resume` (load it so), `changed` (why it cannot), `fit(…, start=…)`.
"""

import importlib
from types import ModuleType

from learners.errors import BadData

LEARNERS = {
    "curve": "learners.curve",
    "gradient_boosting": "learners.gradient_boosting",
    "text_forest": "learners.text_forest",
    "script": "learners.script",
    "text_cnn": "learners.text_cnn",
    "text_linear": "learners.text_linear",
    "text_sequence": "learners.text_sequence",
    "word_vectors": "learners.word_vectors",
}


def get(name: str) -> ModuleType:
    """Return the learner's module, imported only now since each pulls in its own engine; raise BadData."""
    if name not in LEARNERS:
        raise BadData(
            f"There is no learner {name!r}: set learner.name to one of {', '.join(sorted(LEARNERS))}."
        )
    return importlib.import_module(LEARNERS[name])
