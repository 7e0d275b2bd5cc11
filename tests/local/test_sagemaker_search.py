"""Search over HTTP: what it finds, in which order, on which page."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control
from tests.local.conftest import EmbeddedAws, free_port
from tests.local.hosting import Hosting
from tests.local.job_requests import new_bucket, shell_training, training_over

METRICS = [{"Name": "auc", "Regex": "auc=([0-9.]+)"}]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    root = tmp_path_factory.mktemp("search")
    aws = EmbeddedAws(root, control.up(root, port=free_port(), testing=True).port)
    bucket = new_bucket(aws)
    for number, auc in enumerate(("0.7", "0.9", None), start=1):
        request = shell_training(bucket, f"job-{number}", f"echo auc={auc}" if auc else "exit 3")
        request["AlgorithmSpecification"]["MetricDefinitions"] = METRICS
        request["HyperParameters"] = {"eta": f"0.{number}"}
        request["Tags"] = [{"Key": "team", "Value": "blue" if number < 3 else "red"}]
        aws.client("sagemaker").create_training_job(**request)
        training_over(aws, f"job-{number}")
        aws.advance(60)
    yield aws
    aws.close()


def search(aws: EmbeddedAws, *filters: tuple[str, str, str], **params: Any) -> dict[str, Any]:
    if filters:
        named = [dict(zip(("Name", "Operator", "Value"), one, strict=True)) for one in filters]
        params["SearchExpression"] = {"Filters": named}
    answer: dict[str, Any] = aws.client("sagemaker").search(Resource="TrainingJob", **params)
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return [one["TrainingJob"]["TrainingJobName"] for one in answer["Results"]]


def test_a_record_is_what_describe_shows_with_its_tags(aws: EmbeddedAws) -> None:
    found = search(aws, ("TrainingJobName", "Equals", "job-2"))["Results"][0]["TrainingJob"]
    described = aws.client("sagemaker").describe_training_job(TrainingJobName="job-2")
    del described["ResponseMetadata"]
    assert found == {**described, "Tags": [{"Key": "team", "Value": "blue"}]}


def test_filters_of_every_kind_together(aws: EmbeddedAws) -> None:
    assert names(search(aws, ("Tags.team", "Equals", "blue"), ("Metrics.auc", "GreaterThan", "0.8"))) == [
        "job-2"
    ]
    assert names(search(aws, ("TrainingJobStatus", "In", "Failed,Stopped"))) == ["job-3"]
    assert names(search(aws, ("HyperParameters.eta", "LessThan", "0.2"))) == ["job-1"]
    assert names(search(aws, ("Tags.team", "Equals", "green"))) == []


def test_newest_first_or_by_any_property(aws: EmbeddedAws) -> None:
    assert names(search(aws)) == ["job-3", "job-2", "job-1"]
    assert names(search(aws, SortOrder="Ascending")) == ["job-1", "job-2", "job-3"]
    assert names(search(aws, SortBy="Metrics.auc", SortOrder="Descending")) == ["job-2", "job-1", "job-3"]
    assert names(search(aws, SortBy="Metrics.auc", SortOrder="Ascending")) == ["job-1", "job-2", "job-3"]
    assert names(search(aws, SortBy="HyperParameters.eta", SortOrder="Ascending"))[0] == "job-1"


def test_pages_hold_everything_once(aws: EmbeddedAws) -> None:
    first = search(aws, MaxResults=2, SortBy="Metrics.auc")
    assert first["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
    second = search(aws, MaxResults=2, SortBy="Metrics.auc", NextToken=first["NextToken"])
    assert names(first) + names(second) == ["job-2", "job-1", "job-3"]
    assert "NextToken" not in second


def test_other_kinds(aws: EmbeddedAws) -> None:
    client, hosting = aws.client("sagemaker"), Hosting(aws, "s")
    hosting.endpoint(hosting.config("c"))
    client.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "a", "Value": "b"}])
    arn = client.create_model_package(ModelPackageGroupName="g")["ModelPackageArn"]

    def found(resource: str, name: str, value: str) -> list[dict[str, Any]]:
        expression = {"Filters": [{"Name": name, "Operator": "Equals", "Value": value}]}
        return [
            one[resource] for one in client.search(Resource=resource, SearchExpression=expression)["Results"]
        ]

    assert [one["EndpointName"] for one in found("Endpoint", "EndpointStatus", "InService")] == ["s-e"]
    for name in ("ModelName", "Model.ModelName"):
        (model,) = found("Model", name, "s-c")
        assert model["Model"]["PrimaryContainer"]["Mode"] == "SingleModel"
        assert [one["EndpointName"] for one in model["Endpoints"]] == ["s-e"]
    (package,) = found("ModelPackage", "ModelPackageGroupName", "g")
    assert (package["ModelPackageArn"], package["ModelApprovalStatus"]) == (arn, "PendingManualApproval")
    (group,) = found("ModelPackageGroup", "Tags.a", "b")
    assert group["Tags"] == [{"Key": "a", "Value": "b"}]
    assert client.search(Resource="Endpoint", CrossAccountFilterOption="CrossAccount")["Results"] == []


def test_components_of_an_experiment(aws: EmbeddedAws) -> None:
    client = aws.client("sagemaker")
    client.create_experiment(ExperimentName="ex", Tags=[{"Key": "a", "Value": "b"}])
    client.create_trial(TrialName="tr", ExperimentName="ex")
    for name, rate in (
        ("slow", {"NumberValue": 0.1}),
        ("fast", {"NumberValue": 0.9}),
        ("odd", {"StringValue": "x"}),
    ):
        client.create_trial_component(TrialComponentName=name, Parameters={"rate": rate})
        client.associate_trial_component(TrialComponentName=name, TrialName="tr")
    client.create_trial_component(TrialComponentName="apart")

    def found(resource: str, *filters: tuple[str, str, str], **params: Any) -> list[dict[str, Any]]:
        named = [dict(zip(("Name", "Operator", "Value"), one, strict=True)) for one in filters]
        answer = client.search(Resource=resource, SearchExpression={"Filters": named}, **params)
        return [record for one in answer["Results"] for record in one.values()]

    inside = ("Parents.ExperimentName", "Equals", "ex")
    ordered = found("ExperimentTrialComponent", inside, SortBy="Parameters.rate", SortOrder="Descending")
    assert [one["TrialComponentName"] for one in ordered] == ["odd", "fast", "slow"]
    assert ordered[0]["Parents"] == [{"TrialName": "tr", "ExperimentName": "ex"}]
    over = found("ExperimentTrialComponent", inside, ("Parameters.rate", "GreaterThan", "0.5"))
    assert [one["TrialComponentName"] for one in over] == ["fast"]
    both = (("DisplayName", "Contains", "a"), ("TrialComponentName", "Contains", "st"))
    assert [one["TrialComponentName"] for one in found("ExperimentTrialComponent", *both)] == ["fast"]
    assert [one["TrialName"] for one in found("ExperimentTrial", ("ExperimentName", "Equals", "ex"))] == [
        "tr"
    ]
    assert [one["ExperimentName"] for one in found("Experiment", ("Tags.a", "Equals", "b"))] == ["ex"]


def test_suggestions(aws: EmbeddedAws) -> None:
    def suggested(hint: str) -> list[str]:
        query = {"PropertyNameQuery": {"PropertyNameHint": hint}}
        answer = aws.client("sagemaker").get_search_suggestions(Resource="TrainingJob", SuggestionQuery=query)
        return [one["PropertyName"] for one in answer["PropertyNameSuggestions"]]

    assert suggested("metrics") == ["Metrics.auc"]
    assert suggested("hyper") == ["HyperParameters.eta"]
    assert suggested("tags.") == ["Tags.team"]
    assert suggested("TrainingJobS") == ["TrainingJobStatus"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"Resource": "Project"}, "Searching for Project is not part of the embedded AWS"),
        ({"Resource": "TrainingJob", "SearchExpression": {}}, "You must provide at least one"),
        ({"Resource": "TrainingJob", "SortBy": "Nothing"}, "Unknown property name: Nothing"),
        ({"Resource": "TrainingJob", "NextToken": "x"}, "Invalid NextToken"),
        (
            {"Resource": "Job-Training"},
            "'resource' failed to satisfy constraint: Member must satisfy enum value set",
        ),
    ],
)
def test_what_is_refused(aws: EmbeddedAws, params: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError) as caught:
        aws.client("sagemaker").search(**params)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert text in caught.value.response["Error"]["Message"]
