"""What a deployment waits for, in threads: the baking with its alarms, and its time limit."""

import logging
import threading
from collections.abc import Callable, Sequence

from penstock.localaws.sagemaker.hosting.lifecycle import Bake, Baked, Event, Expired, Limit, Tripped
from penstock.localaws.sagemaker.hosting.metrics import EndpointMetrics
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

_LOOK_SECONDS = 1.0  # at the alarms; an alarm's shortest period is 10 s


class Watch:
    """Answers Bake and Limit through `apply(endpoint, event)`; `over(endpoint, round)` says a baking is of the past."""

    def __init__(
        self,
        plane: Plane,
        metrics: EndpointMetrics,
        apply: Callable[[str, Event], object],
        over: Callable[[str, Bake | Limit], bool],
    ) -> None:
        self._plane, self._metrics, self._apply, self._over = plane, metrics, apply, over

    def begin(self, name: str, what: Bake | Limit, began: float) -> None:
        """Watch from now on; does not wait. Its time counts from `began`, epoch seconds of the clock."""
        target = self._bake if isinstance(what, Bake) else self._limit
        threading.Thread(target=target, args=(name, what, began), name="hosting-watch", daemon=True).start()

    def _bake(self, name: str, baking: Bake, began: float) -> None:
        clock = self._plane.clock
        until = began + baking.seconds
        while not self._over(name, baking):
            left = until - clock.now()  # before the look: what happened until then counts
            if reason := self._tripped(baking.alarms):
                self._apply(name, Tripped(baking.round, reason))
                return
            if left <= 0:
                self._apply(name, Baked(baking.round))
                return
            nap = min(left, _LOOK_SECONDS) if baking.alarms else left
            clock.wait(nap, lambda: self._over(name, baking))

    def _tripped(self, alarms: Sequence[str]) -> str | None:
        """Why the deployment is rolled back; None when no alarm is in ALARM."""
        if not alarms:
            return None
        self._metrics.flush()
        try:
            answer = self._plane.client("cloudwatch").describe_alarms(
                AlarmNames=list(alarms), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        except Exception as error:  # noqa: BLE001  the embedded AWS may be busy: the next look will tell
            log.warning("alarms %s could not be looked at: %s", ", ".join(alarms), error)
            return None
        found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        names = sorted(alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM")
        if not names:
            return None
        return f"The following CloudWatch alarms went into ALARM during the deployment: {', '.join(names)}."

    def _limit(self, name: str, limit: Limit, began: float) -> None:
        clock = self._plane.clock
        if not clock.wait(began + limit.seconds - clock.now(), lambda: self._over(name, limit)):
            self._apply(name, Expired(limit.serial))
