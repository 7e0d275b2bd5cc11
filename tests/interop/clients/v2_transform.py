"""SDK v2: batch transform of a directory with the model that an estimator trained."""

import os
import tempfile

import numpy as np
import sagemaker
from sagemaker.sklearn import SKLearn
from sagemaker.transformer import Transformer

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
    uploaded = session.upload_data(data, key_prefix="v2/transform/train")
with tempfile.TemporaryDirectory() as data:
    for name in ("a", "b"):
        np.savetxt(os.path.join(data, f"{name}.csv"), x[:20], delimiter=",", fmt="%g")
    batch = session.upload_data(data, key_prefix="v2/transform/batch")

estimator = SKLearn(
    entry_point="train.py",
    source_dir=SOURCE,
    framework_version="1.2-1",
    instance_type="ml.m5.large",
    instance_count=1,
    role=ROLE,
    sagemaker_session=session,
)
estimator.fit({"train": uploaded, "validation": uploaded}, logs="None")
model = estimator.create_model(entry_point="inference.py", source_dir=SOURCE)
transformer = model.transformer(
    instance_count=1,
    instance_type="ml.m5.large",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{bucket}/v2/transform/out",
)
transformer.transform(batch, content_type="text/csv", split_type="Line", wait=True, logs=True)
for name in ("a", "b"):
    lines = session.read_s3_file(bucket, f"v2/transform/out/{name}.csv.out").split()
    assert len(lines) == 20, lines
    agreed = np.mean([int(float(line)) == truth for line, truth in zip(lines, y[:20], strict=True)])
    assert agreed > 0.9, (lines, y[:20])
attached = Transformer.attach(transformer.latest_transform_job.name, sagemaker_session=session)
assert attached.output_path == f"s3://{bucket}/v2/transform/out"
transformer.delete_model()
