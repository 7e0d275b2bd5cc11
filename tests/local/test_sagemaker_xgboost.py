"""The XGBoost image in algorithm mode from data to answers: no script anywhere, only channels and hyperparameters."""

import io
import json
import random
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import IMAGE, ROLE, Hosting
from tests.local.job_requests import (
    channel,
    lines,
    new_bucket,
    new_name,
    put,
    source_archive,
    trained,
    training,
)

ALGORITHM = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws) -> Any:
    words = Hosting(embedded_aws, new_name("xgb"))
    yield words
    words.clean()


def rows(count: int, libsvm: bool = False) -> str:
    """Rows whose label is whether the first of three features is over a half."""
    values = random.Random(count)
    made = [[values.random() for _ in range(3)] for _ in range(count)]
    if libsvm:
        return "".join(
            f"{int(r[0] > 0.5)} {' '.join(f'{n}:{v:.4f}' for n, v in enumerate(r))}\n" for r in made
        )
    return "".join(f"{int(r[0] > 0.5)},{','.join(f'{v:.4f}' for v in r)}\n" for r in made)


def request(bucket: str, content_type: str | None, *names: str, **hyperparameters: str) -> dict[str, Any]:
    inputs = [channel(name, f"s3://{bucket}/{name}/") for name in names]
    for one in inputs:
        if content_type is not None:
            one["ContentType"] = content_type
    return training(
        bucket,
        new_name("xgb"),
        AlgorithmSpecification=ALGORITHM,
        InputDataConfig=inputs,
        HyperParameters={"num_round": "5", "objective": "binary:logistic", **hyperparameters},
    )


def serve(hosting: Hosting, artifact: str, **environment: str) -> str:
    """An endpoint of the model, as public client code makes one."""
    container = {"Image": IMAGE, "ModelDataUrl": artifact, "Environment": environment}
    hosting.sagemaker.create_model(
        ModelName=hosting.name("m"), PrimaryContainer=container, ExecutionRoleArn=ROLE
    )
    return hosting.endpoint(hosting.config("c", hosting.variant(hosting.name("m"))))


def test_csv_from_training_to_answers_and_refusals(embedded_aws, hosting):
    bucket = new_bucket(
        embedded_aws, train__a_csv=rows(80), train__b_csv=rows(40), validation__a_csv=rows(50)
    )
    job = trained(embedded_aws, request(bucket, "text/csv", "train", "validation", eval_metric="auc"))
    assert job["TrainingJobStatus"] == "Completed", job
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"] > 0.9) == ("validation:auc", True)
    printed = [line for line in lines(embedded_aws, job["TrainingJobName"]) if line.startswith("[4]")]
    assert "#011train-auc:" in printed[0]

    endpoint = serve(hosting, job["ModelArtifacts"]["S3ModelArtifacts"])
    low, high = (float(line) for line in hosting.ask(endpoint, "0.1,0.5,0.5\n0.9,0.5,0.5").split())
    assert low < 0.5 < high
    answer = json.loads(hosting.ask(endpoint, "0.9,0.5,0.5", Accept="application/json"))
    assert answer == {"predictions": [{"score": pytest.approx(high)}]}
    assert hosting.ask(endpoint, "") == b""
    for body, members, status, said in (
        ("1,2,3,4", {}, 400, "Unable to evaluate payload provided"),
        ("1,2,3", {"Accept": "image/png"}, 406, "is not supported"),
        ("1,what,3", {}, 415, "Loading csv data failed"),
    ):
        with pytest.raises(ClientError) as refused:
            hosting.ask(endpoint, body, **members)
        assert refused.value.response["OriginalStatusCode"] == status
        assert said in refused.value.response["OriginalMessage"]


def test_libsvm_in_its_default_content_type(embedded_aws, hosting):
    bucket = new_bucket(embedded_aws, train__data=rows(60, libsvm=True))
    job = trained(embedded_aws, request(bucket, None, "train", save_model_on_termination="true"))
    assert job["TrainingJobStatus"] == "Completed", job
    endpoint = serve(
        hosting, job["ModelArtifacts"]["S3ModelArtifacts"], SAGEMAKER_INFERENCE_OUTPUT="predicted_label"
    )
    runtime = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"0:0.9 1:0.5\n0:0.1 1:0.5", ContentType="text/libsvm"
    )
    assert runtime["Body"].read() == b"1\n0"


@pytest.mark.parametrize(
    ("hyperparameters", "data", "reason"),
    [
        ({"foo": "1"}, "1,2\n", "ClientError: Extraneous hyperparameter found: foo"),
        ({"eta": "7"}, "1,2\n", "ClientError: Hyperparameter eta: 7.0 is not in [0, 1]"),
        ({}, "0,1\n5,2\n", "ClientError: label must be in [0,1] for logistic regression"),
    ],
)
def test_a_job_that_cannot_be_done_says_why(embedded_aws, hyperparameters, data, reason):
    bucket = new_bucket(embedded_aws, train__data=data)
    job = trained(embedded_aws, request(bucket, "text/csv", "train", **hyperparameters))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(reason)


def test_code_of_a_model_comes_from_s3_too(embedded_aws, hosting):
    """SDK v2 leaves the model as it is and names the code in SAGEMAKER_SUBMIT_DIRECTORY."""
    bucket = new_bucket(embedded_aws, train__data=rows(30))
    job = trained(embedded_aws, request(bucket, "text/csv", "train"))
    code = """
import os, xgboost

def model_fn(model_dir):
    return xgboost.Booster(model_file=bytearray(open(os.path.join(model_dir, "xgboost-model"), "rb").read()))

def output_fn(prediction, accept):
    return f"{len(prediction)} rows", "text/plain"
"""
    put(embedded_aws, bucket, "code/sourcedir.tar.gz", source_archive(serve=code))
    endpoint = serve(
        hosting,
        job["ModelArtifacts"]["S3ModelArtifacts"],
        SAGEMAKER_PROGRAM="serve.py",
        SAGEMAKER_SUBMIT_DIRECTORY=f"s3://{bucket}/code/sourcedir.tar.gz",
    )
    assert hosting.ask(endpoint, "1,2,3\n4,5,6") == b"2 rows"


def test_a_pickled_model_keeps_the_endpoint_from_coming_up(embedded_aws, hosting):
    """Unlike in AWS's image: reading it would run whatever the archive says."""
    bucket, content = new_bucket(embedded_aws), b"\x80\x04K\x01."
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    put(embedded_aws, bucket, "model.tar.gz", packed.getvalue())
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    name = hosting.name("p")
    hosting.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    config = hosting.config("p", hosting.variant(name))
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    hosting.made.append(name)
    over = until(lambda: (d := hosting.describe(name))["EndpointStatus"] != "Creating" and d, 30)
    assert over["EndpointStatus"] == "Failed"
    assert "xgboost-model is a pickle" in over["FailureReason"]


def test_batch_transform_without_code_scores_a_line_each(embedded_aws, hosting):
    """The container's own /execution-parameters say how; SAGEMAKER_BATCH makes it end every line."""
    bucket = new_bucket(embedded_aws, train__a_csv=rows(60), in__a_csv="0.1,0.5,0.5\n0.9,0.5,0.5\n")
    job = trained(embedded_aws, request(bucket, "text/csv", "train"))
    container = {"Image": IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    name = hosting.name("t")
    hosting.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
    hosting.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out/", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    describe = hosting.sagemaker.describe_transform_job
    over = until(
        lambda: (d := describe(TransformJobName=name))["TransformJobStatus"] != "InProgress" and d, 60
    )
    assert over["TransformJobStatus"] == "Completed", over
    scored = embedded_aws.client("s3").get_object(Bucket=bucket, Key="out/a.csv.out")["Body"].read().decode()
    low, high = (float(line) for line in scored.splitlines())
    assert low < 0.5 < high
