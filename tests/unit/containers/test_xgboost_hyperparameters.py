"""Hyperparameters of the XGBoost image: values, ranges, what excludes what, in the image's own words."""

import pytest

from penstock.localaws.containers.xgboost import METRICS
from penstock.localaws.containers.xgboost.errors import AlgorithmError, UserError, reason
from penstock.localaws.containers.xgboost.hyperparameters import PARAMETERS, validate

MULTI = {"objective": "multi:softmax", "num_class": "3"}
BINARY = {"objective": "binary:logistic"}
REFUSED = {
    "foo=1": "Extraneous hyperparameter found: foo",
    "eta=7": "Hyperparameter eta: 7.0 is not in [0, 1]",
    "learning_rate=-0.1": "Hyperparameter eta: -0.1 is not in [0, 1]",
    "min_split_loss=-1": "Hyperparameter gamma: -1.0 is not in [0, +inf)",
    "reg_lambda=-1": "Hyperparameter lambda: -1.0 is not in [0, +inf)",
    "reg_alpha=-1": "Hyperparameter alpha: -1.0 is not in [0, +inf)",
    "max_depth=6.5": "Hyperparameter max_depth: could not parse value (caused by ValueError)",
    "max_depth=-1": "Hyperparameter max_depth: -1 is not in [0, +inf)",
    "eta=fast": "Hyperparameter eta: could not parse value (caused by ValueError)",
    "num_round=0": "Hyperparameter num_round: 0 is not in [1, +inf)",
    "subsample=0": "Hyperparameter subsample: 0.0 is not in (0, 1]",
    "colsample_bytree=1.1": "Hyperparameter colsample_bytree: 1.1 is not in (0, 1]",
    "scale_pos_weight=0": "Hyperparameter scale_pos_weight: 0.0 is not in (0, +inf)",
    "tweedie_variance_power=2": "Hyperparameter tweedie_variance_power: 2.0 is not in (1, 2)",
    "seed=2147483647": "Hyperparameter seed: 2147483647 is not in (-2147483648, 2147483647)",
    "verbosity=4": "Hyperparameter verbosity: 4 is not in [0, 3]",
    "num_parallel_tree=0": "Hyperparameter num_parallel_tree: 0 is not in [1, +inf)",
    "csv_weights=2": "Hyperparameter csv_weights: 2 is not in [0, 1]",
    "prob_buffer_row=1": "Hyperparameter prob_buffer_row: 1 is not in (1.0, +inf)",
    "booster=forest": "Hyperparameter booster: forest is not in ['gbtree', 'gblinear', 'dart']",
    "tree_method=fast": "Hyperparameter tree_method: fast is not in ['auto', 'exact', 'approx', 'hist', 'gpu_hist']",
    "save_model_on_termination=yes": "Hyperparameter save_model_on_termination: yes is not in ['true', 'false']",
    "objective=reg:none": "Hyperparameter objective: reg:none is not in ['aft_loss_distribution', 'binary:logistic',",
    "objective=multi:softprob": "Require input for parameter 'num_class' for multi-classification",
    "_kfold=1": "Hyperparameter _kfold: 1 is not in [2, +inf)",
    "_tuning_objective_metric=train:auc": "Hyperparameter _tuning_objective_metric: train:auc is not in [",
    "eval_metric=speed&objective=reg:gamma": "Hyperparameter eval_metric: value ['speed'] not in range ['accuracy',",
    "eval_metric=rmse@3&objective=reg:gamma": "Metric 'rmse@3' is not supported. Parameter 'eval_metric' with",
    "eval_metric=error@x&objective=reg:gamma": "Threshold value 't' in 'error@t' expects float input.",
    "eval_metric=<function f>&objective=reg:gamma": "User defined evaluation metric <function f> is not supported yet.",
    "eval_metric=auc&objective=count:poisson": "Metric 'auc' can only be applied for classification and ranking",
    "eval_metric=auc&objective=multi:softmax&num_class=3": "Metric 'auc' can only be applied for classification",
    "eval_metric=aft-nloglik&objective=reg:squarederror": "Metric 'aft-nloglik' can only be applied for",
    "updater=sync,prune,what": "Hyperparameter updater: value ['sync', 'prune', 'what'] not in range",
    "updater=shotgun": "Tree updater should be selected from these options:",
    "updater=distcol,grow_colmaker": "Only one tree grow plugin can be selected.",
    "updater=prune&booster=gblinear": "Linear updater should be one of these options: 'shotgun', 'coord_descent'.",
    "updater=sync&process_type=update": "process_type 'update' can only be used with updater 'refresh' and 'prune'",
    "monotone_constraints=(1,2)&tree_method=hist": "Hyperparameter monotone_constraints: value (1, 2) not in range",
    "monotone_constraints=(1,0)&tree_method=auto": "monotone_constraints can be used only when the tree_method",
    "interaction_constraints=[[1,2]]": "interaction_constraints can be used only when the tree_method parameter",
    "interaction_constraints=[[0]]&tree_method=hist": "Hyperparameter interaction_constraints: value [[0]] not in",
    "monotone_constraints=__import__('os')&tree_method=hist": "could not parse value",
}  # fmt: skip


def given(text: str) -> dict[str, str]:
    """`a=1&b=2` as hyperparameters, with num_round unless it is among them."""
    return {"num_round": "2", **dict(pair.split("=", 1) for pair in text.split("&"))}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_image_refuses_is_refused_in_its_words(case):
    with pytest.raises(UserError) as refused:
        validate(given(case))
    assert REFUSED[case] in str(refused.value)
    assert reason(refused.value).startswith("ClientError: ")


def test_num_round_is_required_and_said_first():
    with pytest.raises(UserError, match=r"^Missing required hyperparameter: num_round$"):
        validate({"foo": "1"})


def test_values_are_converted_and_aliases_resolved():
    read = validate(
        given(
            "learning_rate=0.3&max_depth=4&eval_metric=auc,error@0.7&objective=binary:logistic&alpha=1"
            "&updater=grow_histmaker,prune&monotone_constraints=(1,-1)&tree_method=hist"
            "&interaction_constraints=[[1,2],[3]]&_tuning_objective_metric=validation:auc&seed=-5"
        )
    )
    assert read == {
        "num_round": 2,
        "eta": 0.3,
        "max_depth": 4,
        "eval_metric": ["auc", "error@0.7"],
        "objective": "binary:logistic",
        "alpha": 1.0,
        "updater": ["grow_histmaker", "prune"],
        "monotone_constraints": (1, -1),
        "tree_method": "hist",
        "interaction_constraints": [[1, 2], [3]],
        "_tuning_objective_metric": "validation:auc",
        "seed": -5,
    }


def test_eval_metric_without_objective_fails_as_in_the_image():
    """There it is a bare KeyError, so no fault of the client's in the job's FailureReason."""
    with pytest.raises(AlgorithmError, match="KeyError: 'objective'") as refused:
        validate(given("eval_metric=rmse"))
    assert reason(refused.value).startswith("AlgorithmError: ")


def test_metric_definitions_are_the_images():
    assert METRICS["validation:auc"] == r".*\[[0-9]+\].*#011validation-auc:(\S+)"
    assert len(METRICS) == 33
    assert len(PARAMETERS) == 53


def test_old_images_know_silent():
    assert validate({"num_round": "1", "silent": "0"}, legacy=True) == {"num_round": 1}
    with pytest.raises(UserError, match="silent: 2 is not in"):
        validate({"num_round": "1", "silent": "2"}, legacy=True)
    with pytest.raises(UserError, match="Extraneous hyperparameter found: silent"):
        validate({"num_round": "1", "silent": "0"})
