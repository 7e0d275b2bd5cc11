"""SDK v2: the XGBoost estimator in script mode: fit, deploy, predict, and a job that fails says why."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer
from sagemaker.xgboost import XGBoost

ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = sagemaker.Session()
bucket = session.default_bucket()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    np.savetxt(os.path.join(data, "train.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    uploaded = session.upload_data(data, key_prefix="v2/xgboost")


def estimator(**hyperparameters):
    return XGBoost(
        entry_point="xgb.py",
        source_dir=SOURCE,
        framework_version="1.7-1",
        hyperparameters={"objective": "binary:logistic", **hyperparameters},
        instance_type="ml.m5.large",
        instance_count=1,
        role=ROLE,
        output_path=f"s3://{bucket}/v2/xgboost/output",
        base_job_name="v2-xgboost",
        sagemaker_session=session,
    )


fitted = estimator(num_round=20, eta=0.3)
fitted.fit({"train": TrainingInput(uploaded, content_type="text/csv", input_mode="FastFile")})
predictor = fitted.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    serializer=CSVSerializer(),
    endpoint_name="v2-xgboost",
)
answer = predictor.predict([[2.0, 2.0], [-2.0, -2.0]])
print(answer)
scores = [float(score) for score in np.ravel(answer)]
assert scores[0] > 0.5 > scores[1], answer
predictor.delete_model()
predictor.delete_endpoint()

try:
    estimator(num_round="many", eta=0.3).fit({"train": uploaded}, logs="None")
except UnexpectedStatusException as failed:
    assert failed.actual_status == "Failed"
    assert "AlgorithmError: ExecuteUserScriptError" in str(failed), failed
    assert "invalid int value" in str(failed), failed
else:
    raise AssertionError("a script that fails has not failed the job")
