"""Fits a scikit-learn pipeline to channel train, says how good it is on validation, leaves it in SM_MODEL_DIR."""

import argparse
import json
import os
from pathlib import Path

import joblib
import pandas as pd
from features import sizes
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def main() -> None:
    """Read, fit, say, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--neighbours", type=int, default=5)
    args = parser.parse_args()
    dataset = json.loads((Path(os.environ["SM_CHANNEL_DATASET"]) / "dataset.json").read_text())
    columns = [column["name"] for column in dataset["columns"] if column["role"] == "number"]
    train = pd.read_parquet(os.environ["SM_CHANNEL_TRAIN"])
    model = make_pipeline(
        SimpleImputer(),
        FunctionTransformer(sizes),
        StandardScaler(),
        KNeighborsClassifier(args.neighbours, weights="distance"),
    )
    model.fit(train[columns].to_numpy(), train[dataset["target"]])
    if validation := os.environ.get("SM_CHANNEL_VALIDATION"):
        held = pd.read_parquet(validation)
        print(f"own accuracy={model.score(held[columns].to_numpy(), held[dataset['target']]):.4f}")
    joblib.dump({"columns": columns, "model": model}, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")


if __name__ == "__main__":
    main()
