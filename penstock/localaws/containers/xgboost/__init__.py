"""The XGBoost image in algorithm mode. This file is imported by the server: it must stay light.

Read in this order: hyperparameters, channels, data, scores, boosting, train; for serving decoding, answers, inference.
Behaviour and texts follow the sources of AWS's image (aws/sagemaker-xgboost-container, 3.2).
"""

MAXIMIZE = (
    "accuracy",
    "auc",
    "aucpr",
    "balanced_accuracy",
    "f1",
    "f1_binary",
    "f1_macro",
    "map",
    "ndcg",
    "precision",
    "r2",
    "recall",
    "precision_macro",
    "precision_micro",
    "recall_macro",
    "recall_micro",
)  # evaluation metrics of which more is better
MINIMIZE = (
    "aft-nloglik",
    "cox-nloglik",
    "error",
    "gamma-deviance",
    "gamma-nloglik",
    "interval-regression-accuracy",
    "logloss",
    "mae",
    "mape",
    "merror",
    "mlogloss",
    "mphe",
    "mse",
    "poisson-nloglik",
    "rmse",
    "rmsle",
    "tweedie-nloglik",
)  # and those of which less is

# name → regular expression, as the image's own metric definitions
METRICS: dict[str, str] = {
    f"validation:{metric}": rf".*\[[0-9]+\].*#011validation-{metric}:(\S+)" for metric in MAXIMIZE + MINIMIZE
}
# SAGEMAKER_TRAINING_MODULE of the images before 0.90-1 (repository `xgboost`), which a few things are different in.
LEGACY = "algorithm.train:main"
MODEL = "xgboost-model"  # the model's file; with cross validation it is xgboost-model-0, -1, …
