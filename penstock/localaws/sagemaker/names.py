"""Names and numbers as SageMaker writes them: ARNs, times, S3 addresses."""

from datetime import UTC, datetime

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.place import Place


def arn(place: Place, kind: str, name: str) -> str:
    """`arn:aws:sagemaker:<region>:<account>:<kind>/<name>`, the name in lower case as AWS has it."""
    return f"arn:aws:sagemaker:{place.region}:{place.account}:{kind}/{name.lower()}"


def moment(epoch: float) -> datetime:
    """The aware UTC datetime of `epoch` seconds."""
    return datetime.fromtimestamp(epoch, UTC)


def split_s3(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; raises ServiceError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in ("s3", "https") or not bucket:
        raise ServiceError("ValidationException", f"{uri} is not an S3 URI such as s3://bucket/prefix.")
    return bucket, key


def not_found(what: str = "Requested resource not found.") -> ServiceError:
    """What AWS answers for a job that does not exist."""
    return ServiceError("ValidationException", what)
