"""What lies in S3: addresses in their two parts, and the error that says that nothing is there."""

from botocore.exceptions import ClientError


def place(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def is_absent(error: ClientError) -> bool:
    """Whether S3 says that there is no such object; a HEAD has no words for it."""
    return error.response["Error"]["Code"] in {"NoSuchKey", "404"}
