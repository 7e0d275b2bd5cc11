"""After a start with restored state, invoke every sweep function once, so that broken runs are picked up at once.

Uses `ministack.services.lambda_svc.invoke_async_with_retry`, MiniStack's own asynchronous invocation. Checked on
MiniStack 1.5.33. An execution found RUNNING has just been failed with States.ServiceRestart; on its schedule the
product's sweep would see that minutes later.
"""

import fnmatch
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import lambda_svc

from penstock.localaws.extension import pin
from penstock.localaws.part import Part

log = logging.getLogger("penstock.localaws")
PATTERN = "penstock-*-sweep"


class Waker(Part):
    """Wakes the sweeps when the server has started."""

    def start(self) -> None:
        """Invoke each of them once, asynchronously."""
        pin.require(__name__)
        for (account, region, name), function in lambda_svc._functions.all_items():
            if fnmatch.fnmatchcase(name, PATTERN):
                log.info("waking %s: the embedded AWS has started with saved state", name)
                lambda_svc.invoke_async_with_retry(function, scheduled_event(account, region, name))


def scheduled_event(account: str, region: str, name: str) -> dict[str, Any]:
    """What a schedule of EventBridge would send."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{name}-restart"],
        "detail": {},
    }
