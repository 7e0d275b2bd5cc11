"""SDK v2: the built-in XGBoost algorithm: the generic estimator, data without code, deploy, predict, tune."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

ROLE = os.environ["SAGEMAKER_ROLE"]

session = sagemaker.Session()
bucket = session.default_bucket()
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    for channel, rows in (("train", slice(0, 200)), ("validation", slice(200, 300))):
        path = os.path.join(data, f"{channel}.csv")
        np.savetxt(path, np.column_stack([y, x])[rows], delimiter=",", fmt="%g")
    train = session.upload_data(os.path.join(data, "train.csv"), key_prefix="v2/builtin/train")
    validation = session.upload_data(os.path.join(data, "validation.csv"), key_prefix="v2/builtin/validation")

image = image_uris.retrieve("xgboost", session.boto_region_name, version="3.0-5")
estimator = Estimator(
    image,
    ROLE,
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"s3://{bucket}/v2/builtin/output",
    base_job_name="v2-builtin",
    sagemaker_session=session,
)
estimator.set_hyperparameters(objective="binary:logistic", num_round=20, eta=0.3, eval_metric="auc")
inputs = {
    "train": TrainingInput(train, content_type="text/csv"),
    "validation": TrainingInput(validation, content_type="text/csv"),
}
estimator.fit(inputs)
metrics = {
    one["MetricName"]: one["Value"] for one in estimator.latest_training_job.describe()["FinalMetricDataList"]
}
assert metrics["validation:auc"] > 0.9, metrics

predictor = estimator.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    serializer=CSVSerializer(),
    endpoint_name="v2-builtin",
)
answer = predictor.predict([[2.0, 2.0], [-2.0, -2.0]]).decode()
scores = [float(score) for score in answer.replace(",", "\n").split()]
assert scores[0] > 0.5 > scores[1], answer
predictor.delete_endpoint()

tuner = HyperparameterTuner(
    estimator,
    "validation:auc",
    {"eta": ContinuousParameter(0.1, 0.5)},
    max_jobs=2,
    max_parallel_jobs=2,
    base_tuning_job_name="v2-builtin",
)
tuner.fit(inputs)
assert tuner.analytics().dataframe()["FinalObjectiveValue"].max() > 0.9

bad = Estimator(image, ROLE, instance_count=1, instance_type="ml.m5.large", sagemaker_session=session)
bad.set_hyperparameters(objective="binary:logistic", num_round=5, eta=7)
try:
    bad.fit(inputs, logs="None")
except sagemaker.exceptions.UnexpectedStatusException as failed:
    assert "eta" in str(failed), failed
    assert bad.latest_training_job.describe()["FailureReason"].startswith("ClientError"), failed
else:
    raise AssertionError("eta=7 was taken")
