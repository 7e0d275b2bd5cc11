"""The model of $MODEL as every server of the comparison asks it, and the answer all of them give."""

import json
import os
from pathlib import Path

import numpy as np


class Text:
    """A scikit-learn pipeline over texts: {"text": …}."""

    def __init__(self, directory):
        import joblib  # noqa: PLC0415 - one of the two

        self.model = joblib.load(directory / "model.joblib")
        self.classes = self.model.classes_.tolist()

    def answer(self, document):
        """The answer to a request's document."""
        return said(self.model.predict_proba([document["text"]]), self.classes)


class Rows:
    """An XGBoost classifier over rows of numbers: {"instances": [[…]]}."""

    def __init__(self, directory):
        import xgboost  # noqa: PLC0415 - one of the two

        self.model = xgboost.XGBClassifier(n_jobs=1)
        self.model.load_model(directory / "model.ubj")
        self.classes = self.model.classes_.tolist()

    def answer(self, document):
        """The answer to a request's document."""
        return said(self.model.predict_proba(np.asarray(document["instances"], np.float32)), self.classes)


def said(probabilities, classes):
    """Class, its probability and all probabilities of each row."""
    return {
        "predictions": [
            {
                "prediction": classes[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": {str(name): float(one) for name, one in zip(classes, row, strict=True)},
            }
            for row in probabilities
        ]
    }


def load():
    """The model of the environment."""
    directory = Path(os.environ["MODEL"])
    return Rows(directory) if (directory / "model.ubj").is_file() else Text(directory)


CONSTANT = json.dumps(
    {
        "predictions": [
            {"prediction": "neutral", "score": 0.5, "probabilities": {"neutral": 0.5, "other": 0.5}}
        ]
    }
).encode()
