"""The outside world as commands, and errors as HTTP problem documents (RFC 9457) by the `status` in errors.py."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, Response

from chalicelib.domain.asked import document
from chalicelib.domain.negotiation import JSON, sent_as
from chalicelib.domain.run import RunEnded
from chalicelib.domain.upload import Upload
from chalicelib.errors import BadRequest, Fault, NotFound, PipelineError
from chalicelib.observability import note
from chalicelib.settings import Doors
from chalicelib.steps.batch import Accept
from chalicelib.steps.claim import Claim
from chalicelib.steps.erase import Erase
from chalicelib.steps.look import MOST, Uploads
from chalicelib.steps.notice import Notice
from chalicelib.steps.predict import Predict
from chalicelib.steps.score import Score

PROBLEM = "application/problem+json"
TYPES = "urn:penstock:problem:"
Event = Mapping[str, Any]
_LONGEST_NAME, _LONGEST_AFTER = 200, 1000
"""Bytes; a sort key of DynamoDB takes 1,024."""
_FLAGS = {"true": True, "1": True, "": True, "false": False, "0": False}


def upload(event: Event) -> Upload:
    """An S3 event as EventBridge delivers it. Its keys are not URL-encoded, unlike those of S3's own notifications."""
    detail = event["detail"]
    thing = detail["object"]
    deleted = event["detail-type"] == "Object Deleted"
    return Upload(
        kind="deleted" if deleted else "created",
        bucket=detail["bucket"]["name"],
        key=thing["key"],
        version_id=thing.get("version-id") or None,
        etag=str(thing.get("etag", "")).strip('"'),
        sequencer=str(thing.get("sequencer") or "0"),
        size=int(thing.get("size") or 0),
        at=str(event.get("time", "")),
        permanent=detail.get("deletion-type") == "Permanently Deleted",
    )


def left(event: Event) -> Notice:
    """An S3 event of what a job has left."""
    return Notice(upload(event))


def claim(document: Event) -> Claim:
    """The run document the machine starts with, and what Claim answered while it waited for more."""
    return Claim(document["project"], document["run"], int(document["attempt"]), document.get("claim") or {})


def ended(document: Event) -> RunEnded:
    """The run document at the end of a run."""
    return RunEnded(document["project"], document["run"], int(document["attempt"]), document)


def predict(request: Request, project: str | None) -> Predict:
    """A request for a prediction."""
    headers, asked = request.headers, query(request)
    return Predict(
        project=named(project) if project else None,
        body=raw(request),
        content_type=headers.get("content-type", ""),
        accept=headers.get("accept", ""),
        request_id=request_id(request),
        caller=headers.get("x-penstock-caller") or asked.get("caller", ""),
        variant=headers.get("x-penstock-variant", ""),
        probabilities=flag(asked, "probabilities"),
    )


def erase(request: Request, project: str) -> Erase:
    """A request to erase some keys: {"keys": [...], "dry_run": false}. What was mistyped must not erase for good."""
    asked = body(request)
    if not isinstance(asked, Mapping):
        raise BadRequest("body", "it is no JSON object", 'Send {"keys": ["...", ...]}.')
    faults = [Fault(str(name), "is not known here") for name in sorted(asked.keys() - {"keys", "dry_run"})]
    dry_run = asked.get("dry_run", False)
    if not isinstance(dry_run, bool):
        faults.append(Fault("dry_run", "must be true or false"))
    if faults:
        raise BadRequest("erasure", "not usable", "Correct what errors names.", status=422, faults=faults)
    return Erase(named(project), asked.get("keys"), dry_run)


def forget(project: str, record: str) -> Erase:
    """A request to erase one key, which is in the address: the log must not keep what is to be forgotten."""
    note(path=f"/projects/{project}/records/...")
    return Erase(named(project), [unquote(record)])


def score(event: Event) -> Score:
    """A drop below drop/<project>/score/, or a batch the API has accepted, told in the same way."""
    detail = event["detail"]
    thing = detail["object"]
    etag = str(thing.get("etag", "")).strip('"')
    return Score(detail["bucket"]["name"], thing["key"], etag, detail.get("batch"))


def batch(request: Request, project: str) -> Accept:
    """Rows to be scored: {"key": …} of a file that lies there, or the rows themselves."""
    content_type = request.headers.get("content-type", "")
    sent, key = raw(request), None
    if sent_as(content_type) == JSON:
        asked = body(request)
        if isinstance(asked, Mapping) and asked.keys() == {"key"}:
            key = str(asked["key"])
    return Accept(named(project), key, sent, content_type, request_id(request))


def flag(asked: Mapping[str, str], name: str) -> bool:
    """A yes or no of the query; no when it is not there."""
    given = asked.get(name, "false").lower()
    if given not in _FLAGS:
        raise BadRequest(name, f"{given[:20]!r} is neither true nor false", "Leave it out, or correct it.")
    return _FLAGS[given]


def named(name: str) -> str:
    """A path parameter; API Gateway leaves it URL-encoded. Nothing has a name longer than a key of the ledger."""
    given = unquote(name)
    if len(given.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise NotFound(f"{given[:40]}…", "nothing has a name that long", "GET /projects lists the projects.")
    return given


def query(request: Request) -> dict[str, str]:
    """The query's parameters; of one given twice, the last."""
    return dict(request.query_params.items()) if request.query_params else {}


def uploads(request: Request, project: str) -> Uploads:
    """A request for verdicts: ?key=, or ?limit= and ?after=, the `next` of the page before.

    They are counted on the first page, on others with ?counts=true; ?counts=false is quicker.
    """
    asked = query(request)
    limit = asked.get("limit", str(MOST))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit[:9]) <= MOST:
        raise BadRequest("limit", f"{limit!r} is no number from 1 to {MOST}", "Leave it out, or correct it.")
    begins = after(request)
    counted = flag(asked, "counts") if "counts" in asked else not begins
    return Uploads(named(project), asked.get("key"), begins, int(limit), counted)


def after(request: Request) -> str:
    """Where a page begins: ?after=, the `next` of the page before."""
    begins = query(request).get("after", "")
    if len(begins.encode("utf-8", "replace")) > _LONGEST_AFTER:
        raise BadRequest("after", "nothing has a name that long", "Send the `next` of the page before.")
    return begins


def raw(request: Request) -> bytes:
    """The body's bytes, whatever shape API Gateway gave it."""
    given = request.raw_body
    return given.encode() if isinstance(given, str) else given


def body(request: Request) -> Any:
    """The JSON of a request."""
    return document(raw(request))


def request_id(request: Request | None) -> str:
    """API Gateway's id of a request, which is also in its own log."""
    return str((request.context if request else {}).get("requestId") or "none")


def address(request: Request) -> str:
    """The path that was asked (Chalice's own `path` is the route's pattern)."""
    event = request.to_original_event()
    return str(event.get("path") or event["requestContext"].get("path") or request.path)


def prediction(answer: Mapping[str, Any]) -> Response:
    """The model's answer as it is, with who gave it in the headers."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": answer["content_type"],
        "X-Penstock-Project": answer["project"],
        "X-Penstock-Model": answer["model"],
        "X-Penstock-Variant": answer["variant"],
        "X-Penstock-Inference-Id": answer["inference_id"],
    }
    return Response(answer["body"].decode(), headers=headers)


def accepted(answer: Mapping[str, Any]) -> Response:
    """202, and where to ask how far it is."""
    headers: dict[str, str | list[str]] = {"Location": str(answer["status_url"]), "Retry-After": "5"}
    return Response(dict(answer), status_code=202, headers=headers)


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
