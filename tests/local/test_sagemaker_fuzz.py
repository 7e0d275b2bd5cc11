"""No request, however odd, is answered with an error of ours: thousands made at random from the service model."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from penstock.localaws.sagemaker import api, validation
from tests.local.conftest import EmbeddedAws
from tests.local.job_requests import ROLE, SKLEARN, new_bucket, put, shell_training
from tests.local.test_sagemaker_wire import JSON, post

SERVICE = validation.service()
SHAPES = SERVICE["shapes"]
OPERATIONS = sorted(
    {name for module in api._load_modules().values() for name in getattr(module, "OPERATIONS", {})}
)
ARN = "arn:aws:sagemaker:us-east-1:000000000000:"
WORDS = [
    *("a", "b", "A1", "a/1", "1", "0.5", "", "é", "\ud800", "x" * 64, "../..", ".*", "(", "$.a", "{}"),
    *("s3://fuzz/x", "s3://fuzz/m.tar.gz", "/opt/ml/a", "/opt/ml/processing/x", "text/csv", "ml.m5.large"),
    *(ROLE, SKLEARN, f"{ARN}model/a", f"{ARN}training-job/a", f"{ARN}model-package/a/1", f"{ARN}endpoint/a"),
]
NUMBERS = (0, 1, 2, 0.5, -1, 1e9, 1e18)


class Maker:
    """Values for shapes: often what the shape allows, sometimes not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, name: str, depth: int = 0) -> Any:
        """Something for the shape of that name."""
        shape = SHAPES[name]
        make: Callable[[dict[str, Any], int], Any] = getattr(self, shape["type"], self.number)
        return make(shape, depth)

    def structure(self, shape: dict[str, Any], depth: int) -> Any:
        often = 0.35 if depth < 3 else 0.1
        return {
            name: self.value(member["shape"], depth + 1)
            for name, member in shape["members"].items()
            if name in shape.get("required", ()) or self.random.random() < often
        }

    def list(self, shape: dict[str, Any], depth: int) -> Any:
        least = shape.get("min", 0)
        count = self.random.randint(least, max(least, 2))
        return [self.value(shape["member"]["shape"], depth + 1) for _ in range(count)]

    def map(self, shape: dict[str, Any], depth: int) -> Any:
        keys = [self.value(shape["key"]["shape"]) for _ in range(self.random.randint(0, 2))]
        return {key: self.value(shape["value"]["shape"], depth + 1) for key in keys}

    def boolean(self, _shape: dict[str, Any], _depth: int) -> Any:
        return self.random.random() < 0.5

    def number(self, shape: dict[str, Any], _depth: int) -> Any:
        return self.random.choice([shape.get("min", 0), shape.get("max", 5), *NUMBERS])

    def string(self, shape: dict[str, Any], _depth: int) -> Any:
        matches = validation._pattern(shape["pattern"]) if "pattern" in shape else lambda _word: True
        allowed = shape.get("enum") or [word for word in WORDS if matches(word)]
        return self.random.choice(allowed or WORDS)

    def changed(self, request: dict[str, Any], shape_name: str) -> dict[str, Any]:
        """A good request with something odd here and there."""
        changed = dict(request)
        for name, member in SHAPES[shape_name].get("members", {}).items():
            if self.random.random() < 0.06:
                changed[name] = self.value(member["shape"], 2)
            elif isinstance(changed.get(name), dict) and SHAPES[member["shape"]]["type"] == "structure":
                changed[name] = self.changed(changed[name], member["shape"])
        return changed


def good(bucket: str, name: str) -> dict[str, dict[str, Any]]:
    """Requests that are carried out, so that there is something to be odd about."""
    variant = {"VariantName": "a", "ModelName": "a", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
    return {
        "CreateTrainingJob": shell_training(bucket, name, "true"),
        "CreateProcessingJob": {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/bin/true"]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
        },
        "CreateTransformJob": {
            "TransformJobName": name,
            "ModelName": "a",
            "TransformInput": {"DataSource": source},
            "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        "CreateModel": {
            "ModelName": name,
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": SKLEARN},
        },
        "CreateEndpointConfig": {"EndpointConfigName": name, "ProductionVariants": [variant]},
        "CreateEndpoint": {"EndpointName": name, "EndpointConfigName": "a"},
        "UpdateEndpoint": {"EndpointName": name, "EndpointConfigName": "a"},
        "CreateModelPackageGroup": {"ModelPackageGroupName": name},
        "CreateModelPackage": {"ModelPackageGroupName": "a"},
        "UpdateModelPackage": {"ModelPackageArn": f"{ARN}model-package/a/1"},
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_request_is_an_error_of_ours(own_aws: Callable[[], EmbeddedAws], seed: int) -> None:
    aws, maker = own_aws(), Maker(seed)
    bucket = new_bucket(aws)
    put(aws, bucket, "in/a.csv", "1,2")
    answered: dict[int, int] = {}
    for _ in range(3000):
        operation = maker.random.choice(OPERATIONS)
        shape = SERVICE["operations"][operation]["input"]["shape"]
        base = good(bucket, maker.random.choice("ab")).get(operation)
        request = maker.value(shape) if base is None else maker.changed(base, shape)
        status, _, document = post(
            aws, json.dumps(request).encode(), X_Amz_Target=f"SageMaker.{operation}", Content_Type=JSON
        )
        assert status < 500, (operation, document, request)
        answered[status] = answered.get(status, 0) + 1
    assert min(answered[200], answered[400]) > 300, answered
