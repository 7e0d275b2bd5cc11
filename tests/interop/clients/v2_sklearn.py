"""SDK v2: the scikit-learn estimator: fit with its logs, attach, deploy, predict, delete."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn import SKLearn, SKLearnModel

ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = sagemaker.Session()
bucket = session.default_bucket()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    for channel in ("train", "validation"):
        np.savetxt(os.path.join(data, f"{channel}.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    uploaded = session.upload_data(data, key_prefix="v2/sklearn")

estimator = SKLearn(
    entry_point="train.py",
    source_dir=SOURCE,
    framework_version="1.2-1",
    instance_type="ml.m5.large",
    instance_count=1,
    role=ROLE,
    hyperparameters={"penalty": 0.5, "max-iter": 200},
    environment={"COLOUR": "green"},
    metric_definitions=[{"Name": "validation:accuracy", "Regex": "validation-accuracy: ([0-9.]+)"}],
    base_job_name="v2-sklearn",
    sagemaker_session=session,
)
estimator.fit({"train": uploaded, "validation": uploaded}, logs="All")
name = estimator.latest_training_job.name
described = session.describe_training_job(name)
assert described["TrainingJobStatus"] == "Completed", described
assert described["FinalMetricDataList"][0]["Value"] > 0.9
assert described["HyperParameters"]["sagemaker_program"] == '"train.py"'
assert estimator.model_data == f"s3://{bucket}/{name}/output/model.tar.gz"

frame = estimator.training_job_analytics.dataframe()
print(frame)
assert list(frame["metric_name"]) == ["validation:accuracy"]

attached = SKLearn.attach(name, sagemaker_session=session)
assert attached.model_data == estimator.model_data
assert attached.hyperparameters()["max-iter"] == "200"

predictor = attached.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    entry_point="inference.py",
    source_dir=SOURCE,
    endpoint_name="v2-sklearn",
)
assert predictor.predict(np.array([[2.0, 2.0], [-2.0, -2.0]])).tolist() == [1, 0]
predictor.serializer, predictor.deserializer = CSVSerializer(), JSONDeserializer()
assert predictor.predict([[3, 3], [-3, -3]]) == [1, 0]
predictor.delete_model()
predictor.delete_endpoint()
session.sagemaker_client.get_waiter("endpoint_deleted").wait(
    EndpointName="v2-sklearn", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)

model = SKLearnModel(
    model_data=estimator.model_data,
    role=ROLE,
    entry_point="inference.py",
    source_dir=SOURCE,
    framework_version="1.2-1",
    sagemaker_session=session,
)
again = model.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name="v2-model")
assert again.predict(np.array([[2.0, 2.0], [-2.0, -2.0]])).tolist() == [1, 0]
again.delete_endpoint(delete_endpoint_config=True)
