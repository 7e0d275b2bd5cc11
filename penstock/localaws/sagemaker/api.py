"""SageMaker's wire (`X-Amz-Target` dispatch, errors and times as AWS sends them) and the plane's front, `SageMaker`.

Every operation lives in one of `_MODULES` (see `plane` for how they plug in).
"""

import asyncio
import contextlib
import importlib
import json
import logging
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import ModuleType
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker import limits, repeats
from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.events import Publish
from penstock.localaws.sagemaker.gate import Gate
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.validation import Model

log = logging.getLogger("penstock.localaws.sagemaker")
Response = tuple[int, dict[str, str], bytes]

_MODULES = (
    "jobs.operations",
    "transform.operations",
    "tuning.operations",
    "experiments.operations",
    "registry",
    "tags",
    "search",
    "hosting.fleets",
    "hosting.operations",
    "hosting.runtime",
)
_THREADS = 16
_CONTENT_TYPE = "application/x-amz-json-1.1"
_VERB = re.compile(r"([A-Z][a-z]+)(.*)")


class SageMaker:
    """The service: HTTP requests with `handle_request`, calls in the same process with `call`.

    `publish` puts events of source aws.sagemaker on the default bus of the embedded AWS.
    """

    def __init__(self, place: Place, publish: Publish, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._publish = publish
        self.plane = Plane(place, publish, self.clock)
        self._life = threading.RLock()  # one start, stop or reset at a time
        self._gate = Gate()
        self._counting = threading.Lock()  # between looking at a quota and using it up
        limits.configured()  # what is wrong with them is said at the start
        self._modules = _load_modules()
        self._operations: dict[str, Operation] = {}
        for module in self._modules.values():
            self._operations.update(getattr(module, "OPERATIONS", {}))
        self._model = Model()
        self._repeats = repeats.Repeats()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sagemaker")

    def start(self) -> None:
        """Take up again what a restart interrupted. The embedded AWS must answer already."""
        with self._life:
            for module in self._modules.values():
                getattr(module, "on_start", _nothing)(self.plane)

    def stop(self) -> None:
        """End every job and endpoint; what they were is kept."""
        with self._life:
            self._end()
            self._threads.shutdown(wait=True, cancel_futures=True)
            self.plane.close()

    def reset(self) -> None:
        """End every job and endpoint at once and forget everything; calls that come meanwhile wait for it."""
        with self._life, self._gate.shut():
            self._end()
            self.plane.execution.close(grace=0)
            for module in self._modules.values():
                getattr(module, "on_reset", _nothing)(self.plane)
            self.plane.close()
            shutil.rmtree(self.plane.place.root, ignore_errors=True)
            self.plane = Plane(self.plane.place, self._publish, self.clock)
            self.start()

    def _end(self) -> None:
        for module in reversed(self._modules.values()):
            getattr(module, "on_stop", _nothing)(self.plane)
        self.clock.wake()  # whoever waits for a time that no longer matters

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one operation; times in the answer are datetimes. Raises ServiceError."""
        handler = self._operations.get(operation)
        if handler is None:
            raise self._unsupported(operation)
        checked = self._model.check(operation, params)
        limits.check_request(operation, checked)
        counting = self._counting if operation in limits.QUOTAS else contextlib.nullcontext()
        with self._gate, counting:
            limits.check_account(self.plane, operation, checked)
            return handler(self.plane, checked)

    def wait_job(self, kind: str, name: str, stop: threading.Event | None = None) -> dict[str, Any]:
        """Block until the job (`training`, `processing`, …) has ended or `stop` is set; returns its Describe answer."""
        plane = self.plane
        for module in self._modules.values():
            if kind in getattr(module, "WAITS", {}):
                return self._waited(plane, module.WAITS[kind], name, stop)
        raise ServiceError("UnsupportedOperation", f"The embedded AWS has no {kind} jobs.")

    def _waited(
        self, plane: Plane, wait: Callable[..., dict[str, Any]], name: str, stop: threading.Event | None
    ) -> dict[str, Any]:
        try:
            return wait(plane, name, stop)
        except Exception as error:
            with self._gate:  # a reset under way takes the plane the job was in
                gone = plane is not self.plane
            if gone:
                raise ServiceError("ValidationException", "Requested resource not found.") from error
            raise

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Response:
        """Answer one HTTP request of the control plane or, for /endpoints/..., of the runtime."""
        lowered = {name.lower(): value for name, value in headers.items()}
        if path.startswith("/endpoints/"):
            answer: Response = await self._modules["hosting.runtime"].handle(
                self.plane, method, path, lowered, body, query_params
            )
            return answer
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, lowered, body)

    def _answer(self, headers: dict[str, str], body: bytes) -> Response:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        attempts = repeats.key(operation, headers, body)
        return self._repeats.once(attempts, lambda: self._carry_out(operation, headers, body))

    def _carry_out(self, operation: str, headers: dict[str, str], body: bytes) -> Response:
        request_id = str(uuid.uuid4())
        try:
            _check_protocol(headers)
            status, document = 200, self.call(operation, _parsed(body))
        except ServiceError as refused:
            status, document = refused.status, {"__type": refused.code, "message": refused.message}
        except Exception:
            log.exception("SageMaker.%s failed", operation)
            status, document = (
                500,
                {
                    "__type": "InternalFailure",
                    "message": f"The embedded SageMaker failed in {operation}; its log has request {request_id}.",
                },
            )
            log.error("that was request %s", request_id)
        content = json.dumps(document, default=_epoch).encode()
        answered = {"Content-Type": _CONTENT_TYPE, "x-amzn-RequestId": request_id}
        return status, answered, content

    def _unsupported(self, operation: str) -> ServiceError:
        if operation in self._model.operations():
            return ServiceError(
                "UnsupportedOperation",
                f"SageMaker's operation {operation} is not part of the embedded AWS. "
                f"It has {_grouped(self._operations)}.",
            )
        return ServiceError("UnknownOperationException", f"SageMaker has no operation {operation!r}.")


def _load_modules() -> dict[str, ModuleType]:
    """The modules of `_MODULES`, by the names they have there."""
    package = __name__.rpartition(".")[0]
    return {name: importlib.import_module(f"{package}.{name}") for name in _MODULES}


def _check_protocol(headers: dict[str, str]) -> None:
    """Refuse a request that no SDK sends, and say what it lacks."""
    if "x-amz-target" not in headers:
        raise ServiceError(
            "UnknownOperationException",
            "The request has no X-Amz-Target header, which names the operation: SageMaker.ListModels.",
        )
    given = headers.get("content-type", _CONTENT_TYPE)
    if not given.startswith("application/x-amz-json-1."):
        raise ServiceError("UnknownOperationException", f"The Content-Type is {given}, not {_CONTENT_TYPE}.")


def _grouped(operations: Iterable[str]) -> str:
    """Operations by what they are about: `Endpoint (Create, Delete), Model (List)`."""
    groups: dict[str, set[str]] = {}
    for operation in operations:
        verb, noun = _VERB.fullmatch(operation).groups()  # type: ignore[union-attr]  # it matches anything
        if noun.endswith("s") and noun[:-1] in {_VERB.sub(r"\2", other) for other in operations}:
            noun = noun[:-1]
        groups.setdefault(noun or verb, set()).add(verb)
    return ", ".join(f"{noun} ({', '.join(sorted(verbs))})" for noun, verbs in sorted(groups.items()))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", f"The request body is not JSON: {error}") from error


def _epoch(value: Any) -> float:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    raise TypeError(f"{value!r} cannot be answered as JSON")


def _nothing(_plane: Plane) -> None: ...
