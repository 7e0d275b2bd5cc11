"""SageMaker's runtime: POST /endpoints/{name}/invocations, on the event loop from end to end.

Nothing on the way blocks or touches a disk: the route is in memory, connections to instances are kept, metrics are
counted and sent later. What an endpoint does not have (capture, shadows, several models) costs it a look.
"""

import asyncio
import functools
import logging
import re
import time
from typing import Any
from urllib.parse import unquote

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting import answers, event_stream, request_headers
from penstock.localaws.sagemaker.hosting.answers import Response
from penstock.localaws.sagemaker.hosting.asking import Deliver, ask, plain
from penstock.localaws.sagemaker.hosting.asynchronous import Asynchronous
from penstock.localaws.sagemaker.hosting.capture import Captured, Captures
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Reply
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.multi_model import MultiModels, Wanted, object_of
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.hosting.shadow import Shadows
from penstock.localaws.sagemaker.hosting.states import IN_SERVICE, ROLLING_BACK, SYSTEM_UPDATING, UPDATING
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

LARGEST_BYTES = 25 * 1024 * 1024
LARGEST_SERVERLESS_BYTES = 4 * 1024 * 1024
LONGEST_SECONDS = 60.0
LONGEST_STREAM_SECONDS = 480.0
_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)")
# AWS strips every header but InvokeEndpoint's own.
_PASSED = (
    "content-type",
    "accept",
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-inference-id",
    "x-amzn-sagemaker-session-id",
)
_TARGET_MODEL = "x-amzn-sagemaker-target-model"


async def handle(
    plane: Plane, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    """Answer one runtime request; header names are in lower case."""
    del query_params
    try:
        return await plane.part(Runtime).handle(method, path, headers, body)
    except ServiceError as refused:
        return answers.error(refused.status, refused.code, {"message": refused.message})
    except Exception:
        log.exception("%s %s failed", method, path)
        what = "The embedded AWS failed in answering; its log says how. Try again."
        return answers.error(500, "InternalFailure", {"message": what})


def on_start(plane: Plane) -> None:
    """Go on with asynchronous requests of before."""
    plane.part(Asynchronous).start()


def on_stop(plane: Plane) -> None:
    """Let go of asynchronous requests (they are kept for the next start) and write what was captured."""
    plane.part(Asynchronous).stop()
    plane.part(MultiModels).close()
    plane.part(Captures).close()


class Runtime:
    """A plane's endpoints as callers see them; `seconds` is how long a model may take."""

    def __init__(self, plane: Plane, seconds: float = LONGEST_SECONDS) -> None:
        self._plane = plane
        self._place = plane.place
        self._hosting = plane.part(Hosting)
        self._seconds = seconds
        self.shadows = Shadows(self._hosting, seconds)

    async def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """One request of the runtime; raises ServiceError for what AWS refuses before any model is asked."""
        name, operation = _operation(method, path)
        request_headers.check(name, headers)
        if operation == "invocations":
            return await self.invoke(name, headers, body)
        if operation == "async-invocations":
            accept = self._plane.part(Asynchronous).accept
            return await asyncio.to_thread(accept, name, self._route(name), headers, body)
        return await self._stream(name, headers, body)

    async def invoke(
        self, name: str, headers: dict[str, str], body: bytes, seconds: float | None = None
    ) -> Response:
        """InvokeEndpoint."""
        began = time.perf_counter()
        route = self._real_time(name, len(body))
        variant = self._variant(name, route, headers, len(body))
        passed = {header: headers[header] for header in _PASSED if header in headers}
        deliver = self._deliver(name, variant, headers, passed, body, seconds or self._seconds)
        if route.shadows:
            heard = functools.partial(self._capture, name, route, headers, body)
            self.shadows.copy(name, route.shadows, variant, (passed, body), heard)
        asked = time.perf_counter()
        reply = await ask(self._hosting, name, variant, deliver, self._first(variant, headers))
        answered = time.perf_counter()
        response = self._response(name, variant, reply)
        overhead = time.perf_counter() - answered + asked - began
        self._hosting.metrics.count(
            name,
            variant.name,
            reply.status,
            (answered - asked) * 1e6,
            overhead * 1e6,
            config=variant.config,
            instances=variant.variant.count,
        )
        if response[0] == 200:
            self._capture(name, route, headers, body, variant, reply)
        return response

    async def _stream(self, name: str, headers: dict[str, str], body: bytes) -> Response:
        """InvokeEndpointWithResponseStream: frames of the complete answer."""
        asked = dict(headers)
        accept = asked.pop("x-amzn-sagemaker-accept", None)
        asked.pop("accept", None)
        if accept is not None:
            asked["accept"] = accept
        longest = max(self._seconds, LONGEST_STREAM_SECONDS)
        status, answered, content = await self.invoke(name, asked, body, longest)
        if status != 200:
            return status, answered, content
        shown = {**answered, "X-Amzn-SageMaker-Content-Type": answered["Content-Type"]}
        return (
            status,
            {**shown, "Content-Type": event_stream.CONTENT_TYPE},
            b"".join(event_stream.parts(content)),
        )

    def _real_time(self, name: str, size: int) -> Route:
        """The endpoint's route, if it takes a request of that many bytes and answers it itself."""
        if size > LARGEST_BYTES:
            raise _too_large(LARGEST_BYTES)
        route = self._route(name)
        if route.blueprint is not None and route.blueprint.asynchronous is not None:
            what = f"Endpoint {name} is an asynchronous inference endpoint: use InvokeEndpointAsync."
            raise ServiceError("ValidationError", what)
        return route

    def _variant(self, name: str, route: Route, headers: dict[str, str], size: int) -> RoutedVariant:
        target = headers.get("x-amzn-sagemaker-target-variant")
        variant = route.named(target) if target else route.choose()
        if variant is None:
            what = f"Could not find variant {target}" if target else "No variant has any weight"
            raise ServiceError(
                "ValidationError", f"{what} for endpoint {name} of account {self._place.account}."
            )
        if variant.variant.serverless is not None:
            self._check_serverless(name, variant, size)
        return variant

    def _check_serverless(self, name: str, variant: RoutedVariant, size: int) -> None:
        if size > LARGEST_SERVERLESS_BYTES:
            raise _too_large(LARGEST_SERVERLESS_BYTES)
        most = (variant.variant.serverless or {})["MaxConcurrency"]
        if sum(instance.busy for instance in variant.instances) >= most:
            what = f"Rate exceeded: endpoint {name} answers {most} requests at once (its MaxConcurrency). Try again."
            raise ServiceError("ThrottlingException", what)

    def _deliver(
        self,
        name: str,
        variant: RoutedVariant,
        headers: dict[str, str],
        passed: dict[str, str],
        body: bytes,
        seconds: float,
    ) -> Deliver:
        target = headers.get(_TARGET_MODEL)
        if variant.variant.mode == "MultiModel":
            if target is None:
                raise ServiceError(
                    "ValidationError", f"Request to endpoint {name} is missing a target model header."
                )
            object_of(variant.variant.model_data or "", target)
            wanted = Wanted(name, variant.variant, target, passed, body, seconds)
            models = self._plane.part(MultiModels)
            return lambda instance, pool: models.deliver(wanted, instance, pool)
        if target is not None:
            what = f"Endpoint {name} is not a multi-model endpoint and does not support target model header."
            raise ServiceError("ValidationError", what)
        return plain("/invocations", passed, body, seconds)

    def _first(self, variant: RoutedVariant, headers: dict[str, str]) -> Instance | None:
        """The instance that has the model loaded, when there are several models."""
        if variant.variant.mode != "MultiModel":
            return None
        return self._plane.part(MultiModels).prefer(variant.instances, headers[_TARGET_MODEL])

    def _route(self, name: str) -> Route:
        status, route = self._hosting.statuses.get(name), self._hosting.routes.get(name)
        if route is not None and route.variants:
            return route
        if status in (SYSTEM_UPDATING, UPDATING, ROLLING_BACK):
            what = f"Endpoint {name} is starting again after a restart of the server. Try again in a moment."
            raise ServiceError("ServiceUnavailable", what, 503)
        what = f"Endpoint {name} of account {self._place.account} not found."
        if status is not None:
            what += f" Its status is {status}; it answers once that is {IN_SERVICE}."
        raise ServiceError("ValidationError", what)

    def _response(self, name: str, variant: RoutedVariant, reply: Reply) -> Response:
        largest = LARGEST_BYTES if variant.variant.serverless is None else LARGEST_SERVERLESS_BYTES
        if len(reply.body) > largest:
            reply = Reply(500, {}, f"the answer is over {largest} bytes".encode())
        if not 200 <= reply.status < 300:
            return answers.model_error(self._place, name, reply)
        return answers.invoked(variant.name, reply)

    def _capture(
        self,
        name: str,
        route: Route,
        headers: dict[str, str],
        body: bytes,
        variant: RoutedVariant,
        reply: Reply,
    ) -> None:
        config = route.blueprint.capture if route.blueprint is not None else None
        if config is not None and config.get("EnableCapture") and 200 <= reply.status < 300:
            now = self._plane.clock.now()
            self._plane.part(Captures).note(Captured(name, variant.name, config, now, headers, body, reply))


def _operation(method: str, path: str) -> tuple[str, str]:
    """The endpoint's name and what is asked of it."""
    matched = _PATH.fullmatch(path)
    if method != "POST" or matched is None:
        what = f"{method} {path} is not an operation of SageMaker's runtime."
        raise ServiceError("UnknownOperationException", what, 404)
    return unquote(matched.group(1)), matched.group(2)


def _too_large(limit: int) -> ServiceError:
    return ServiceError("413", f"HTTP content length exceeded {limit} bytes.", 413)
