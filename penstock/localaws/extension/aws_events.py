"""Events of source `aws.*` from services of ours.

Calls `ministack.services.eventbridge._put_events` as MiniStack's own services do: over HTTP it refuses such sources, as
AWS does. Checked on MiniStack 1.5.33. Callable from any thread.
"""

import json
from typing import Any

from ministack.services import eventbridge

from penstock.localaws.extension import pin


def install() -> None:
    """Nothing to put in place; only make sure of the version."""
    pin.require(__name__)


def publish(entries: list[dict[str, Any]]) -> None:
    """Put at most ten events; raises RuntimeError when one is refused."""
    status, _, body = eventbridge._put_events({"Entries": entries}, allow_aws_source=True)
    if status >= 400 or json.loads(body)["FailedEntryCount"]:
        raise RuntimeError(f"EventBridge refused: {body!r}")
