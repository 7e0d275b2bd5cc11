"""Transform jobs of SageMaker, and the function that prepares them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.aws import FAILED, calling, code_of, message_of, translated
from chalicelib.domain.bucket import Listed


class SageMakerTransforms:
    """The Transforms port."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self, request: Mapping[str, Any]) -> None:
        """Create the job, or be content that it exists: its name says which file and model it is for."""
        try:
            self._client.create_transform_job(**request)
        except FAILED as error:
            if code_of(error) != "ResourceInUse" and "already exist" not in message_of(error).lower():
                raise translated(error, f"transform job {request['TransformJobName']}") from error

    def status(self, name: str) -> tuple[str, str | None]:
        """The job's status and, when it failed, its reason."""
        with calling(f"transform job {name}"):
            found = self._client.describe_transform_job(TransformJobName=name)
        return str(found["TransformJobStatus"]), found.get("FailureReason")


class LambdaBackground:
    """The Background port: the stage's own functions, called without waiting for them."""

    def __init__(self, client: Any, stage: str, bucket: str) -> None:
        self._client, self._stage, self._bucket = client, stage, bucket

    def score(self, batch: str, key: str) -> None:
        """Have function score take up a batch, told as the event of a drop is."""
        self._tell("Batch Accepted", {"object": {"key": key}, "batch": batch})

    def dropped(self, upload: Listed) -> None:
        """Tell function score of an upload, as its lost event would have."""
        told = {"key": upload.key, "etag": upload.etag, "version-id": upload.version_id}
        self._tell("Object Found", {"object": told})

    def _tell(self, kind: str, detail: Mapping[str, Any]) -> None:
        detail = {"bucket": {"name": self._bucket}, **detail}
        event = {
            "version": "0", "id": "", "account": "", "time": "", "region": "", "resources": [],
            "source": "penstock", "detail-type": kind, "detail": detail,
        }  # fmt: skip
        name = f"penstock-{self._stage}-score"
        with calling(f"function {name}"):
            self._client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())
