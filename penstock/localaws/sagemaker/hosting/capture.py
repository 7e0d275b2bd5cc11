"""Data capture: what endpoints were asked and answered, in S3 as JSON lines.

    <destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/<minute>-<second>-<millisecond>-<uuid>.jsonl

`note` is for the event loop: it puts a request into memory and no more. A thread writes what has gathered each minute
(of the plane's clock), or sooner when it is much. Answers of 2xx are captured; what a model refused is not.
"""

import base64
import json
import logging
import random
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from penstock.localaws.sagemaker.hosting.http_client import Reply
from penstock.localaws.sagemaker.names import split_s3
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

_EVERY_SECONDS = 60.0
_MUCH_BYTES = 8 * 1024 * 1024
_TOO_MUCH_BYTES = 256 * 1024 * 1024  # not yet written: S3 does not keep up, and what comes on top is let go


@dataclass(frozen=True)
class Captured:
    """One invocation; header names are in lower case."""

    endpoint: str
    variant: str
    config: Mapping[str, Any]
    time: float
    headers: Mapping[str, str]
    body: bytes
    reply: Reply

    @property
    def hour(self) -> tuple[str, str, str, str]:
        """What goes into one file: destination, endpoint, variant and hour."""
        hour = datetime.fromtimestamp(self.time, UTC).strftime("%Y/%m/%d/%H")
        return self.config["DestinationS3Uri"].rstrip("/"), self.endpoint, self.variant, hour

    @property
    def size(self) -> int:
        """Bytes it holds."""
        return len(self.body) + len(self.reply.body)


class Captures:
    """Captured invocations of a plane on their way to S3."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._lock = threading.Lock()  # of what has gathered; never held while S3 is written to
        self._writing = threading.Lock()
        self._gathered: list[Captured] = []
        self._size = 0
        self._lost = 0
        self._ending = False
        self._thread: threading.Thread | None = None

    def note(self, captured: Captured) -> None:
        """Keep an invocation for the next file, if it is sampled."""
        if random.random() * 100 >= captured.config["InitialSamplingPercentage"]:  # noqa: S311  no secret
            return
        with self._lock:
            if self._size > _TOO_MUCH_BYTES:
                self._lost += 1
                return
            self._gathered.append(captured)
            self._size += captured.size
            much = self._size > _MUCH_BYTES
            if self._thread is None and not self._ending:
                self._thread = threading.Thread(target=self._run, name="data-capture", daemon=True)
                self._thread.start()
        if much:
            self._plane.clock.wake()

    def flush(self, endpoint: str | None = None) -> None:
        """Write what has gathered (of one endpoint, None: of all), and return when it is in S3."""
        with self._writing:
            with self._lock:
                taken = [one for one in self._gathered if endpoint in (None, one.endpoint)]
                self._gathered = [one for one in self._gathered if endpoint not in (None, one.endpoint)]
                self._size = sum(one.size for one in self._gathered)
                lost, self._lost = self._lost, 0
            if lost:
                log.warning("%d invocations were not captured: S3 does not keep up", lost)
            for hour, records in groupby(
                sorted(taken, key=lambda one: (one.hour, one.time)), lambda one: one.hour
            ):
                self._write(hour, list(records))

    def close(self) -> None:
        """Write what is left, then end."""
        self._ending = True
        self._plane.clock.wake()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self.flush()

    def _run(self) -> None:
        while not self._ending:
            self._plane.clock.wait(_EVERY_SECONDS, lambda: self._ending or self._size > _MUCH_BYTES)
            self.flush()

    def _write(self, hour: tuple[str, str, str, str], records: list[Captured]) -> None:
        moment = datetime.fromtimestamp(records[0].time, UTC)
        millis = moment.microsecond // 1000
        file = f"{moment:%M-%S}-{millis:03d}-{uuid.uuid4()}.jsonl"
        bucket, key = split_s3("/".join([*hour, file]))
        key_id = records[0].config.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        try:
            self._plane.client("s3").put_object(Bucket=bucket, Key=key, Body=lines(records), **encryption)
        except Exception as error:  # noqa: BLE001  as on AWS, endpoints answer though nothing can be captured
            log.warning(
                "%d captured invocations were not written to s3://%s/%s: %s", len(records), bucket, key, error
            )


def lines(records: Iterable[Captured]) -> bytes:
    """The file's content, one line an invocation, as AWS writes it."""
    return b"".join(
        json.dumps(document(one), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for one in records
    )


def document(captured: Captured) -> dict[str, Any]:
    """One invocation as AWS writes it."""
    modes = {option["CaptureMode"] for option in captured.config["CaptureOptions"]}
    data = {}
    if modes & {"Input", "InputAndOutput"}:
        kind = captured.headers.get("content-type")
        data["endpointInput"] = _payload(captured.config, kind, "INPUT", captured.body)
    if modes & {"Output", "InputAndOutput"}:
        kind = captured.reply.headers.get("content-type")
        data["endpointOutput"] = _payload(captured.config, kind, "OUTPUT", captured.reply.body)
    return {"captureData": data, "eventMetadata": _metadata(captured), "eventVersion": "0"}


def _metadata(captured: Captured) -> dict[str, Any]:
    attributes = captured.headers.get("x-amzn-sagemaker-custom-attributes")
    inference = captured.headers.get("x-amzn-sagemaker-inference-id")
    return {
        "eventId": str(uuid.uuid4()),
        **({"customAttributes": [attributes]} if attributes else {}),
        **({"inferenceId": inference} if inference else {}),
        "inferenceTime": datetime.fromtimestamp(captured.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _payload(config: Mapping[str, Any], kind: str | None, mode: str, body: bytes) -> dict[str, str]:
    data, encoding = _encoded(config.get("CaptureContentTypeHeader", {}), kind or "", body)
    observed = {"observedContentType": kind} if kind else {}
    return {**observed, "mode": mode, "data": data, "encoding": encoding}


def _encoded(types: Mapping[str, list[str]], kind: str, body: bytes) -> tuple[str, str]:
    """As text when the content type is one of those named, else in base64."""
    base = kind.partition(";")[0].strip().lower()
    for encoding, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if base in (named.lower() for named in types.get(member, [])):
            try:
                return body.decode(), encoding
            except UnicodeDecodeError:
                break
    return base64.b64encode(body).decode(), "BASE64"
