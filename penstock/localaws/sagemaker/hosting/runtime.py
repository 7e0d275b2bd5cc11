"""SageMaker's runtime: POST /endpoints/{name}/invocations, on the event loop from end to end.

Nothing on the way blocks or touches a disk: the route is in memory, connections to instances are kept, metrics are
counted and sent later.
"""

import json
import re
import time
import uuid
from typing import Any
from urllib.parse import unquote

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Lost, Reply, Unreached
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.lifecycle import IN_SERVICE, ROLLING_BACK, SYSTEM_UPDATING, UPDATING
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.plane import Plane

Response = tuple[int, dict[str, str], bytes]

LARGEST_BYTES = 25 * 1024 * 1024
LONGEST_SECONDS = 60.0
_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
# AWS strips every header but InvokeEndpoint's own.
_PASSED = (
    "content-type",
    "accept",
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-inference-id",
    "x-amzn-sagemaker-session-id",
)
_ANSWERED = {
    "x-amzn-sagemaker-custom-attributes": "X-Amzn-SageMaker-Custom-Attributes",
    "x-amzn-sagemaker-new-session-id": "X-Amzn-SageMaker-New-Session-Id",
    "x-amzn-sagemaker-closed-session-id": "X-Amzn-SageMaker-Closed-Session-Id",
}
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics "
    "for each container in Amazon CloudWatch, resolve the issue, and try again."
)


async def handle(
    plane: Plane, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    """Answer one runtime request; header names are in lower case."""
    del query_params
    try:
        return await Runtime(plane).invoke(method, path, headers, body)
    except ServiceError as refused:
        return _error(refused.status, refused.code, {"message": refused.message})


class Runtime:
    """InvokeEndpoint over a plane's endpoints; `seconds` is how long a model may take."""

    def __init__(self, plane: Plane, seconds: float = LONGEST_SECONDS) -> None:
        self._place = plane.place
        self._hosting = plane.part(Hosting)
        self._seconds = seconds

    async def invoke(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """One InvokeEndpoint; raises ServiceError for what AWS refuses before any model is asked."""
        began = time.perf_counter()
        name = _endpoint_name(method, path)
        if len(body) > LARGEST_BYTES:
            raise ServiceError("413", f"HTTP content length exceeded {LARGEST_BYTES} bytes.", 413)
        variant = self._variant(name, headers)
        passed = {header: headers[header] for header in _PASSED if header in headers}
        asked = time.perf_counter()
        try:
            reply = await self._ask(name, variant, passed, body)
        except TimeoutError:
            reply = Reply(0, {}, _TIMED_OUT.encode())
        answered = time.perf_counter()
        response = self._response(name, variant.name, reply)
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
        return response

    def _variant(self, name: str, headers: dict[str, str]) -> RoutedVariant:
        route = self._route(name)
        if "x-amzn-sagemaker-target-model" in headers:
            what = f"Endpoint {name} is not a multi-model endpoint and does not support target model header."
            raise ServiceError("ValidationError", what)
        target = headers.get("x-amzn-sagemaker-target-variant")
        variant = route.named(target) if target else route.choose()
        if variant is None:
            what = f"Could not find variant {target}" if target else "No variant has any weight"
            raise ServiceError(
                "ValidationError", f"{what} for endpoint {name} of account {self._place.account}."
            )
        return variant

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

    async def _ask(self, name: str, variant: RoutedVariant, headers: dict[str, str], body: bytes) -> Reply:
        """Ask an instance, and another when it is not there; once more when it went away while it worked.

        Once only: a request that takes model servers down must not take all of them.
        """
        tried: list[Instance] = []
        again = 1
        while instance := variant.next_instance(tried):
            try:
                return await self._ask_instance(instance, headers, body)
            except Lost as lost:
                tried.append(instance)
                again -= not isinstance(lost, Unreached)
                if again < 0:
                    break
            variant = self._same(name, variant)
        what = f"No instance of variant {variant.name} of endpoint {name} is running just now. Try again in a moment."
        raise ServiceError("ServiceUnavailable", what, 503)

    async def _ask_instance(self, instance: Instance, headers: dict[str, str], body: bytes) -> Reply:
        pool = instance.pool
        if pool is None:
            raise Unreached("not healthy yet")
        instance.busy += 1
        try:
            return await pool.post("/invocations", headers, body, self._seconds)
        finally:
            instance.busy -= 1

    def _same(self, name: str, variant: RoutedVariant) -> RoutedVariant:
        """The variant after an update that may have happened while an old instance was asked."""
        route = self._hosting.routes.get(name)
        return (route.named(variant.name) or route.choose() if route else None) or variant

    def _response(self, name: str, variant: str, reply: Reply) -> Response:
        if len(reply.body) > LARGEST_BYTES:
            reply = Reply(500, {}, f"the answer is over {LARGEST_BYTES} bytes".encode())
        if not 200 <= reply.status < 300:
            return self._model_error(name, reply)
        headers = {
            "Content-Type": reply.headers.get("content-type", "application/octet-stream"),
            "x-Amzn-Invoked-Production-Variant": variant,
            "x-amzn-RequestId": str(uuid.uuid4()),
        }
        headers |= {shown: reply.headers[name] for name, shown in _ANSWERED.items() if name in reply.headers}
        return 200, headers, reply.body

    def _model_error(self, name: str, reply: Reply) -> Response:
        region, account = self._place.region, self._place.account
        client = 400 <= reply.status < 500
        said = reply.body.decode("utf-8", "replace")
        group = f"/aws/sagemaker/Endpoints/{name}"
        message = (
            f"Received {'client' if client else 'server'} error ({reply.status}) from primary with message "
            f'"{said}". See https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}'
            f"#logEventViewer:group={group} in account {account} for more information."
        )
        members = {
            "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if client else "INTERNAL_FAILURE_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}",
            "Message": message,
            "OriginalMessage": said,
            "OriginalStatusCode": reply.status,
        }
        return _error(424, "ModelError", members)


def _endpoint_name(method: str, path: str) -> str:
    matched = _PATH.fullmatch(path)
    if method != "POST" or matched is None:
        what = f"{method} {path} is not part of the embedded AWS: only InvokeEndpoint is."
        raise ServiceError("UnknownOperationException", what, 404)
    return unquote(matched.group(1))


def _error(status: int, code: str, members: dict[str, Any]) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid.uuid4())}
    if code != str(status):  # what the front of the service refuses has a status and no type
        headers["x-amzn-ErrorType"] = code
    return status, headers, json.dumps(members).encode()
