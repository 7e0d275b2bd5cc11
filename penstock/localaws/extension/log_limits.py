"""Keep the log's memory bounded: MiniStack opens a log stream for every single Lambda invocation and keeps them all.

Touches `ministack.services.cloudwatch_logs._append_log_events`, through which every stored line goes. Checked on
MiniStack 1.5.33. The newest streams of a group and the newest lines of a stream stay; a load test of a hundred
thousand requests would otherwise hold half a gigabyte and make every checkpoint slow.
"""

from typing import Any

from ministack.services import cloudwatch_logs

from penstock.localaws.extension import pin

STREAMS_PER_GROUP = 2_000
EVENTS_PER_STREAM = 50_000
_SLACK = 1.1  # trim a tenth at a time, not one by one


def install() -> None:
    """Trim as lines arrive."""
    pin.require(__name__)
    append = cloudwatch_logs._append_log_events

    def append_log_events(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        append(stream, events)
        if len(stream["events"]) > EVENTS_PER_STREAM * _SLACK:
            stream["events"] = stream["events"][-EVENTS_PER_STREAM:]
        for group in cloudwatch_logs._log_groups.values():
            trim_streams(group["streams"], STREAMS_PER_GROUP)

    cloudwatch_logs._append_log_events = append_log_events


def trim_streams(streams: dict[str, Any], limit: int) -> None:
    """Drop the oldest of `streams` (a dict keeps the order of arrival) once there are clearly more than `limit`."""
    if len(streams) > limit * _SLACK:
        for name in list(streams)[: len(streams) - limit]:
            streams.pop(name, None)
