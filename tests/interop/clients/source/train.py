"""A training script as the SDK's examples have it: arguments are hyperparameters, channels are directories."""

import argparse
import os
import time

import colours
import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--penalty", type=float, default=1.0)
    parser.add_argument("--max-iter", type=int, default=100)
    parser.add_argument("--sleep", type=int, default=0)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
    args = parser.parse_args()
    print(
        "installed from requirements.txt:", colours.BLUE, "; from the environment:", os.environ.get("COLOUR")
    )
    time.sleep(args.sleep)

    train = pd.read_csv(os.path.join(args.train, "train.csv"), header=None)
    model = LogisticRegression(C=args.penalty, max_iter=args.max_iter)
    model.fit(train.iloc[:, 1:].to_numpy(), train.iloc[:, 0])
    validation = pd.read_csv(os.path.join(args.validation, "validation.csv"), header=None)
    accuracy = model.score(validation.iloc[:, 1:].to_numpy(), validation.iloc[:, 0])
    print(f"validation-accuracy: {accuracy:.4f}")
    joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
