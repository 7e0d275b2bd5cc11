"""The outside world as commands: events, run documents and HTTP requests; and answers with headers of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from chalice.app import Request, Response

from chalicelib.domain.asked import document
from chalicelib.domain.negotiation import JSON, sent_as
from chalicelib.domain.run import RunEnded
from chalicelib.domain.upload import Upload
from chalicelib.errors import BadRequest, Fault, NotFound
from chalicelib.observability import note
from chalicelib.steps.batch import Accept
from chalicelib.steps.claim import Claim
from chalicelib.steps.erase import Erase
from chalicelib.steps.look import MOST, Uploads
from chalicelib.steps.notice import Notice
from chalicelib.steps.predict import Predict
from chalicelib.steps.score import Score
from chalicelib.steps.share import Share

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
    version_id = thing.get("version-id") or None
    return Score(detail["bucket"]["name"], thing["key"], etag, detail.get("batch"), version_id)


def batch(request: Request, project: str) -> Accept:
    """Rows to be scored: {"key": …} of a file that lies there, or the rows themselves."""
    content_type = request.headers.get("content-type", "")
    sent, key = raw(request), None
    if sent_as(content_type) == JSON:
        asked = body(request)
        if isinstance(asked, Mapping) and asked.keys() == {"key"}:
            key = str(asked["key"])
    return Accept(named(project), key, sent, content_type, request_id(request))


def share(document: Event) -> Share:
    """What the API asks of function share: {"project", "wanted"}, or {"project", "remove": true}."""
    return Share(document["project"], document.get("wanted"), document.get("remove") is True)


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
