"""Images, metrics, output lines, rewritten paths: the small parts of running a job."""

from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.execution import rewritten
from penstock.localaws.execution.process import ProcessSpec, _Output
from penstock.localaws.sagemaker import images
from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import hosts, optml, requests
from penstock.localaws.sagemaker.jobs.metrics import MetricReader


@pytest.mark.parametrize(
    ("uri", "framework"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3", "sklearn"),
        ("683313688378.dkr.ecr.eu-west-3.amazonaws.com/sagemaker-xgboost:3.2-0", "xgboost"),
        ("450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.2-0", "xgboost"),
        ("sagemaker-xgboost@sha256:00ff", "xgboost"),
    ],
)
def test_an_image_is_known_in_every_region(uri: str, framework: str) -> None:
    assert images.find(uri).framework == framework


def test_an_unknown_image_names_those_that_are_known() -> None:
    with pytest.raises(
        JobFault, match=r"^ClientError: Cannot pull image .*sagemaker-scikit-learn, sagemaker-xgboost"
    ):
        images.find("000000000000.dkr.ecr.us-east-1.amazonaws.com/mine:1")


def test_the_last_value_of_each_metric_is_final() -> None:
    reader = MetricReader(
        [
            {"Name": "auc", "Regex": r".*#011validation-auc:(\S+)"},
            {"Name": "bad", "Regex": "("},
            {"Name": "none", "Regex": "auc"},
        ]
    )
    for at, line in enumerate(
        ["[0]#011validation-auc:0.5", "[1]#011validation-auc:0.75", "[2]#011validation-auc:x"]
    ):
        reader.read(line, float(at))
    assert reader.final() == [{"MetricName": "auc", "Value": 0.75, "Timestamp": 1.0}]


def test_every_match_of_a_line_counts_and_nan_does_not() -> None:
    reader = MetricReader([{"Name": "loss", "Regex": r"loss=(\S+?);"}])
    reader.read("loss=3; then loss=2; and loss=nan; or loss=inf;", 1.0)
    assert reader.all() == [("loss", 3.0, 1.0), ("loss", 2.0, 1.0)]


def test_lines_are_whole_whatever_the_chunks() -> None:
    output = _Output("stdout", None)
    encoded = "ä1\r\nb".encode()
    assert [output.lines(chunk) for chunk in (encoded[:1], encoded[1:], b"")] == [[], ["ä1"], ["b"]]


def test_a_line_without_end_is_cut() -> None:
    assert len(_Output("stdout", None).lines(b"x" * 300_000)[0]) == 300_000


def test_without_a_jail_opt_ml_is_rewritten_where_it_begins_a_value() -> None:
    spec = ProcessSpec(
        ("python3", "/opt/ml/a.py", "x/opt/ml"), {"A": "/opt/ml", "B": "/opt/mlx"}, "/opt/ml/code"
    )
    here = rewritten(spec, Path("/jobs/a b/ml"))
    assert here.argv == ("python3", "/jobs/a b/ml/a.py", "x/opt/ml")
    assert here.env == {"A": "/jobs/a b/ml", "B": "/opt/mlx", "SAGEMAKER_BASE_DIR": "/jobs/a b/ml"}
    assert here.cwd == "/jobs/a b/ml/code"


def test_a_channel_without_content_type_has_none_in_its_config() -> None:
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {}}, "InputMode": "FastFile"}
    params = {"AlgorithmSpecification": {"TrainingInputMode": "File"}, "InputDataConfig": [channel]}
    assert optml.input_data_config(params) == {
        "train": {
            "TrainingInputMode": "FastFile",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }


def asking(**resources: Any) -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "ResourceConfig": resources,
    }


@pytest.mark.parametrize(
    "resources",
    [
        {"InstanceType": "ml.m5.large", "InstanceCount": hosts.MOST_INSTANCES},
        {
            "InstanceGroups": [
                {"InstanceType": "ml.m5.large", "InstanceCount": 4, "InstanceGroupName": n} for n in "ab"
            ]
        },
    ],
)
def test_as_many_instances_as_a_machine_bears_are_taken(resources: dict[str, Any]) -> None:
    requests.check_training(asking(**resources))


@pytest.mark.parametrize(
    "resources",
    [
        {"InstanceType": "ml.m5.large", "InstanceCount": hosts.MOST_INSTANCES + 1},
        {
            "InstanceGroups": [
                {"InstanceType": "ml.m5.large", "InstanceCount": 3, "InstanceGroupName": n} for n in "abc"
            ]
        },
    ],
)
def test_one_more_is_a_limit(resources: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="a request delta of 9 Instances") as caught:
        requests.check_training(asking(**resources))
    assert caught.value.code == "ResourceLimitExceeded"
