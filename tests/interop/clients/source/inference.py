"""An inference script as the scikit-learn container wants it."""

import os

import joblib


def model_fn(model_dir):
    """The model that train.py left."""
    return joblib.load(os.path.join(model_dir, "model.joblib"))
