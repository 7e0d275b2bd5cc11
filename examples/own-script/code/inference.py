"""Answers with the model train.py left, by SageMaker's contract: model_fn, input_fn, predict_fn."""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np


def model_fn(model_dir: str) -> Any:
    """Load what train.py saved."""
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body: str, content_type: str) -> list[dict[str, Any]]:
    """Return the records; Penstock has checked them against the request's schema before."""
    if content_type != "application/json":
        raise ValueError(f"content type {content_type}")
    records: list[dict[str, Any]] = json.loads(body)["instances"]
    return records


def predict_fn(records: list[dict[str, Any]], loaded: Any) -> list[dict[str, Any]]:
    """Return each record's class and the probabilities of all."""
    missing = float("nan")
    rows = [
        [missing if record[name] is None else record[name] for name in loaded["columns"]]
        for record in records
    ]
    model = loaded["model"]
    shares = model.predict_proba(np.array(rows, dtype=float))
    return [
        {
            "prediction": model.classes_[row.argmax()],
            "probabilities": dict(zip(model.classes_, row, strict=True)),
        }
        for row in shares
    ]
