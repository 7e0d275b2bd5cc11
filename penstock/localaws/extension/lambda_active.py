"""A function is Active, and its update Successful, in the very answer that created or changed it.

Touches `ministack.services.lambda_svc._schedule_state_transition`, which CreateFunction, UpdateFunctionCode and
UpdateFunctionConfiguration call last, with everything in place that an invocation needs. MiniStack changes the state
half a second later in a thread, so Chalice's waiters (5 s between looks) cost 5 s a function. Checked on MiniStack
1.5.33. Versions of a SnapStart function stay Pending: their own thread decides.
"""

from typing import Any

from ministack.services import lambda_svc

from penstock.localaws.extension import pin


def install() -> None:
    """Make the transition at once instead of later."""
    pin.require(__name__)
    lambda_svc._schedule_state_transition = _settle


def _settle(name: str, _delay: float) -> None:
    function = lambda_svc._functions.get(name)
    if not function:
        return
    for config in (function["config"], *(version["config"] for version in function["versions"].values())):
        if _is_waiting(config) and not _is_snapshotting(config):
            config.update(
                State="Active",
                StateReason="",
                StateReasonCode="",
                LastUpdateStatus="Successful",
                LastUpdateStatusReason="",
                LastUpdateStatusReasonCode="",
            )


def _is_waiting(config: dict[str, Any]) -> bool:
    return config.get("State") == "Pending" or config.get("LastUpdateStatus") == "InProgress"


def _is_snapshotting(config: dict[str, Any]) -> bool:
    optimised = (config.get("SnapStart") or {}).get("OptimizationStatus") == "On"
    return optimised and config.get("Version") != "$LATEST"
