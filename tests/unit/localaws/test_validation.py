"""Requests are refused in AWS's words."""

from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.validation import Model

MODEL = Model()
ROLE = "arn:aws:iam::000000000000:role/penstock-local-jobs"


def job(**changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "a",
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    } | changes


def refused(operation: str, params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        MODEL.check(operation, params)
    return caught.value


def test_a_good_request_passes() -> None:
    assert MODEL.check("CreateTrainingJob", job()) == job()


def test_a_pattern() -> None:
    assert refused("CreateTrainingJob", job(TrainingJobName="a_b")).message == (
        "1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )


def test_what_is_missing_and_what_is_too_much() -> None:
    error = refused("CreateTrainingJob", {"TrainingJobName": "a" * 64, "RoleArn": ROLE})
    assert error.code == "ValidationException"
    assert error.message.startswith("3 validation errors detected: Value null at 'outputDataConfig'")
    assert (
        "at 'trainingJobName' failed to satisfy constraint: Member must have length less than or equal to 63"
        in (error.message)
    )


def test_an_enum_inside_a_list_is_named_with_its_place() -> None:
    source = {"S3DataSource": {"S3DataType": "Folder", "S3Uri": "s3://b/x"}}
    message = refused(
        "CreateTrainingJob", job(InputDataConfig=[{"ChannelName": "a", "DataSource": source}])
    ).message
    assert (
        "Value 'Folder' at 'inputDataConfig.1.member.dataSource.s3DataSource.s3DataType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ManifestFile, S3Prefix, "
    ) in message


def test_a_number_out_of_range() -> None:
    message = refused("CreateTrainingJob", job(StoppingCondition={"MaxRuntimeInSeconds": 0})).message
    assert message.endswith("Member must have value greater than or equal to 1")


def test_a_map_value() -> None:
    message = refused("CreateTrainingJob", job(HyperParameters={"a": "b" * 2501})).message
    assert message.endswith(
        "Map value must satisfy constraint: [Member must have length less than or equal to 2500]"
    )


@pytest.mark.parametrize("value", [1, True, ["a"], {"a": 1}])
def test_another_type_is_a_serialization_error(value: Any) -> None:
    assert refused("DescribeTrainingJob", {"TrainingJobName": value}).code == "SerializationException"


def test_an_unknown_parameter_is_named() -> None:
    assert '"Nme", must be one of: TrainingJobName' in refused("StopTrainingJob", {"Nme": "x"}).message


def test_a_body_that_is_no_object() -> None:
    assert refused("StopTrainingJob", ["x"]).code == "SerializationException"


def test_letters_of_any_language_are_letters() -> None:
    tags = [{"Key": "größe", "Value": "値"}]
    arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/a"
    assert MODEL.check("AddTags", {"ResourceArn": arn, "Tags": tags})["Tags"] == tags


@pytest.mark.parametrize("value", [1e18, -1e18, float("inf"), float("nan"), 253_402_300_800])
def test_a_time_outside_the_calendar(value: float) -> None:
    assert refused("ListModels", {"CreationTimeAfter": value}).code == "SerializationException"


def test_the_first_and_the_last_moment() -> None:
    params = {"CreationTimeAfter": -62_135_596_800, "CreationTimeBefore": 253_402_300_799}
    assert MODEL.check("ListModels", params) == params


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_is_none(value: float) -> None:
    request = {"TrialComponentName": "a", "Parameters": {"a": {"NumberValue": value}}}
    assert refused("CreateTrialComponent", request).code == "SerializationException"
