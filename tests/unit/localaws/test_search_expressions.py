"""Search expressions against one described training job."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import validation
from penstock.localaws.sagemaker.expressions import condition
from penstock.localaws.sagemaker.properties import Schema

SCHEMA = Schema(validation.service(), "TrainingJob")
JOB = {
    "TrainingJobName": "churn-7",
    "TrainingJobStatus": "Completed",
    "CreationTime": datetime(2026, 5, 1, 12, 0, 0, 700_000, tzinfo=UTC),
    "BillableTimeInSeconds": 90,
    "EnableManagedSpotTraining": False,
    "HyperParameters": {"eta": "0.3", "depth": "7.9", "mode": "fast", "a.b": "1"},
    "AlgorithmSpecification": {"TrainingImage": "x/sagemaker-xgboost:3.2-0"},
    "FinalMetricDataList": [
        {"MetricName": "validation:auc", "Value": 0.81},
        {"MetricName": "rmse", "Value": 3.0},
    ],
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://cats/train"}}},
        {"ChannelName": "test", "DataSource": {"S3DataSource": {"S3Uri": "s3://dogs/test"}}},
    ],
    "Tags": [{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
}


def filtered(name: str, operator: str = "Equals", value: str | None = None) -> dict[str, Any]:
    made = {"Name": name, "Operator": operator}
    return made if value is None else {**made, "Value": value}


def holds(expression: dict[str, Any]) -> bool:
    return condition(expression, SCHEMA)(JOB)


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("TrainingJobName", "Equals", "churn-7", True),
        ("TrainingJobName", "Equals", "churn", False),
        ("TrainingJobName", "NotEquals", "churn", True),
        ("TrainingJobName", "Contains", "urn", True),
        ("TrainingJobName", "Contains", "x", False),
        ("TrainingJobStatus", "In", "Failed, Completed", True),
        ("TrainingJobStatus", "In", "Failed,Stopped", False),
        ("FailureReason", "Exists", None, False),
        ("FailureReason", "NotExists", None, True),
        ("FailureReason", "NotEquals", "x", True),
        ("AlgorithmSpecification.TrainingImage", "Contains", "xgboost", True),
        ("AlgorithmSpecification", "Exists", None, True),
        ("BillableTimeInSeconds", "GreaterThan", "89.5", True),
        ("BillableTimeInSeconds", "GreaterThan", "90", False),
        ("BillableTimeInSeconds", "GreaterThanOrEqualTo", "90", True),
        ("BillableTimeInSeconds", "LessThan", "90", False),
        ("BillableTimeInSeconds", "LessThanOrEqualTo", "90", True),
        ("EnableManagedSpotTraining", "Equals", "false", True),
        ("CreationTime", "GreaterThan", "2026-05-01T12:00:00", True),
        ("CreationTime", "LessThan", "2026-05-01T12:00:00", False),
        ("CreationTime", "Equals", "2026-05-01T12:00:00", True),
        ("CreationTime", "LessThan", "2026-05-01T14:00:01+02:00", True),
        ("HyperParameters.eta", "LessThan", "0.5", True),
        ("HyperParameters.eta", "LessThan", "0.3", False),
        ("HyperParameters.depth", "Equals", "7", True),  # an integer makes integers of decimals
        ("HyperParameters.depth", "Equals", "7.0", False),
        ("HyperParameters.mode", "Equals", "fast", True),
        ("HyperParameters.mode", "LessThan", "5", False),
        ("HyperParameters.a.b", "Equals", "1", True),
        ("HyperParameters.nothing", "Exists", None, False),
        ("Metrics.validation:auc", "GreaterThan", "0.8", True),
        ("Metrics.rmse", "Equals", "3", True),
        ("Metrics.other", "Exists", None, False),
        ("Tags.team", "Equals", "blue", True),
        ("Tags.empty", "Exists", None, True),
        ("Tags.other", "NotExists", None, True),
        ("InputDataConfig.ChannelName", "Equals", "test", True),
        ("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "dogs", True),
    ],
)
def test_a_filter(name: str, operator: str, value: str | None, expected: bool) -> None:
    assert holds({"Filters": [filtered(name, operator, value)]}) is expected


def test_no_operator_is_equals() -> None:
    assert holds({"Filters": [{"Name": "TrainingJobName", "Value": "churn-7"}]})


@pytest.mark.parametrize(("channel", "expected"), [("test", True), ("train", False)])
def test_nested_filters_speak_of_one_item(channel: str, expected: bool) -> None:
    nested = {
        "NestedPropertyName": "InputDataConfig",
        "Filters": [
            filtered("InputDataConfig.ChannelName", "Equals", channel),
            filtered("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "dogs"),
        ],
    }
    assert holds({"NestedFilters": [nested]}) is expected
    assert holds({"Filters": nested["Filters"]})  # which each may speak of another


YES, NO = filtered("TrainingJobName", "Exists"), filtered("TrainingJobName", "NotExists")
EXPRESSIONS = st.recursive(
    st.builds(
        lambda filters, operator: {"Filters": filters, "Operator": operator},
        st.lists(st.sampled_from([YES, NO]), min_size=1, max_size=2),
        st.sampled_from(["And", "Or"]),
    ),
    lambda inner: st.builds(
        lambda subs, operator: {"SubExpressions": subs, "Operator": operator},
        st.lists(inner, min_size=1, max_size=2),
        st.sampled_from(["And", "Or"]),
    ),
    max_leaves=8,
)


def truth(expression: dict[str, Any]) -> bool:
    parts = [one is YES or one == YES for one in expression.get("Filters", [])]
    parts += [truth(one) for one in expression.get("SubExpressions", [])]
    return any(parts) if expression["Operator"] == "Or" else all(parts)


@given(EXPRESSIONS)
def test_and_and_or_at_any_depth(expression: dict[str, Any]) -> None:
    assert holds(expression) is truth(expression)


TWO_CONTAINS = {"SubExpressions": [{"Filters": [filtered("TrainingJobName", "Contains", "x")]}] * 2}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ({}, "You must provide at least one subexpression, filter, or nested filter"),
        ({"Filters": [filtered("Nothing", "Exists")]}, "Unknown property name: Nothing"),
        ({"Filters": [filtered("TrainingJobName.x", "Exists")]}, "Unknown property name"),
        ({"Filters": [filtered("TrainingJobName", "Equals")]}, "needs a Value"),
        ({"Filters": [filtered("TrainingJobName", "LessThan", "x")]}, "not supported for the property"),
        ({"Filters": [filtered("CreationTime", "Contains", "2026")]}, "only supported for text properties"),
        ({"Filters": [filtered("CreationTime", "LessThan", "yesterday")]}, "must be a time such as"),
        ({"Filters": [filtered("BillableTimeInSeconds", "LessThan", "x")]}, "must be a number: x"),
        ({"Filters": [filtered("HyperParameters.eta", "LessThan", "x")]}, "must be a number: x"),
        ({"Filters": [filtered("ResourceConfig", "Equals", "x")]}, "is a structure"),
        (TWO_CONTAINS, "'CONTAINS' operator usage limit of 1 exceeded."),
        (
            {"NestedFilters": [{"NestedPropertyName": "RoleArn", "Filters": [YES]}]},
            "not a list of structures",
        ),
        (
            {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": [YES]}]},
            "must begin with InputDataConfig",
        ),
    ],
)
def test_what_aws_refuses(expression: dict[str, Any], text: str) -> None:
    with pytest.raises(ServiceError, match=text) as caught:
        condition(expression, SCHEMA)
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize(("count", "fits"), [(50, True), (51, False)])
def test_fifty_parts_and_not_one_more(count: int, fits: bool) -> None:
    subs = [{"Filters": [YES] * 4}] * (count // 5)  # each is one expression and four filters
    expression = {"SubExpressions": subs, "Filters": [YES] * (count % 5)}
    if fits:
        assert holds(expression)
    else:
        with pytest.raises(ServiceError, match="at most 50"):
            condition(expression, SCHEMA)


COMPONENT = {
    "Metrics": [{"MetricName": "val.auc", "Max": 0.9, "Last": 0.7, "Count": 3}],
    "Parameters": {"rate": {"NumberValue": 0.5}, "mode": {"StringValue": "fast"}},
}


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("Metrics.val.auc.max", "GreaterThan", "0.8", True),
        ("Metrics.val.auc.last", "GreaterThan", "0.8", False),
        ("Metrics.val.auc.count", "Equals", "3", True),
        ("Metrics.val.auc.min", "Exists", None, False),
        ("Parameters.rate", "LessThan", "0.6", True),
        ("Parameters.rate", "Contains", "0.5", True),
        ("Parameters.mode", "Equals", "fast", True),
        ("Parameters.mode", "LessThan", "3", False),
        ("Parameters.other", "Exists", None, False),
    ],
)
def test_a_filter_on_a_trial_component(name: str, operator: str, value: str | None, expected: bool) -> None:
    schema = Schema(validation.service(), "TrialComponent")
    assert condition({"Filters": [filtered(name, operator, value)]}, schema)(COMPONENT) is expected
    with pytest.raises(ServiceError, match="Unknown property name"):
        schema.property("Metrics.val.auc.median")


def test_every_suggested_name_is_a_property() -> None:
    names = SCHEMA.names()
    assert {"TrainingJobName", "InputDataConfig.DataSource.S3DataSource.S3Uri"} <= set(names)
    assert all(SCHEMA.property(name) for name in names)
