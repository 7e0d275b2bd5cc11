"""A script for the XGBoost container: train and serve in one file."""

import argparse
import os

import numpy as np
import xgboost as xgb


def model_fn(model_dir):
    """The booster that training left."""
    booster = xgb.Booster()
    booster.load_model(os.path.join(model_dir, "model.ubj"))
    return booster


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num_round", type=int)
    parser.add_argument("--eta", type=float)
    parser.add_argument("--objective")
    args = parser.parse_args()
    rows = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
    train = xgb.DMatrix(rows[:, 1:], rows[:, 0])
    settings = {"eta": args.eta, "objective": args.objective, "eval_metric": "error"}
    booster = xgb.train(settings, train, args.num_round, evals=[(train, "train")])
    booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "model.ubj"))
