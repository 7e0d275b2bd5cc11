"""Workshop 000, session 6 (training automation) as its SDK calls it: a processing job, a training job, batch transform.

The published training job is Keras on a TensorFlow image that AWS has retired; the same request runs here with
scikit-learn in script mode. Its validation accuracy is 0.5053 on the same 4 classes, 95/5 split.
"""

import io
import json
import logging
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from tests.local.job_requests import source_archive
from tests.workshops.conftest import ROLE, Account, wait

log = logging.getLogger("workshops")
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PROCESS = r"""
    import re
    import pandas as pd

    tweets = pd.read_csv("/opt/ml/processing/input/tweets.csv")
    words = tweets["tweet_text"].fillna("").map(lambda text: re.sub("[^a-z]+", " ", text.lower()).split())
    tweets["tweet_text_preprocessed"] = words.map(lambda found: " ".join(w for w in found if len(w) > 2))
    kept = tweets[tweets["tweet_text_preprocessed"].str.split().str.len() > 1]
    kept.to_csv("/opt/ml/processing/output/tweets_processed.csv", index=False)
    print(len(tweets), "rows in,", len(kept), "rows out")
"""
TRAIN = """
    import os
    import joblib, pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline

    tweets = pd.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "tweets_processed.csv"))
    parts = train_test_split(
        tweets["tweet_text_preprocessed"], tweets["sentiment_index"], test_size=0.05, random_state=42
    )
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=500)).fit(parts[0], parts[2])
    print(f"val_acc: {model.score(parts[1], parts[3]):.4f}")
    joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
IRIS = """
    import os
    import joblib, pandas as pd
    from sklearn.tree import DecisionTreeClassifier

    def model_fn(model_dir):
        return joblib.load(os.path.join(model_dir, "model.joblib"))

    if __name__ == "__main__":
        import argparse
        arguments = argparse.ArgumentParser()
        arguments.add_argument("--max_leaf_nodes", type=int)
        given = arguments.parse_args()
        data = pd.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "iris.csv"), header=None)
        model = DecisionTreeClassifier(max_leaf_nodes=given.max_leaf_nodes).fit(data.iloc[:, 1:].values, data[0])
        joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
        code = os.path.join(os.environ["SM_MODEL_DIR"], "code")
        os.makedirs(code)
        with open(__file__) as own, open(os.path.join(code, "inference.py"), "w") as copy:
            copy.write(own.read())
"""


def put(account: Account, key: str, body: bytes) -> str:
    account.client("s3").put_object(Bucket=account.bucket, Key=key, Body=body)
    return f"s3://{account.bucket}/{key}"


def train(account: Account, name: str, source: str, data: str, **hyperparameters: str) -> dict[str, Any]:
    """A script-mode job on one channel, as the SDK's estimator sends it; its description when it is over."""
    sagemaker = account.client("sagemaker")
    code = put(account, f"{name}/source/sourcedir.tar.gz", source_archive(train=textwrap.dedent(source)))
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code, "sagemaker_job_name": name}
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "val_acc", "Regex": r"val_acc: ([0-9\.]+)"}],
        },
        HyperParameters={key: json.dumps(value) for key, value in {**given, **hyperparameters}.items()},
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": data,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{account.bucket}/workshop"},
        ResourceConfig={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 86400},
    )
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName=name)
    found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    return found


@pytest.mark.slow
def test_tweets_are_processed_and_learned(account: Account, seeds: Path) -> None:
    put(account, "workshop/tweets.csv", (seeds / "000" / "retrain" / "tweets_8000.csv").read_bytes())
    code = put(account, "process/input/code/process_tweets.py", textwrap.dedent(PROCESS).encode())
    sagemaker, name = account.client("sagemaker"), "process-tweets"
    script = "/opt/ml/processing/input/code/process_tweets.py"
    inputs = {"input-1": (f"s3://{account.bucket}/workshop/tweets.csv", "/opt/ml/processing/input")}
    inputs["code"] = (code, "/opt/ml/processing/input/code")
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=ROLE,
        AppSpecification={"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", script]},
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        ProcessingInputs=[
            {
                "InputName": input_name,
                "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"},
            }
            for input_name, (uri, path) in inputs.items()
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "tweet_output",
                    "S3Output": {
                        "S3Uri": f"s3://{account.bucket}/workshop/processed",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    wait(sagemaker, "processing_job_completed_or_stopped", ProcessingJobName=name)
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Completed"

    job = train(account, "tweets-train", TRAIN, f"s3://{account.bucket}/workshop/processed")
    [metric] = job["FinalMetricDataList"]
    log.info("validation accuracy: %s", metric["Value"])
    log.info("billable seconds: %s", job["BillableTimeInSeconds"])  # 91 published
    assert metric["Value"] >= 0.5053


@pytest.mark.slow
def test_iris_is_learned_and_transformed_file_by_file(account: Account) -> None:
    features, labels = load_iris(return_X_y=True)
    frame = pd.DataFrame(features)
    frame.insert(0, "label", labels)
    put(account, "iris/train/iris.csv", csv(frame))
    job = train(account, "iris-tree", IRIS, f"s3://{account.bucket}/iris/train/", max_leaf_nodes="30")
    for number in range(10):
        rows = frame.sample(100, random_state=number)
        put(account, f"iris/batch_input/part-{number}.csv", csv(rows.drop(columns="label")))

    sagemaker, name = account.client("sagemaker"), "iris-tree"
    container = {"Image": SKLEARN, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{account.bucket}/iris/batch_input"}
            },
            "ContentType": "text/csv",
        },
        TransformOutput={"S3OutputPath": f"s3://{account.bucket}/iris/batch_output"},
        TransformResources={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    )
    wait(sagemaker, "transform_job_completed_or_stopped", TransformJobName=name)
    found = sagemaker.describe_transform_job(TransformJobName=name)
    assert found["TransformJobStatus"] == "Completed", found.get("FailureReason")
    for number in range(10):
        key = f"iris/batch_output/part-{number}.csv.out"
        body = account.client("s3").get_object(Bucket=account.bucket, Key=key)["Body"].read()
        assert json.loads(body) == frame.sample(100, random_state=number)["label"].tolist()


def csv(frame: pd.DataFrame) -> bytes:
    out = io.StringIO()
    frame.to_csv(out, index=False, header=False)
    return out.getvalue().encode()
