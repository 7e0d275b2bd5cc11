"""SDK v3: a processing script with ScriptProcessor, and one with requirements with FrameworkProcessor."""

import json
import logging
import os
import tempfile

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ProcessingJob
from sagemaker.core.shapes import (
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)

logging.basicConfig(level=logging.INFO)
ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = Session()
bucket = session.default_bucket()
with tempfile.TemporaryDirectory() as data:
    path = os.path.join(data, "numbers.csv")
    with open(path, "w") as file:
        file.write("3\n1\n2\n0.5\n")
    numbers = session.upload_data(path, key_prefix="v3/numbers")


def inputs():
    source = ProcessingS3Input(
        s3_uri=numbers,
        local_path="/opt/ml/processing/input",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
    )
    return [ProcessingInput(input_name="numbers", s3_input=source)]


def outputs(name):
    target = ProcessingS3Output(
        s3_uri=f"s3://{bucket}/v3/{name}", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
    )
    return [ProcessingOutput(output_name="kept", s3_output=target)]


def kept(name):
    body = session.s3_client.get_object(Bucket=bucket, Key=f"v3/{name}/kept.json")["Body"].read()
    return json.loads(body)


image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.4-2", instance_type="ml.m5.large")
processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=ROLE,
    instance_count=1,
    instance_type="ml.m5.large",
    base_job_name="v3-script",
    env={"COLOUR": "blue"},
    sagemaker_session=session,
)
processor.run(
    code=os.path.join(SOURCE, "prepare.py"),
    inputs=inputs(),
    outputs=outputs("script"),
    arguments=["--threshold", "0.9"],
    wait=True,
    logs=True,
)
assert kept("script") == {"kept": [1.0, 2.0, 3.0], "colour": "blue"}
job = ProcessingJob.get(processor.latest_job.processing_job_name)
assert job.processing_job_status == "Completed", job
assert job.app_specification.container_entrypoint[0] == "python3"
assert job.processing_job_name in [
    one.processing_job_name for one in ProcessingJob.get_all(name_contains="v3-")
]
job.delete()

framework = FrameworkProcessor(
    image_uri=image,
    role=ROLE,
    instance_count=1,
    instance_type="ml.m5.large",
    base_job_name="v3-framework",
    env={"COLOUR": "red"},
    sagemaker_session=session,
)
framework.run(
    code="prepare.py",
    source_dir=SOURCE,
    requirements="requirements.txt",
    inputs=inputs(),
    outputs=outputs("framework"),
    arguments=["--threshold", "1.5"],
    wait=True,
    logs=False,
)
assert kept("framework") == {"kept": [2.0, 3.0], "colour": "red"}

sleeper = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=ROLE,
    instance_count=1,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
with tempfile.TemporaryDirectory() as code:
    script = os.path.join(code, "sleep.py")
    with open(script, "w") as file:
        file.write("import time\ntime.sleep(600)\n")
    sleeper.run(code=script, wait=False)
sleeper.latest_job.stop()
sleeper.latest_job.wait(poll=1, timeout=60)
assert sleeper.latest_job.processing_job_status == "Stopped", sleeper.latest_job
