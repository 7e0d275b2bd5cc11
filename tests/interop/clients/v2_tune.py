"""SDK v2: tune the hyperparameters of a script, look at the trials, attach, and deploy the best."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = sagemaker.Session()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    for channel in ("train", "validation"):
        np.savetxt(os.path.join(data, f"{channel}.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    uploaded = session.upload_data(data, key_prefix="v2/tune")

estimator = SKLearn(
    entry_point="train.py",
    source_dir=SOURCE,
    framework_version="1.2-1",
    instance_type="ml.m5.large",
    instance_count=1,
    role=ROLE,
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator,
    "validation:accuracy",
    {"penalty": ContinuousParameter(0.01, 10), "max-iter": IntegerParameter(50, 100)},
    [{"Name": "validation:accuracy", "Regex": "validation-accuracy: ([0-9.]+)"}],
    max_jobs=3,
    max_parallel_jobs=2,
    base_tuning_job_name="v2-tune",
)
tuner.fit({"train": uploaded, "validation": uploaded})
described = tuner.describe()
assert described["HyperParameterTuningJobStatus"] == "Completed", described
frame = tuner.analytics().dataframe()
print(frame)
assert len(frame) == 3
assert frame["FinalObjectiveValue"].max() > 0.9
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
assert attached.best_training_job() == tuner.best_training_job()
best = tuner.best_estimator()
assert best.latest_training_job.name == tuner.best_training_job()
