"""Carries one asynchronous request out: input from S3 to a model server, its answer to S3, word of it to SNS.

In a thread of its own. Neither input nor answer is in memory as a whole: up to 1 GB each pass through in pieces.
"""

import contextlib
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.sagemaker.hosting import async_notices
from penstock.localaws.sagemaker.hosting.async_notices import Result
from penstock.localaws.sagemaker.hosting.async_requests import Request
from penstock.localaws.sagemaker.names import split_s3
from penstock.localaws.sagemaker.plane import Plane

FOLDER = "asynchronous"  # below the plane's root: answers on their way to S3
LARGEST_BYTES = 1024 * 1024 * 1024
_PIECE = 1 << 20
# Notes a value of one of the endpoint's metrics.
Note = Callable[[str, float], None]


class Gone(Exception):
    """The model server went away: the request may be given to another one."""


class Failure(Exception):
    """The request has failed for a reason of its own; `metric` counts it."""

    def __init__(self, reason: str, metric: str | None = None) -> None:
        super().__init__(reason)
        self.metric = metric


@dataclass
class Answer:
    """What a model said, in a file."""

    status: int
    content_type: str | None
    path: Path
    size: int

    @property
    def content(self) -> bytes | None:
        """All of it, when it is small enough for a message."""
        return self.path.read_bytes() if async_notices.may_be_included(self.size) else None


class Worker:
    """Carries out requests of one plane; `largest` bytes may an input and an answer have."""

    def __init__(self, plane: Plane, largest: int = LARGEST_BYTES) -> None:
        self._plane = plane
        self._largest = largest

    def carry_out(self, request: Request, port: int, note: Note) -> Result:
        """Ask the model server on `port`, store what it says; raises Gone when another one is to be asked."""
        root = self._plane.place.root / FOLDER
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as folder:
            try:
                answer = self._ask(request, port, Path(folder) / "answer", note)
                return self._store(request, answer, note)
            except Failure as failure:
                if failure.metric:
                    note(failure.metric, 1.0)
                return self.fail(request, str(failure))

    def fail(self, request: Request, reason: str) -> Result:
        """Write the reason where failures go."""
        if request.failure is not None:
            bucket, key = split_s3(request.failure)
            with contextlib.suppress(ClientError, BotoCoreError):  # the message still tells
                self._plane.client("s3").put_object(Bucket=bucket, Key=key, Body=reason.encode())
        return Result(reason)

    def tell(self, request: Request, result: Result, note: Note) -> None:
        """Publish the result, if anybody is to hear of it."""
        topic = async_notices.topic(request, result)
        if topic is None:
            return
        text = async_notices.message(self._plane.place, request, result, self._plane.clock.now())
        try:
            self._plane.client("sns").publish(TopicArn=topic, Message=text)
        except (ClientError, BotoCoreError):
            note("NotificationFailures", 1.0)

    def _ask(self, request: Request, port: int, path: Path, note: Note) -> Answer:
        size, pieces = self._input(request, note)
        deadline = time.monotonic() + request.timeout
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=request.timeout)
        with contextlib.closing(connection):
            try:
                connection.request(
                    "POST", "/invocations", pieces, {**request.headers, "Content-Length": str(size)}
                )
                answered = connection.getresponse()
                with path.open("wb") as file:
                    written = self._receive(answered, file, deadline)
            except TimeoutError as late:
                raise Failure(
                    f"ClientError: The model did not answer within {request.timeout} seconds "
                    "(InvocationTimeoutSeconds)."
                ) from late
            except BotoCoreError as error:
                raise Failure(
                    f"ClientError: The request broke off while it was downloaded: {error}",
                    "RequestDownloadFailures",
                ) from error
            except (OSError, http.client.HTTPException) as error:
                raise Gone(str(error)) from error
        note("ModelLatency", (time.perf_counter() - began) * 1e6)
        note("Invocation4XXErrors", float(400 <= answered.status < 500))
        note("Invocation5XXErrors", float(answered.status >= 500))
        return Answer(answered.status, answered.getheader("content-type"), path, written)

    def _receive(self, answered: http.client.HTTPResponse, file: IO[bytes], deadline: float) -> int:
        written = 0
        while piece := answered.read(_PIECE):
            written += file.write(piece)
            if written > self._largest:
                raise Failure(f"ClientError: The answer is over {self._largest} bytes.")
            if time.monotonic() > deadline:
                raise TimeoutError
        return written

    def _input(self, request: Request, note: Note) -> tuple[int, Any]:
        """Size and pieces of the input."""
        if request.source is None:
            return len(request.body), request.body
        bucket, key = split_s3(request.source)
        began = time.perf_counter()
        try:
            found = self._plane.client("s3").get_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise Failure(
                f"ClientError: Failed to download the request from {request.source}: {error}",
                "RequestDownloadFailures",
            ) from error
        if found["ContentLength"] > self._largest:
            found["Body"].close()
            raise Failure(
                f"ClientError: The request at {request.source} is over {self._largest} bytes.",
                "RequestDownloadFailures",
            )
        note("RequestDownloadLatency", (time.perf_counter() - began) * 1e6)
        return found["ContentLength"], _pieces(found["Body"])

    def _store(self, request: Request, answer: Answer, note: Note) -> Result:
        if not 200 <= answer.status < 300:
            return self._store_failure(request, answer)
        began = time.perf_counter()
        try:
            self._upload(request, answer, request.output)
        except (ClientError, BotoCoreError) as error:
            raise Failure(
                f"ClientError: Failed to upload the response to {request.output}: {error}",
                "ResponseUploadFailures",
            ) from error
        note("ResponseUploadLatency", (time.perf_counter() - began) * 1e6)
        return Result(None, answer.content_type, answer.content)

    def _store_failure(self, request: Request, answer: Answer) -> Result:
        """What the model said goes where failures go, as it said it."""
        if request.failure is not None:
            with contextlib.suppress(ClientError, BotoCoreError):  # the message still tells
                self._upload(request, answer, request.failure)
        kind = "client" if 400 <= answer.status < 500 else "server"
        reason = (
            f"ClientError: Received {kind} error ({answer.status}) from model. "
            "See the SageMaker Endpoint logs in your account for more information."
        )
        return Result(reason, answer.content_type, answer.content)

    def _upload(self, request: Request, answer: Answer, uri: str) -> None:
        bucket, key = split_s3(uri)
        extra = {"ContentType": answer.content_type} if answer.content_type else {}
        if key_id := request.config.get("KmsKeyId"):
            extra |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
        self._plane.client("s3").upload_file(str(answer.path), bucket, key, ExtraArgs=extra)


def _pieces(body: Any) -> Iterator[bytes]:
    with contextlib.closing(body):
        yield from body.iter_chunks(_PIECE)
