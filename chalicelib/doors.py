"""The app: Chalice, who may call it, and every error as a problem document (RFC 9457) by the `status` in errors.py."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, Response

from chalicelib.errors import PipelineError
from chalicelib.inbound import address, request_id
from chalicelib.observability import note
from chalicelib.settings import Doors

PROBLEM = "application/problem+json"
TYPES = "urn:penstock:problem:"
_ANY = "X-AMAZON-APIGATEWAY-ANY-METHOD"
"""API Gateway's word in an OpenAPI document for every method that has no entry of its own."""


_MAY_SEND = ["X-Penstock-Caller", "X-Penstock-Variant"]
_MAY_SEE = [
    "X-Request-Id",
    "X-Penstock-Project",
    "X-Penstock-Model",
    "X-Penstock-Variant",
    "X-Penstock-Inference-Id",
    "Retry-After",
    "Location",
]


class Http(Chalice):
    """Chalice, with every error a problem document and the request's id on every answer."""

    def __init__(self, *, doors: Doors, **options: Any) -> None:
        super().__init__(**options)
        self._guard: dict[str, Any] = {}
        if doors.authorisation == "iam":
            self._guard["authorizer"] = IAMAuthorizer()
        if doors.authorisation == "key":
            self._guard["api_key_required"] = True
        if doors.cors_origin:
            self.api.cors = CORSConfig(
                allow_origin=doors.cors_origin, allow_headers=_MAY_SEND, expose_headers=_MAY_SEE, max_age=600
            )

    def door(
        self, path: str, *, step: str | None = None, public: bool = False, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A route whose errors are answered from the table; `step` is its name in logs and metrics.

        API Gateway lets only those through whom the stage's setting allows; with `public`, everybody.
        """
        if not public:
            options = {**self._guard, **options}

        if options.get("methods", ["GET"]) == ["GET"]:
            options.setdefault("content_types", [])  # a question has no body, whatever its headers say

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            self.route(path, **options)(self._answering(view, step or view.__name__))
            return view

        return decorate

    def refuse_other_methods(self) -> None:
        """Let API Gateway bring us every method of our addresses: ours is a 405 with Allow, its own a bare 403."""
        for path in list(self.routes):
            self.route(path, methods=[_ANY], name="405", **self._guard)(_refuse)

    @property
    def asked(self) -> Request:
        """The request being answered."""
        if self.current_request is None:
            raise RuntimeError("no HTTP request is being answered")
        return self.current_request

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Chalice's own refusals (405, 415, no such route) are made problem documents too."""
        head = event.get("requestContext", {}).get("httpMethod") == "HEAD"
        answer: dict[str, Any] = super().__call__(_as_get(event) if head else event, context)
        request = self.current_request
        if answer["statusCode"] == 405:
            allowed = [one.strip() for one in answer["headers"]["Allow"].split(",")]
            answer["headers"]["Allow"] = ", ".join(one for one in allowed if one != _ANY)
        if answer["statusCode"] >= 400 and answer["headers"].get("Content-Type") != PROBLEM:
            answer = _as_problem(answer, request)
        answer["headers"]["X-Request-Id"] = request_id(request)
        return {**answer, "body": ""} if head else answer

    def _answering(self, view: Callable[..., Any], step: str) -> Callable[..., Response]:
        @functools.wraps(view)
        def answer(**parameters: str) -> Response:
            request = self.asked
            note(step=step, path=address(request), method=request.method)
            try:
                told = view(**parameters)
            except PipelineError as error:
                note(error=error.code, reason=str(error))
                return problem(error, request)
            except Exception as error:  # noqa: BLE001  # whatever it is, the caller gets a problem, and the log the reason
                note(error=type(error).__name__, reason=str(error))
                return problem(_unexpected(error), request)
            return told if isinstance(told, Response) else Response(told)

        return answer


def problem(error: PipelineError, request: Request) -> Response:
    """An error as a problem document."""
    inside = error.inner or type(error) is PipelineError
    document = {
        **error.members,
        "type": f"{TYPES}{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": f"{error.title}. {error.do_next}" if inside else str(error),
        "instance": address(request),
        "request_id": request_id(request),
        "errors": error.faults,
    }
    headers: dict[str, str | list[str]] = {"Content-Type": PROBLEM}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Response(json.dumps(document), status_code=error.status, headers=headers)


def _refuse() -> None:
    """Never called: Chalice answers 405 by itself, since no request has the method this stands for."""


def _as_get(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "requestContext": {**event["requestContext"], "httpMethod": "GET"}}


def _unexpected(error: Exception) -> PipelineError:
    what = f"an unforeseen {type(error).__name__}"
    return PipelineError(
        "penstock", what, "Report it as a bug, with this request_id; the function's log says more."
    )


_TITLES = {405: "This address does not take this method", 415: "This address does not take this content type"}


def _as_problem(answer: dict[str, Any], request: Request | None) -> dict[str, Any]:
    status = answer["statusCode"]
    try:
        detail = str(json.loads(answer["body"]).get("Message", ""))
    except (ValueError, AttributeError):
        detail = ""
    document = {
        "type": f"{TYPES}http-{status}",
        "title": _TITLES.get(status, "The request could not be answered"),
        "status": status,
        "detail": detail,
        "instance": address(request) if request else "",
        "request_id": request_id(request),
        "errors": [],
    }
    return {**answer, "body": json.dumps(document), "headers": {**answer["headers"], "Content-Type": PROBLEM}}
