"""What AWS looks up before it takes a job: whether there is anything behind its inputs, and whether the image is there.

Refusals carry AWS's words, as in public reports of them. The output's bucket is not among what AWS looks up: a job
whose bucket is missing fails when it uploads.
"""

import re
from typing import Any

from botocore.exceptions import ClientError

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import images
from penstock.localaws.sagemaker.jobs import transfers
from penstock.localaws.sagemaker.plane import Plane

Params = dict[str, Any]

_ECR = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
)


def check_training(plane: Plane, params: Params) -> None:
    """Refuse a training job whose image or input AWS would not find."""
    check_image(params["AlgorithmSpecification"]["TrainingImage"], params["RoleArn"])
    for channel in params.get("InputDataConfig", []):
        _check_source(plane, channel["DataSource"]["S3DataSource"]["S3Uri"], params["RoleArn"])


def check_image(uri: str, role: str) -> None:
    """Refuse an image nobody could pull."""
    if images.exists(uri):
        return
    known = (
        f"(The embedded AWS has no Docker; it stands in for these repositories: {', '.join(images.known())}.)"
    )
    found = _ECR.match(uri)
    if found is None:
        raise ServiceError(
            "ValidationException",
            f"Invalid image URI {uri}. Please provide a valid Amazon Elastic Container Registry path of the Docker "
            f"image to run. {known}",
        )
    raise ServiceError(
        "ValidationException",
        f"Cannot find repository: {found['repository']} in registry ID: {found['registry']} Please check if your ECR "
        f"repository exists and role {role} has proper pull permissions for SageMaker: "
        f"ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer {known}",
    )


def _check_source(plane: Plane, uri: str, role: str) -> None:
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ServiceError("ValidationException", f"{uri} is not an S3 URI such as s3://bucket/prefix.")
    said = ""
    try:
        found = plane.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        if found["KeyCount"] > 0:
            return
    except ClientError as error:
        said = f" Error message from S3: {error.response.get('Error', {}).get('Message', error)}"
    raise ServiceError(
        "ValidationException", transfers.nothing_found(uri, bucket, plane.place.region, role) + said
    )
