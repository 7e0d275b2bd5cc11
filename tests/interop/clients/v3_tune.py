"""SDK v3: tune the hyperparameters of a script with HyperparameterTuner."""

import logging
import os
import tempfile

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter
from sagemaker.core.resources import HyperParameterTuningJob
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

logging.basicConfig(level=logging.INFO)
ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = Session()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    for channel in ("train", "validation"):
        np.savetxt(os.path.join(data, f"{channel}.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    uploaded = session.upload_data(data, key_prefix="v3/tune")

image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.4-2", instance_type="ml.m5.large")
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=SOURCE, entry_script="train.py", requirements="requirements.txt"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"penalty": 1.0, "max-iter": 50},
    base_job_name="v3-tune",
    role=ROLE,
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    model_trainer=trainer,
    objective_metric_name="validation:accuracy",
    metric_definitions=[{"Name": "validation:accuracy", "Regex": "validation-accuracy: ([0-9.]+)"}],
    hyperparameter_ranges={
        "penalty": ContinuousParameter(0.01, 10, scaling_type="Logarithmic"),
        "max-iter": CategoricalParameter(["50", "100"]),
    },
    strategy="Random",
    objective_type="Maximize",
    max_jobs=3,
    max_parallel_jobs=2,
    base_tuning_job_name="v3-tune",
)
tuner.tune(
    inputs=[
        InputData(channel_name="train", data_source=uploaded),
        InputData(channel_name="validation", data_source=uploaded),
    ],
    wait=True,
)
job = HyperParameterTuningJob.get(tuner._current_job_name)
assert job.hyper_parameter_tuning_job_status == "Completed", job
assert job.training_job_status_counters.completed == 3
best = tuner.best_training_job()
assert best == job.best_training_job.training_job_name
assert job.best_training_job.final_hyper_parameter_tuning_job_objective_metric.value > 0.9
assert 0.01 <= float(job.best_training_job.tuned_hyper_parameters["penalty"].strip('"')) <= 10
