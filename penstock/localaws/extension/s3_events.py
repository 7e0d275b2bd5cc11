"""S3 events on EventBridge carry `version-id`, as AWS sends for a versioned bucket; deletions carry no size.

Touches `ministack.services.s3._fire_s3_event`, which builds the event and knows the version, and
`ministack.services.eventbridge._dispatch_event`, which it hands the event to without the version. Between the two the
version travels in a context variable, since both run in the same thread. Checked on MiniStack 1.5.33.

AWS's documented events: "Object Created" has object {key, size, etag, version-id, sequencer}; "Object Deleted" has no
size and states `deletion-type` ("Delete Marker Created" with the marker's version-id, or "Permanently Deleted") and
`reason` (DeleteObject): MiniStack gets those two right.
"""

import contextvars
import functools
import json
from typing import Any

from ministack.services import eventbridge, s3

from penstock.localaws.extension import pin

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("s3_event_version", default=None)


def install() -> None:
    """Add what is missing between building an S3 event and dispatching it."""
    pin.require(__name__)
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event

    @functools.wraps(fire)
    def fire_s3_event(*arguments: Any, version_id: str | None = None, **named: Any) -> None:
        token = _version.set(version_id)
        try:
            fire(*arguments, version_id=version_id, **named)
        finally:
            _version.reset(token)

    @functools.wraps(dispatch)
    def dispatch_event(event: dict[str, Any], *rest: Any, **named: Any) -> Any:
        if event.get("Source") == "aws.s3":
            event = completed(event, _version.get())
        return dispatch(event, *rest, **named)

    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event


def completed(event: dict[str, Any], version_id: str | None) -> dict[str, Any]:
    """The event as AWS would send it: with the version, and a deletion without a size."""
    detail = json.loads(event["Detail"])
    found = detail.get("object")
    if not isinstance(found, dict):
        return event
    if version_id:
        found["version-id"] = version_id
    if event.get("DetailType") == "Object Deleted":
        found.pop("size", None)
        if not found.get("etag"):
            found.pop("etag", None)
    return {**event, "Detail": json.dumps(detail)}
