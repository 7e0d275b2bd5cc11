"""An upload that asks for `aws:kms` and names no key is encrypted with the account's own key for S3, `aws/s3`.

Touches `ministack.services.s3._resolve_sse_write_headers`, through which PutObject, CopyObject, CreateMultipartUpload
and POST uploads go: MiniStack refuses such a request for want of a key. Checked on MiniStack 1.5.33. The SageMaker SDK
(v2 and v3) uploads its code and repacked models so. The answers name the key as AWS does, by the ARN it has in this
account and region; nothing is encrypted here, and KMS does not know the key.
"""

import uuid
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

from penstock.localaws.extension import pin

_ALGORITHM = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


def install() -> None:
    """Fill in the key."""
    pin.require(__name__)
    resolve = s3._resolve_sse_write_headers

    def resolve_sse_write_headers(headers: dict[str, str], bucket: str) -> Any:
        if headers.get(_ALGORITHM) == "aws:kms" and not headers.get(_KEY):
            headers = {**headers, _KEY: own_key(get_account_id(), get_region())}
        return resolve(headers, bucket)

    s3._resolve_sse_write_headers = resolve_sse_write_headers


def own_key(account: str, region: str) -> str:
    """The ARN of the key that S3 keeps for an account in a region; always the same."""
    address = f"arn:aws:kms:{region}:{account}"
    return f"{address}:key/{uuid.uuid5(uuid.NAMESPACE_URL, f'{address}:alias/aws/s3')}"
