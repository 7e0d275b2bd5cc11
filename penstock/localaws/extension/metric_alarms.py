"""Metric alarms look at their own metric, period by period, and when they are asked for their state.

Touches `ministack.services.cloudwatch`: `_evaluate_alarm` is replaced, `_describe_alarms` evaluates before it answers,
`_set_alarm_state` holds what it sets. MiniStack throws all metrics of a name together, whatever their dimensions (one
endpoint's errors trip every endpoint's alarm), takes all periods as one, knows neither DatapointsToAlarm nor
TreatMissingData, and looks only when somebody sends a metric. Checked on MiniStack 1.5.33.

Periods end now; AWS's begin at whole minutes (or 10 s). A state set by hand holds for ten seconds, on AWS until the
next evaluation. Alarms on metric math and anomaly bands stay INSUFFICIENT_DATA.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from ministack.services import cloudwatch

from penstock.localaws.extension import pin

Record = dict[str, Any]
HELD_SECONDS = 10.0
_LATE_SECONDS = 3600.0  # a point may come that much later than one of its own time, and is still seen
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_held: dict[str, float] = {}  # ARN → until when its state is not ours


def install() -> None:
    """Evaluate as CloudWatch does."""
    pin.require(__name__)
    cloudwatch._evaluate_alarm = evaluate
    describe, set_state = cloudwatch._describe_alarms, cloudwatch._set_alarm_state

    def describe_alarms(params: Record, body: Record, is_cbor: bool, is_json: bool = False) -> Any:
        cloudwatch._evaluate_all_alarms()
        return describe(params, body, is_cbor, is_json)

    def set_alarm_state(params: Record, body: Record, is_cbor: bool, is_json: bool = False) -> Any:
        name = body.get("AlarmName") or cloudwatch._p(params, "AlarmName")
        if name in cloudwatch._alarms:
            _held[cloudwatch._alarms[name]["AlarmArn"]] = time.time() + HELD_SECONDS
        return set_state(params, body, is_cbor, is_json)

    cloudwatch._describe_alarms = describe_alarms
    cloudwatch._set_alarm_state = set_alarm_state


def evaluate(alarm: Record) -> None:
    """Move the alarm to the state its metric says, and do what follows from that."""
    compare = _COMPARE.get(alarm.get("ComparisonOperator") or "")
    now = time.time()
    if not alarm.get("MetricName") or compare is None or _held.get(alarm["AlarmArn"], 0.0) > now:
        return
    values = datapoints(alarm, now)
    state = state_of(values, lambda value: compare(value, alarm["Threshold"]), alarm)
    old = alarm["StateValue"]
    if state is None or state == old:
        return
    reason = _reason(alarm, values, state)
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(now)}
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def datapoints(alarm: Record, now: float) -> list[float | None]:
    """The statistic of each of the last EvaluationPeriods, the newest first; None for a period without data."""
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or []}
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    points, unit = cloudwatch._metrics.get(key) or [], alarm.get("Unit")
    period, many = alarm["Period"], alarm["EvaluationPeriods"]
    periods: list[list[Record]] = [[] for _ in range(many)]
    for point in reversed(points):  # they come in order of time, more or less
        back = max(int((now - point["Timestamp"]) // period), 0)
        if back < many and unit in (None, "", point["Unit"]):
            periods[back].append(point)
        if now - point["Timestamp"] > period * many + _LATE_SECONDS:
            break
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    return [_statistic(one, statistic) for one in periods]


def state_of(values: Sequence[float | None], breaches: Callable[[float], bool], alarm: Record) -> str | None:
    """The state that those datapoints mean; None: it stays what it is."""
    missing = alarm.get("TreatMissingData") or "missing"
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    known = [breaches(value) for value in values if value is not None]
    if missing in ("breaching", "notBreaching"):
        known += [missing == "breaching"] * (len(values) - len(known))
    if sum(known) >= needed:
        return "ALARM"
    if known:
        return "OK"
    return None if missing == "ignore" else "INSUFFICIENT_DATA"


def _statistic(points: list[Record], statistic: str) -> float | None:
    if not points:
        return None
    value: float | None = cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
    return value


def _reason(alarm: Record, values: Sequence[float | None], state: str) -> str:
    known = [value for value in values if value is not None]
    if state == "INSUFFICIENT_DATA" or not known:
        return f"Insufficient Data: {len(values)} datapoints were unknown."
    crossed = "was" if state == "ALARM" else "was not"
    return (
        f"Threshold Crossed: {len(known)} datapoint(s) {known} {crossed} {alarm['ComparisonOperator']} "
        f"({alarm['Threshold']})."
    )
