"""Plain boto3: a training job, its model behind an endpoint, waiters for everything, pages of everything."""

import io
import json
import os
import tarfile

import boto3

ROLE = os.environ["SAGEMAKER_ROLE"]
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
SCRIPT = "import pathlib\npathlib.Path('/opt/ml/model/greeting.txt').write_text('hello')\n"
INFERENCE = """
import pathlib
def model_fn(model_dir):
    return pathlib.Path(model_dir, "greeting.txt").read_text()
def transform_fn(model, data, content_type, accept):
    return f'"{model}, {data}"', "application/json"
"""
soon = {"Delay": 1, "MaxAttempts": 60}
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
runtime, bucket = boto3.client("sagemaker-runtime"), "boto3-waiters"


def archive(**files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as opened:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/") + ".py")
            member.size = len(text)
            opened.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="code.tar.gz", Body=archive(train=SCRIPT))
s3.put_object(Bucket=bucket, Key="inference.tar.gz", Body=archive(inference=INFERENCE))
for number in range(3):
    sagemaker.create_training_job(
        TrainingJobName=f"waited-{number}",
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://{bucket}/code.tar.gz",
        },
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
for number in range(3):
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=f"waited-{number}", WaiterConfig=soon
    )
pages = sagemaker.get_paginator("list_training_jobs").paginate(
    NameContains="waited", PaginationConfig={"PageSize": 2}
)
listed = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
assert listed == ["waited-2", "waited-1", "waited-0"], listed

model = sagemaker.describe_training_job(TrainingJobName="waited-0")["ModelArtifacts"]["S3ModelArtifacts"]
environment = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{bucket}/inference.tar.gz",
}
sagemaker.create_model(
    ModelName="waited",
    ExecutionRoleArn=ROLE,
    PrimaryContainer={"Image": IMAGE, "ModelDataUrl": model, "Environment": environment},
)
variant = {
    "VariantName": "only",
    "ModelName": "waited",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}
sagemaker.create_endpoint_config(EndpointConfigName="waited", ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName="waited", EndpointConfigName="waited")
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="waited", WaiterConfig=soon)
answer = runtime.invoke_endpoint(EndpointName="waited", Body=b"world", ContentType="text/csv")
assert json.loads(answer["Body"].read()) == "hello, world"
sagemaker.delete_endpoint(EndpointName="waited")
sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="waited", WaiterConfig=soon)
sagemaker.delete_endpoint_config(EndpointConfigName="waited")
sagemaker.delete_model(ModelName="waited")
