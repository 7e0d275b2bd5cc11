"""The hyperparameters of the XGBoost image in algorithm mode: which there are, what they may be, what excludes what."""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.containers.xgboost import MAXIMIZE, METRICS, MINIMIZE
from penstock.localaws.containers.xgboost.errors import AlgorithmError, UserError
from penstock.localaws.containers.xgboost.parameters import (
    Interval,
    Parameter,
    choice,
    integer,
    literal,
    number,
    words,
)

ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
_TREE_BUILDERS = ("grow_colmaker", "distcol", "grow_histmaker", "grow_quantile_histmaker")
_TREE_UPDATERS = (*_TREE_BUILDERS, "grow_skmaker", "sync", "refresh", "prune")
_LINEAR_UPDATERS = ("shotgun", "coord_descent")
_WITH_THRESHOLD = ("error", "ndcg", "map")
_UPDATERS = [
    "grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "sync", "refresh", "prune", "grow_colmaker",
    "distcol", "grow_histmaker", "grow_colmaker", "shotgun", "coord_descent", "refresh", "prune",
]  # fmt: skip
OBJECTIVES = (
    "aft_loss_distribution", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax",
    "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic",
    "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft",
    "survival:cox",
)  # fmt: skip


class _Metrics:
    """The evaluation metrics, some of which may be followed by a threshold: error@0.7."""

    names = (*MAXIMIZE, *MINIMIZE)

    def __contains__(self, metric: Any) -> bool:
        if "<function" in metric:
            raise UserError(f"User defined evaluation metric {metric} is not supported yet.")
        if "@" not in metric:
            return metric in self.names
        name, threshold = (part.strip() for part in metric.split("@")[:2])
        if name not in _WITH_THRESHOLD:
            raise UserError(
                f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should "
                "be one of these options: 'error', 'ndcg', 'map'."
            )
        try:
            float(threshold)
        except ValueError:
            raise UserError(f"Threshold value 't' in '{name}@t' expects float input.") from None
        return True

    def __str__(self) -> str:
        return str(list(self.names))


def _check_updater(value: list[str], given: Mapping[str, Any]) -> None:
    if given.get("booster") == "gblinear":
        if len(value) != 1 or value[0] not in _LINEAR_UPDATERS:
            raise UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif given.get("process_type") == "update":
        if not all(one in ("refresh", "prune") for one in value):
            raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
    else:
        _check_tree_updater(value)


def _check_tree_updater(value: list[str]) -> None:
    if not all(one in _TREE_UPDATERS for one in value):
        raise UserError(
            "Tree updater should be selected from these options: 'grow_colmaker', 'distcol', 'grow_histmaker', "
            "'grow_skmaker', 'grow_quantile_histmaker', 'sync', 'refresh', 'prune', "
            "'shortgun', 'coord_descent'."
        )
    if sum(one in _TREE_BUILDERS for one in value) > 1:
        raise UserError(
            "Only one tree grow plugin can be selected. Choose one from the"
            "following: 'grow_colmaker', 'distcol', 'grow_histmaker', 'grow_skmaker'"
        )


def _check_objective(value: str, given: Mapping[str, Any]) -> None:
    if value in ("multi:softmax", "multi:softprob") and given.get("num_class") is None:
        raise UserError("Require input for parameter 'num_class' for multi-classification")


def _check_eval_metric(value: list[str], given: Mapping[str, Any]) -> None:
    objective = given.get("objective")
    if objective is None:  # AWS's image ends here with a bare KeyError: 'objective'
        raise AlgorithmError("KeyError: 'objective': eval_metric needs the hyperparameter objective besides")
    if "auc" in value and not objective.startswith(("binary:", "rank:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in value and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")


def _check_monotone(_value: Any, given: Mapping[str, Any]) -> None:
    if given.get("tree_method") not in ("exact", "hist"):
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to "
            "either 'exact' or 'hist'."
        )


def _check_interaction(_value: Any, given: Mapping[str, Any]) -> None:
    if given.get("tree_method") not in ("exact", "hist", "approx"):
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to "
            "either 'exact', 'hist' or 'approx'."
        )


def _inner(value: Any) -> list[Any]:
    return [element for outer in value for element in outer]


PARAMETERS: Mapping[str, Parameter] = {
    one.name: one
    for one in (
        integer("num_round", 1, required=True),
        integer("csv_weights", 0, 1),
        integer("early_stopping_rounds", 1),
        choice("booster", "gbtree", "gblinear", "dart"),
        integer("verbosity", 0, 3),
        integer("nthread", 1),
        number("eta", 0, 1),
        number("gamma", 0),
        integer("max_depth", 0),
        number("min_child_weight", 0),
        number("max_delta_step", 0),
        number("subsample", 0, 1, low_open=True),
        number("colsample_bytree", 0, 1, low_open=True),
        number("colsample_bylevel", 0, 1, low_open=True),
        number("colsample_bynode", 0, 1, low_open=True),
        number("lambda", 0),
        number("alpha", 0),
        choice("tree_method", "auto", "exact", "approx", "hist", "gpu_hist"),
        number("sketch_eps", 0, 1, low_open=True, high_open=True),
        number("scale_pos_weight", 0, low_open=True),
        words("updater", _UPDATERS, _check_updater),
        choice("dsplit", "row", "col"),
        integer("refresh_leaf", 0, 1),
        choice("process_type", "default", "update"),
        choice("grow_policy", "depthwise", "lossguide"),
        integer("max_leaves", 0),
        integer("max_bin", 0),
        choice("predictor", "auto", "cpu_predictor", "gpu_predictor"),
        Parameter("monotone_constraints", literal, [-1, 0, 1], parts=list, check=_check_monotone),
        Parameter("interaction_constraints", literal, Interval(1), parts=_inner, check=_check_interaction),
        choice("sample_type", "uniform", "weighted"),
        choice("normalize_type", "tree", "forest"),
        number("rate_drop", 0, 1),
        integer("one_drop", 0, 1),
        number("skip_drop", 0, 1),
        number("lambda_bias", 0, 1),
        number("tweedie_variance_power", 1, 2, low_open=True, high_open=True),
        choice("objective", *OBJECTIVES, check=_check_objective),
        integer("num_class", 2),
        number("base_score", 0),
        integer("_kfold", 2),
        integer("_num_cv_round", 1),
        choice("_tuning_objective_metric", *METRICS),
        words("eval_metric", _Metrics(), _check_eval_metric),
        integer("seed", -(2**31), 2**31 - 1, is_open=True),
        integer("num_parallel_tree", 1),
        choice("save_model_on_termination", "true", "false"),
        choice("aft_loss_distribution", "normal", "logistic", "extreme"),
        number("aft_loss_distribution_scale", 0),
        choice("deterministic_histogram", "true", "false"),
        choice("sampling_method", "uniform", "gradient_based"),
        Parameter("prob_buffer_row", int, Interval(1.0, low_open=True)),
        choice("use_dask_gpu_training", "true", "false"),
    )
}


_SILENT = integer("silent", 0, 1)


def validate(given: Mapping[str, str], *, legacy: bool = False) -> dict[str, Any]:
    """The hyperparameters by their real names, as values; raises UserError for the first that will not do.

    `legacy`: the image is one of those that know `silent`, which says nothing to us.
    """
    if legacy and "silent" in given:
        _SILENT.validate(_SILENT.read(given["silent"]))
        given = {name: text for name, text in given.items() if name != "silent"}
    texts = {ALIASES.get(name, name): text for name, text in given.items()}
    for parameter in PARAMETERS.values():
        if parameter.required and parameter.name not in texts:
            raise UserError(f"Missing required hyperparameter: {parameter.name}")
    values = {name: _known(name).read(text) for name, text in texts.items()}
    for name, value in values.items():
        PARAMETERS[name].validate(value)
    for name, value in values.items():
        check = PARAMETERS[name].check
        if check is not None:
            check(value, values)
    return values


def _known(name: str) -> Parameter:
    if name not in PARAMETERS:
        raise UserError(f"Extraneous hyperparameter found: {name}")
    return PARAMETERS[name]
