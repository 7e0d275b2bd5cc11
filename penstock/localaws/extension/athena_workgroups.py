"""GetWorkGroup answers a whole configuration, as AWS does: clients such as awswrangler read members nobody set.

Touches `ministack.services.athena._get_workgroup`, which answers only what the workgroup was created with. Checked on
MiniStack 1.5.33.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import json_response
from ministack.services import athena

from penstock.localaws.extension import pin

Record = dict[str, Any]
Response = tuple[int, Record, bytes]
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


def install() -> None:
    """Put AWS's defaults beside what was set."""
    pin.require(__name__)
    athena._get_workgroup = _whole(athena._get_workgroup)


def configuration(group: Record) -> Record:
    """A workgroup's configuration with AWS's defaults; only `primary` lets clients choose where results go."""
    defaults = {
        "EnforceWorkGroupConfiguration": group["Name"] != "primary",
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
        "ResultConfiguration": {},
    }
    given = group.get("Configuration") or {}
    return {**defaults, **given, "EngineVersion": {**ENGINE, **(given.get("EngineVersion") or {})}}


def _whole(original: Callable[[Record], Response]) -> Callable[[Record], Response]:
    def get(data: Record) -> Response:
        answer = original(data)
        if answer[0] >= 300:
            return answer
        group = json.loads(answer[2])["WorkGroup"]
        group.pop("WorkGroupConfiguration", None)
        said: Response = json_response({"WorkGroup": {**group, "Configuration": configuration(group)}})
        return said

    return get
