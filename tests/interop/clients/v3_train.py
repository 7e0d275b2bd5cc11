"""SDK v3: train a scikit-learn script with ModelTrainer, wait, read its logs; then stop another job."""

import logging
import os
import tempfile

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TrainingJob
from sagemaker.core.shapes import MetricDefinition
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode, StoppingCondition

logging.basicConfig(level=logging.INFO)
ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = Session()
bucket = session.default_bucket()
rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as data:
    for channel in ("train", "validation"):
        x = rng.normal(size=(200, 2))
        y = (x.sum(axis=1) > 0).astype(int)
        np.savetxt(os.path.join(data, f"{channel}.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    train = session.upload_data(os.path.join(data, "train.csv"), key_prefix="v3/train")
    validation = session.upload_data(os.path.join(data, "validation.csv"), key_prefix="v3/validation")

image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.4-2", instance_type="ml.m5.large")
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=SOURCE, entry_script="train.py", requirements="requirements.txt"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
    hyperparameters={"penalty": 0.5, "max-iter": 200},
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/v3/output"),
    environment={"COLOUR": "blue"},
    base_job_name="v3-train",
    role=ROLE,
    sagemaker_session=session,
).with_metric_definitions(
    [MetricDefinition(name="validation:accuracy", regex="validation-accuracy: ([0-9.]+)")]
)
trainer.train(
    input_data_config=[
        InputData(channel_name="train", data_source=train),
        InputData(channel_name="validation", data_source=validation),
    ],
    wait=True,
    logs=True,
)

job = TrainingJob.get(trainer._latest_training_job.training_job_name)
assert job.training_job_status == "Completed", job
assert job.secondary_status_transitions[-1].status == "Completed"
assert job.final_metric_data_list[0].metric_name == "validation:accuracy"
assert job.final_metric_data_list[0].value > 0.9
assert job.billable_time_in_seconds >= 1
assert (
    job.model_artifacts.s3_model_artifacts
    == f"s3://{bucket}/v3/output/{job.training_job_name}/output/model.tar.gz"
)
assert session.s3_client.head_object(
    Bucket=bucket, Key=f"v3/output/{job.training_job_name}/output/model.tar.gz"
)["ContentLength"]
assert job.training_job_name in [
    one.training_job_name for one in TrainingJob.get_all(name_contains="v3-train")
]

trainer.hyperparameters = {"penalty": 0.5, "sleep": 600}
trainer.train(
    input_data_config=[
        InputData(channel_name="train", data_source=train),
        InputData(channel_name="validation", data_source=validation),
    ],
    wait=False,
)
slow = trainer._latest_training_job
slow.stop()
slow.wait(poll=1, timeout=60, logs=True)
assert slow.training_job_status == "Stopped", slow
slow.delete()
slow.wait_for_delete(poll=1, timeout=60)
