"""What AWS asks of a DeploymentConfig beyond its types, checked when an update or a creation is asked for.

The limits are those of the API reference; the texts follow its sentences (AWS's own are not published).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.states import Variant
from penstock.localaws.sagemaker.plane import Plane

_SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
_LIMITS = {  # per cent of a variant's instances
    "CanarySize": (0, 50),
    "LinearStepSize": (10, 50),
    "MaximumBatchSize": (5, 50),
    "RollbackMaximumBatchSize": (5, 100),
}


def check(plane: Plane, config: Mapping[str, Any] | None, variants: Sequence[Variant]) -> None:
    """Raise ServiceError for a DeploymentConfig that AWS would refuse for a fleet of those variants."""
    if not config:
        return
    serverless = [variant.name for variant in variants if variant.serverless is not None]
    if serverless:
        raise _refused(
            f"DeploymentConfig is not supported for serverless variants ({', '.join(serverless)})."
        )
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise _refused("Only one update policy can be used: BlueGreenUpdatePolicy or RollingUpdatePolicy.")
    if blue_green:
        _check_blue_green(blue_green, variants)
    if rolling:
        _check_rolling(rolling, variants)
    _check_alarms(plane, config.get("AutoRollbackConfiguration", {}).get("Alarms", []))


def _check_blue_green(policy: Mapping[str, Any], variants: Sequence[Variant]) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    kind = routing["Type"]
    for type_, member in _SIZES.items():
        if (member in routing) != (type_ == kind):
            verb = "must be specified" if type_ == kind else "cannot be specified"
            raise _refused(f"{member} {verb} when the TrafficRoutingConfiguration Type is {kind}.")
    if kind in _SIZES:
        _check_size(_SIZES[kind], routing[_SIZES[kind]], variants)
    waits = routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
    _check_timeout(policy, waits, "TerminationWaitInSeconds and WaitIntervalInSeconds")


def _check_rolling(policy: Mapping[str, Any], variants: Sequence[Variant]) -> None:
    for member in ("MaximumBatchSize", "RollbackMaximumBatchSize"):
        if member in policy:
            _check_size(member, policy[member], variants)
    _check_timeout(policy, policy["WaitIntervalInSeconds"], "WaitIntervalInSeconds")


def _check_timeout(policy: Mapping[str, Any], waits: float, of: str) -> None:
    timeout = policy.get("MaximumExecutionTimeoutInSeconds")
    if timeout is not None and timeout <= waits:
        raise _refused(
            f"MaximumExecutionTimeoutInSeconds {timeout} must be larger than the total waiting time "
            f"specified in {of} ({waits})."
        )


def _check_size(member: str, size: Mapping[str, Any], variants: Sequence[Variant]) -> None:
    least, most = _LIMITS[member]
    bounds = f"between {least}% and {most}%" if least else f"less than or equal to {most}%"
    rule = f"{member} must be {bounds} of the variant's total instance count"
    if size["Type"] == "CAPACITY_PERCENT":
        if not least <= size["Value"] <= most:
            raise _refused(f"{rule}: it is {size['Value']}%.")
        return
    for variant in variants:
        if not least * variant.count <= 100 * size["Value"] <= most * variant.count:
            raise _refused(
                f"{rule}: it is {size['Value']} of the {variant.count} instance(s) of variant {variant.name}. "
                "Change it, or the variant's InitialInstanceCount."
            )


def _check_alarms(plane: Plane, alarms: Sequence[Mapping[str, Any]]) -> None:
    """An alarm that is not there would never roll anything back: say so now."""
    names = [alarm.get("AlarmName", "") for alarm in alarms]
    if not names:
        return
    answer = plane.client("cloudwatch").describe_alarms(
        AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
    )
    found = {
        alarm["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for alarm in answer.get(kind, [])
    }
    missing = [name for name in names if name not in found]
    if missing:
        raise _refused(f"Could not find CloudWatch alarm(s) {', '.join(missing)}. Create them first.")


def _refused(why: str) -> ServiceError:
    return ServiceError("ValidationException", f"Invalid DeploymentConfig: {why}")
