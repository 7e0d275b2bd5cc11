"""Workshop 001 (headlines): BlazingText on two instances, a headline classifier on three channels, and its tuning.

The workshop's regular expression `loss = ([0-9\\.]+)` never matches what Keras prints (`loss: 0.12`): the tuner got no
metric. The classifier here is scikit-learn's in script mode: the MXNet 1.3 image is gone from AWS as well.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.local.job_requests import source_archive
from tests.workshops.conftest import ROLE, Account, wait

BLAZINGTEXT = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:latest"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
CLASSES = ["b", "e", "m", "t"]
PUBLISHED_REGEX = r"loss = ([0-9\.]+)"
TRAIN = """
    import argparse, os
    import joblib, numpy as np
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    arguments = argparse.ArgumentParser()
    for name in ("epochs", "vocab_size", "num_classes"):
        arguments.add_argument(f"--{name}", type=int)
    given = arguments.parse_args()

    def load(channel, which):
        return np.load(os.path.join(os.environ[f"SM_CHANNEL_{channel}"], f"{which}.npy"))

    embeddings = load("EMBEDDINGS", "docs-embedding-matrix")

    def features(tokens):
        known = tokens > 0
        return (embeddings[tokens] * known[..., None]).sum(1) / np.maximum(known.sum(1, keepdims=True), 1)

    train, labels = features(load("TRAIN", "train_X")), load("TRAIN", "train_Y")
    model = SGDClassifier(loss="log_loss", random_state=0)
    for epoch in range(given.epochs):
        model.partial_fit(train, labels, classes=range(given.num_classes))
        found = log_loss(labels, model.predict_proba(train))
        print(f"Epoch {epoch + 1}/{given.epochs} - loss: {found:.4f} - acc: {model.score(train, labels):.4f}")
    print("test accuracy", model.score(features(load("TEST", "test_X")), load("TEST", "test_Y")))
    joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""


def archive(source: str) -> bytes:
    import textwrap  # noqa: PLC0415

    return source_archive(keras_script=textwrap.dedent(source))


def resources(instance: str, count: int = 1) -> dict[str, Any]:
    return {"InstanceType": instance, "InstanceCount": count, "VolumeSizeInGB": 5}


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


@pytest.mark.slow
def test_word_vectors_on_two_instances_and_an_endpoint_that_answers_words(
    account: Account, seeds: Path
) -> None:
    pytest.importorskip("floret", reason='needs pip install "penstock[blazingtext]"')
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    with (seeds.parent / "text8_first_6.9MB.txt").open("rb") as text8:
        s3.put_object(
            Bucket=account.bucket, Key="sagemaker/DEMO-blazingtext-text8/train/text8", Body=text8.read()
        )
    name = "blazingtext-text8"
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": BLAZINGTEXT, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{account.bucket}/sagemaker/DEMO-blazingtext-text8/output"},
        ResourceConfig=resources("ml.c4.2xlarge", 2),
        HyperParameters={
            "mode": "batch_skipgram",
            "epochs": "5",
            "min_count": "5",
            "sampling_threshold": "0.0001",
            "learning_rate": "0.05",
            "window_size": "5",
            "vector_dim": "100",
            "negative_samples": "5",
            "batch_size": "11",
            "evaluation": "True",
            "subwords": "False",
        },
        StoppingCondition={"MaxRuntimeInSeconds": 360000},
        InputDataConfig=[channel("train", f"s3://{account.bucket}/sagemaker/DEMO-blazingtext-text8/train")],
    )
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName=name)
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")

    vectors = model_file(account, job, "vectors.txt").decode().splitlines()
    vocabulary, dimension = map(int, vectors[0].split())
    assert (dimension, vocabulary) == (100, len(vectors) - 1)
    assert vectors[1].split()[0] == "the"  # the commonest word first

    deploy(account, name, BLAZINGTEXT, job)
    asked = ["awesome", "blazing", "anarchism"]  # this piece of text8 has not all of the workshop's words
    answer = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType="application/json", Body=json.dumps({"instances": asked})
    )
    found = json.loads(answer["Body"].read())
    assert [one["word"] for one in found] == asked
    known = {line.split(" ", 1)[0] for line in vectors[1:]}
    assert "anarchism" in known
    for one in found:
        assert len(one["vector"]) == 100
        assert any(one["vector"]) == (one["word"] in known)  # zeros for an unknown word
    sagemaker.delete_endpoint(EndpointName=name)


def model_file(account: Account, job: dict[str, Any], name: str) -> bytes:
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as opened:
        member = opened.extractfile(name)
        assert member is not None
        return member.read()


def deploy(account: Account, name: str, image: str, job: dict[str, Any]) -> None:
    sagemaker = account.client("sagemaker")
    container = {"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InstanceType": "ml.t2.medium",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    wait(sagemaker, "endpoint_in_service", EndpointName=name)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.fixture(scope="module")
def headlines(account: Account, seeds: Path) -> int:
    """Titles as padded token numbers, labels and an embedding matrix in three channels; the vocabulary's size."""
    parts = {
        name: pd.read_csv(
            seeds / "001" / "news_5publishers" / f"{name}.tsv", sep="\t", names=["y", "text"], quoting=3
        )
        for name in ("train", "test")
    }
    words = TfidfVectorizer(token_pattern=r"\w+").fit(parts["train"]["text"])
    numbers, split = {word: n + 1 for word, n in words.vocabulary_.items()}, words.build_analyzer()
    s3 = account.client("s3")
    for name, part in parts.items():
        tokens = np.zeros((len(part), 40), dtype=np.int32)
        for row, title in enumerate(part["text"]):
            known = [numbers[word] for word in split(title) if word in numbers][:40]
            tokens[row, : len(known)] = known
        arrays = {"X": tokens, "Y": part["y"].map(CLASSES.index).to_numpy()}
        for which, array in arrays.items():
            key = f"news/data/{name}/{name}_{which}.npy"
            s3.put_object(Bucket=account.bucket, Key=key, Body=npy(array))
    matrix = np.random.default_rng(0).normal(size=(len(numbers) + 1, 100)).astype(np.float32)
    s3.put_object(
        Bucket=account.bucket, Key="news/data/embeddings/docs-embedding-matrix.npy", Body=npy(matrix)
    )
    s3.put_object(Bucket=account.bucket, Key="news/code/sourcedir.tar.gz", Body=archive(TRAIN))
    return len(numbers) + 1


def tuning(account: Account, vocabulary: int, regex: str) -> dict[str, Any]:
    """The workshop's tuner: epochs 2 to 7, five jobs, two at once, the smallest loss."""
    data = f"s3://{account.bucket}/news/data"
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "IntegerParameterRanges": [{"Name": "epochs", "MinValue": "2", "MaxValue": "7"}]
            },
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                "sagemaker_program": '"keras_script.py"',
                "sagemaker_submit_directory": json.dumps(f"s3://{account.bucket}/news/code/sourcedir.tar.gz"),
                "vocab_size": str(vocabulary),
                "num_classes": "4",
            },
            "AlgorithmSpecification": {
                "TrainingImage": SKLEARN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": regex}],
            },
            "RoleArn": ROLE,
            "InputDataConfig": [channel(name, f"{data}/{name}") for name in ("train", "test", "embeddings")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{account.bucket}/news/output"},
            "ResourceConfig": resources("ml.c5.xlarge"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


@pytest.mark.slow
def test_the_published_regex_fails_the_tuning_and_says_so(account: Account, headlines: int) -> None:
    sagemaker, name = account.client("sagemaker"), "headlines-published-regex"
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **tuning(account, headlines, PUBLISHED_REGEX)
    )
    found = over(sagemaker, name)
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert PUBLISHED_REGEX in found["FailureReason"]


@pytest.mark.slow
def test_with_a_regex_that_matches_the_best_job_has_the_smallest_loss(
    account: Account, headlines: int
) -> None:
    sagemaker, name = account.client("sagemaker"), "headlines-epochs"
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **tuning(account, headlines, r"loss: ([0-9\.]+)")
    )
    found = over(sagemaker, name)
    assert found["HyperParameterTuningJobStatus"] == "Completed", found.get("FailureReason")
    assert found["TrainingJobStatusCounters"]["Completed"] == 5
    tried = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    losses = {
        job["TrainingJobName"]: job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for job in tried["TrainingJobSummaries"]
    }
    assert len(losses) == 5
    assert found["BestTrainingJob"]["TrainingJobName"] in [
        n for n, v in losses.items() if v == min(losses.values())
    ]
    assert all(2 <= int(job["TunedHyperParameters"]["epochs"]) <= 7 for job in tried["TrainingJobSummaries"])


def over(sagemaker: Any, name: str) -> dict[str, Any]:
    from tests.local.conftest import until  # noqa: PLC0415

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
        return found if found["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped") else None

    ended: dict[str, Any] = until(described, 180)
    return ended
