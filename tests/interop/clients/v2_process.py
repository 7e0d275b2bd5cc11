"""SDK v2: processing jobs by SKLearnProcessor, ScriptProcessor, FrameworkProcessor and Processor."""

import json
import os
import tempfile

import sagemaker
from sagemaker import image_uris
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.processing import (
    FrameworkProcessor,
    ProcessingInput,
    ProcessingJob,
    ProcessingOutput,
    Processor,
    ScriptProcessor,
)
from sagemaker.sklearn import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor

ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = sagemaker.Session()
bucket = session.default_bucket()
work = tempfile.TemporaryDirectory()
numbers = os.path.join(work.name, "numbers.csv")
with open(numbers, "w") as file:
    file.write("3\n1\n2\n0.5\n")
common = {"role": ROLE, "instance_type": "ml.m5.large", "instance_count": 1, "sagemaker_session": session}


def files(name):
    target = ProcessingOutput(
        source="/opt/ml/processing/output", destination=f"s3://{bucket}/v2/{name}", output_name="kept"
    )
    return {
        "inputs": [ProcessingInput(source=numbers, destination="/opt/ml/processing/input")],
        "outputs": [target],
    }


def kept(name):
    return json.loads(session.read_s3_file(bucket, f"v2/{name}/kept.json"))


processor = SKLearnProcessor(
    framework_version="1.2-1", env={"COLOUR": "green"}, base_job_name="v2-skl", **common
)
processor.run(os.path.join(SOURCE, "prepare.py"), arguments=["--threshold", "0.9"], **files("sklearn"))
assert kept("sklearn") == {"kept": [1.0, 2.0, 3.0], "colour": "green"}
described = processor.latest_job.describe()
assert described["ProcessingJobStatus"] == "Completed", described
assert processor.latest_job.outputs[0].destination == f"s3://{bucket}/v2/sklearn"
again = ProcessingJob.from_processing_name(session, described["ProcessingJobName"])
assert again.describe()["ProcessingJobArn"] == described["ProcessingJobArn"]

image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1")
script = ScriptProcessor(image_uri=image, command=["python3"], env={"COLOUR": "red"}, **common)
script.run(
    os.path.join(SOURCE, "prepare.py"), arguments=["--threshold", "1.5"], logs=False, **files("script")
)
assert kept("script") == {"kept": [2.0, 3.0], "colour": "red"}

framework = FrameworkProcessor(
    estimator_cls=SKLearn, framework_version="1.2-1", env={"COLOUR": "grey"}, **common
)
framework.run("prepare.py", source_dir=SOURCE, arguments=["--threshold", "2.5"], **files("framework"))
assert kept("framework") == {"kept": [3.0], "colour": "grey"}

plain = Processor(image_uri=image, entrypoint=["sh", "-c", "echo out of steam >&2; exit 7"], **common)
try:
    plain.run(logs=False)
except UnexpectedStatusException as failed:
    assert failed.actual_status == "Failed"
    assert plain.latest_job.describe()["FailureReason"].startswith("AlgorithmError"), failed
else:
    raise AssertionError("a container that ends with 7 has not failed the job")

slow = Processor(image_uri=image, entrypoint=["sleep", "600"], **common)
slow.run(wait=False, logs=False)
slow.latest_job.stop()
session.sagemaker_client.get_waiter("processing_job_completed_or_stopped").wait(
    ProcessingJobName=slow.latest_job.job_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)
assert slow.latest_job.describe()["ProcessingJobStatus"] == "Stopped"
work.cleanup()
