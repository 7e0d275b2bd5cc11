"""What a tuning request is refused for, at each limit and one beyond it."""

from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.tuning import checks, children, requested
from penstock.localaws.sagemaker.tuning.state import Hyperband

RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
BLAZINGTEXT = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


def integer(low: str = "1", high: str = "10000", name: str = "n", **more: str) -> dict[str, Any]:
    return {"IntegerParameterRanges": [{"Name": name, "MinValue": low, "MaxValue": high, **more}]}


def continuous(low: str = "0", high: str = "1", **more: str) -> dict[str, Any]:
    return {"ContinuousParameterRanges": [{"Name": "n", "MinValue": low, "MaxValue": high, **more}]}


def categories(count: int, name: str = "c") -> dict[str, Any]:
    return {"Name": name, "Values": [str(at) for at in range(count)]}


def request(ranges: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A request that is in order; keys of the configuration, `limits` and `definition` change it."""
    definition = {
        "StaticHyperParameters": {},
        "AlgorithmSpecification": {
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
        },
        "ResourceConfig": RESOURCES,
        **changes.pop("definition", {}),
    }
    limits = {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2, **changes.pop("limits", {})}
    config = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {key: value for key, value in limits.items() if value is not None},
        "ParameterRanges": continuous() if ranges is None else ranges,
        **changes,
    }
    return {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": definition}


def refused(asked: dict[str, Any], code: str = "ValidationException") -> str:
    with pytest.raises(ServiceError) as caught:
        checks.check(asked)
    assert caught.value.code == code
    return str(caught.value.message)


def test_a_request_in_order_is_taken() -> None:
    checks.check(request())


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ({}, "at least one hyperparameter range"),
        (integer("5", "4"), "minimum value [5]"),
        (integer("1.5", "4"), "MinValue [1.5] of the integer hyperparameter [n]"),
        (integer("1", "1e3"), "MaxValue [1e3]"),
        (integer("1", "9" * 200), "isn't a valid integer value"),
        (continuous("nan", "1"), "isn't a valid continuous value"),
        (continuous("0", "inf"), "isn't a valid continuous value"),
        (continuous("a", "1"), "isn't a valid continuous value"),
        (continuous("0", "1_0"), "isn't a valid continuous value"),
        (continuous("0", "1e999"), "isn't a valid continuous value"),
        (integer("1_0", "20"), "isn't a valid integer value"),
        (integer("1", " 5"), "isn't a valid integer value"),
        (integer("1", "\u0663"), "isn't a valid integer value"),
        (continuous(ScalingType="Logarithmic"), "only values greater than 0"),
        (integer(ScalingType="ReverseLogarithmic"), "ReverseLogarithmic"),
        (continuous(ScalingType="ReverseLogarithmic"), "0<=x<1.0"),
        ({"CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "a"]}]}, "must be unique"),
        ({**integer(), **continuous()}, "must be unique and not empty: ['n']"),
        (integer(name=""), "must be unique and not empty"),
    ],
)
def test_ranges_that_cannot_be_searched_are_refused(ranges: dict[str, Any], said: str) -> None:
    assert said in refused(request(ranges))


@pytest.mark.parametrize(
    "ranges",
    [
        integer("5", "5"),
        continuous("0.0001", "1", ScalingType="Logarithmic"),
        continuous("0", "0.99", ScalingType="ReverseLogarithmic"),
        integer("-10000", "-1"),
        continuous("-1.5e3", "2"),
    ],
)
def test_ranges_at_the_edge_are_taken(ranges: dict[str, Any]) -> None:
    checks.check(request(ranges, limits={"MaxNumberOfTrainingJobs": 1}))


def test_thirty_hyperparameters_are_tuned_and_no_more() -> None:
    def many(count: int) -> dict[str, Any]:
        return {
            "IntegerParameterRanges": [
                integer(name=f"n{at}")["IntegerParameterRanges"][0] for at in range(count)
            ]
        }

    checks.check(request(many(30)))
    assert "[31], exceeds the maximum of 30" in refused(request(many(31)))


def test_a_training_job_has_a_hundred_hyperparameters_and_no_more() -> None:
    def static(count: int) -> dict[str, Any]:
        return {"StaticHyperParameters": {f"s{at}": "1" for at in range(count)}}

    checks.check(request(definition=static(99)))
    assert "[101], exceeds the maximum of 100" in refused(request(definition=static(100)))


def test_a_hyperparameter_is_static_or_tuned() -> None:
    assert "['n']" in refused(request(definition={"StaticHyperParameters": {"n": "1"}}))


@pytest.mark.parametrize(
    ("strategy", "limit", "most"),
    [
        ("Bayesian", "MaxParallelTrainingJobs", 100),
        ("Bayesian", "MaxNumberOfTrainingJobs", 750),
        ("Random", "MaxNumberOfTrainingJobs", 10_000),
    ],
)
def test_quotas(strategy: str, limit: str, most: int) -> None:
    checks.check(request(Strategy=strategy, limits={limit: most}))
    assert str(most) in refused(request(Strategy=strategy, limits={limit: most + 1}), "ResourceLimitExceeded")


def test_there_must_be_as_many_combinations_as_training_jobs() -> None:
    checks.check(request(integer("1", "10")))
    said = refused(request(integer("1", "3")))
    assert said == (
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations "
        "for the provided ranges [3.0] must be equal or greater than the value of MaxNumberOfJobs, [10]. "
        "Provide additional ranges."
    )


def test_a_grid_has_categories_only_and_exactly_its_training_jobs() -> None:
    def grid(jobs: int | None, **ranges: Any) -> dict[str, Any]:
        given = {"CategoricalParameterRanges": [categories(3), categories(4, "d")], **ranges}
        return request(given, Strategy="Grid", limits={"MaxNumberOfTrainingJobs": jobs})

    for jobs in (12, None):
        checks.check(grid(jobs))
        assert requested.plan(grid(jobs), 0.0).most_jobs == 12
    for jobs in (11, 13):
        assert "[12]" in refused(grid(jobs))
    assert "only categorical" in refused(grid(12, **integer()))


def hyperband(given: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return request(Strategy="Hyperband", StrategyConfig={"HyperbandStrategyConfig": given}, **changes)


def test_hyperband_needs_its_resources_and_stops_by_itself() -> None:
    checks.check(hyperband({"MinResource": 1, "MaxResource": 20_000}))
    assert "[20001]" in refused(hyperband({"MinResource": 1, "MaxResource": 20_001}))
    assert "[5] must be less than MaxResource [5]" in refused(hyperband({"MinResource": 5, "MaxResource": 5}))
    assert "MaxResource is required" in refused(hyperband({"MinResource": 5}))
    off = refused(hyperband({"MaxResource": 9}, TrainingJobEarlyStoppingType="Auto"))
    assert "TrainingJobEarlyStoppingType must be Off" in off
    assert "only when Strategy is Hyperband" in refused(
        request(StrategyConfig={"HyperbandStrategyConfig": {}})
    )


@pytest.mark.parametrize("key", ["epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs"])
def test_hyperband_reads_its_most_resource_from_the_epochs(key: str) -> None:
    asked = request(Strategy="Hyperband", definition={"StaticHyperParameters": {key: "27"}})
    checks.check(asked)
    assert requested.hyperband(asked) == Hyperband(1, 27)


def test_there_is_one_definition_or_a_list_of_named_ones() -> None:
    one = request()
    definition = one["TrainingJobDefinition"]
    config = one["HyperParameterTuningJobConfig"]

    def several(*names: str | None, **changes: Any) -> dict[str, Any]:
        given = [{**definition, **({"DefinitionName": name} if name else {}), **changes} for name in names]
        return {"HyperParameterTuningJobConfig": config, "TrainingJobDefinitions": given}

    checks.check(several("a", "b"))
    assert "of its own" in refused(several("a", "a"))
    assert "of its own" in refused(several("a", None))
    assert "not both" in refused({**one, **several("a")})
    assert "not both" in refused({"HyperParameterTuningJobConfig": config})
    mixed = several("a", "b")
    mixed["TrainingJobDefinitions"][0]["TuningObjective"] = {"Type": "Maximize", "MetricName": "loss"}
    assert "same Type" in refused(mixed)


def test_there_must_be_an_objective_and_one_kind_of_resources() -> None:
    asked = request()
    del asked["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    assert "objective metric" in refused(asked)
    flexible = {"InstanceConfigs": [RESOURCES], "InstanceType": "ml.m5.large"}
    assert "not both" in refused(request(definition={"HyperParameterTuningResourceConfig": RESOURCES}))
    only = {"ResourceConfig": None, "HyperParameterTuningResourceConfig": flexible}
    assert "either InstanceType or InstanceConfigs" in refused(request(definition=only))


def test_of_several_instances_the_first_is_taken() -> None:
    other = {**RESOURCES, "InstanceType": "ml.c5.large"}
    given = {
        "InstanceConfigs": [other, RESOURCES],
        "AllocationStrategy": "Prioritized",
        "VolumeKmsKeyId": "k",
    }
    assert children.resources({"HyperParameterTuningResourceConfig": given}) == {
        **other,
        "VolumeKmsKeyId": "k",
    }
    assert children.resources({"HyperParameterTuningResourceConfig": other}) == other
    assert children.resources({"ResourceConfig": RESOURCES}) == RESOURCES


def metric_refusal(asked: dict[str, Any]) -> str:
    (found,) = requested.definitions(asked)
    with pytest.raises(ServiceError) as caught:
        children.check_metric(found)
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)


def test_the_objective_must_be_a_metric_that_is_defined() -> None:
    algorithm = {"TrainingImage": SKLEARN, "TrainingInputMode": "File"}
    assert metric_refusal(request(definition={"AlgorithmSpecification": algorithm})) == (
        "A metric is required for this hyperparameter tuning job objective. "
        "Provide a metric in the metric definitions."
    )


def built_in(metric: str, **algorithm: Any) -> dict[str, Any]:
    """A tuning of an algorithm that brings its own metrics."""
    given = {"TrainingImage": BLAZINGTEXT, "TrainingInputMode": "File", **algorithm}
    return request(
        HyperParameterTuningJobObjective={"Type": "Maximize", "MetricName": metric},
        definition={"AlgorithmSpecification": given, "StaticHyperParameters": {"mode": "supervised"}},
    )


def test_a_built_in_algorithm_brings_its_metrics_and_is_told_which_counts() -> None:
    asked = requested.told(built_in("validation:accuracy"))
    (found,) = requested.definitions(asked)
    children.check_metric(found)
    job = children.request(found, "job", {"n": "1"}, "arn:tuning")
    assert job["HyperParameters"] == {
        "mode": "supervised",
        "_tuning_objective_metric": "validation:accuracy",
        "n": "1",
    }
    assert job["TuningJobArn"] == "arn:tuning"
    assert "isn't valid for the" in metric_refusal(built_in("accuracy"))
    own = [{"Name": "validation:accuracy", "Regex": "(.*)"}]
    assert "can't override" in metric_refusal(built_in("validation:accuracy", MetricDefinitions=own))


def test_the_images_of_scripts_need_their_own_metrics_and_are_told_too() -> None:
    asked = built_in("loss", MetricDefinitions=[{"Name": "loss", "Regex": "(.*)"}])
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"sagemaker_program": "train.py"}
    (found,) = requested.definitions(requested.told(asked))
    children.check_metric(found)
    assert children.request(found, "job", {"n": "1"}, "arn")["HyperParameters"] == {
        "sagemaker_program": "train.py",
        "_tuning_objective_metric": "loss",
        "n": "1",
    }


def test_each_definition_is_told_its_own_metric() -> None:
    one = request()["TrainingJobDefinition"]
    own = {**one, "TuningObjective": {"Type": "Minimize", "MetricName": "mine"}}
    asked = {**request(), "TrainingJobDefinitions": [one, own]}
    del asked["TrainingJobDefinition"]
    told = requested.told(asked)["TrainingJobDefinitions"]
    assert [given["StaticHyperParameters"] for given in told] == [
        {"_tuning_objective_metric": "loss"},
        {"_tuning_objective_metric": "mine"},
    ]
    assert asked["TrainingJobDefinitions"][0]["StaticHyperParameters"] == {}


def test_autotune_makes_ranges_of_hints() -> None:
    hints = [
        {"Name": "depth", "ValueHint": "6"},
        {"Name": "eta", "ValueHint": "0.3"},
        {"Name": "booster", "ValueHint": "gbtree"},
    ]
    asked = {**request({"AutoParameters": hints}), "Autotune": {"Mode": "Enabled"}}
    checks.check(asked)
    depth, eta, booster = requested.definitions(asked)[0].space
    assert (depth.low, depth.high) == (1, 60)
    assert (eta.low, eta.high) == (0.03, 3.0)
    assert booster.categories == ("gbtree",)
    plan = requested.plan(asked, 0.0)
    assert plan.early_stopping
    assert plan.on_convergence


@pytest.mark.parametrize("hint", ["1e400", "nan", "-inf"])
def test_a_hint_that_is_no_finite_number_is_refused(hint: str) -> None:
    asked = request({"AutoParameters": [{"Name": "n", "ValueHint": hint}]})
    assert "isn't a valid continuous value" in refused(asked)


def test_the_plan_says_what_was_asked() -> None:
    asked = request(
        TrainingJobEarlyStoppingType="Auto",
        TuningJobCompletionCriteria={
            "TargetObjectiveMetricValue": 0.5,
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 4},
            "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
        },
        limits={"MaxRuntimeInSeconds": 120, "MaxNumberOfTrainingJobs": None},
        definition={"RetryStrategy": {"MaximumRetryAttempts": 7}},
    )
    plan = requested.plan(asked, 1000.0)
    assert (plan.maximize, plan.most_jobs, plan.most_parallel, plan.deadline) == (False, 750, 2, 1120.0)
    assert (plan.target, plan.patience, plan.on_convergence, plan.early_stopping) == (0.5, 4, True, True)
    assert plan.retries == 7
    month = requested.plan(request(), 1000.0)
    assert month.deadline == 1000.0 + 30 * 86_400


def test_a_name_is_the_same_for_the_same_training_job_and_short_enough() -> None:
    name = children.name("t" * 32, 1.5, 10_000)
    assert name == children.name("t" * 32, 1.5, 10_000)
    assert name != children.name("t" * 32, 2.5, 10_000)
    assert len(name) <= 63
    assert children.name("mine", 1.5, 7).startswith("mine-007-")
