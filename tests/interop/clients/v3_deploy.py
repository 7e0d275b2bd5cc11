"""SDK v3: train, build a model with its inference script, register it, deploy it, ask it, and take it all away."""

import json
import logging
import os
import tempfile

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, ModelPackage, ModelPackageGroup
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

logging.basicConfig(level=logging.INFO)
ROLE = os.environ["SAGEMAKER_ROLE"]
SOURCE = os.environ["SOURCE_DIR"]

session = Session()
bucket = session.default_bucket()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 2))
y = (x.sum(axis=1) > 0).astype(int)
with tempfile.TemporaryDirectory() as data:
    for channel in ("train", "validation"):
        np.savetxt(os.path.join(data, f"{channel}.csv"), np.column_stack([y, x]), delimiter=",", fmt="%g")
    uploaded = session.upload_data(data, key_prefix="v3/deploy")

image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.4-2", instance_type="ml.m5.large")
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=SOURCE, entry_script="train.py", requirements="requirements.txt"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    base_job_name="v3-deploy",
    role=ROLE,
    sagemaker_session=session,
)
trainer.train(
    input_data_config=[
        InputData(channel_name="train", data_source=uploaded),
        InputData(channel_name="validation", data_source=uploaded),
    ],
    logs=False,
)

builder = ModelBuilder(
    image_uri=image,
    s3_model_data_url=trainer._latest_training_job.model_artifacts.s3_model_artifacts,
    source_code=SourceCode(source_dir=SOURCE, entry_script="inference.py"),
    role_arn=ROLE,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
built = builder.build(model_name="v3-model")
endpoint = builder.deploy(endpoint_name="v3-endpoint", initial_instance_count=1, instance_type="ml.m5.large")

answer = endpoint.invoke(body=json.dumps([[2.0, 2.0], [-2.0, -2.0]]), content_type="application/json")
assert json.loads(answer.body.read()) == [1, 0]
answer = Endpoint.get("v3-endpoint").invoke(body="3,3\n-3,-3\n", content_type="text/csv", accept="text/csv")
assert answer.body.read().decode().split() == ["1", "0"]
assert answer.invoked_production_variant == endpoint.production_variants[0].variant_name

model = Model.get("v3-model")
assert model.primary_container.image == image
config = EndpointConfig.get(endpoint.endpoint_config_name)
assert config.production_variants[0].model_name == "v3-model"
assert endpoint.endpoint_status == "InService"
assert "v3-endpoint" in [one.endpoint_name for one in Endpoint.get_all(name_contains="v3-")]
assert "v3-model" in [one.model_name for one in Model.get_all(name_contains="v3-")]

group = ModelPackageGroup.create(model_package_group_name="v3-group", model_package_group_description="three")
package = builder.register(
    model_package_group_name="v3-group",
    content_types=["text/csv"],
    response_types=["text/csv"],
    inference_instances=["ml.m5.large"],
    transform_instances=["ml.m5.large"],
    approval_status="PendingManualApproval",
)
found = ModelPackage.get(package.model_package_arn if hasattr(package, "model_package_arn") else package)
assert found.model_approval_status == "PendingManualApproval"
found.update(model_approval_status="Approved")
assert ModelPackage.get(found.model_package_arn).model_approval_status == "Approved"
session.sagemaker_client.delete_model_package(ModelPackageName=found.model_package_arn)
found.wait_for_delete(poll=1, timeout=30)
group.delete()
group.wait_for_delete(poll=1, timeout=30)

endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=60)
config.delete()
model.delete()
