"""Projects' schedules, in EventBridge Scheduler: each invokes Recur with its project and what is to be started."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.aws import FAILED, code_of, message_of, translated
from chalicelib.errors import BadRequest, Fault

_RETRIES, _OLDEST_SECONDS = 2, 3600
"""A call that fails is tried again twice within the hour; after that the next one is due soon enough."""


class EventBridgeSchedules:
    """The Schedules port. A schedule's name is made of stage, project and kind, so setting it twice makes one."""

    def __init__(self, client: Any, stage: str, function_arn: str, role_arn: str) -> None:
        self._client, self._stage = client, stage
        self._function, self._role = function_arn, role_arn

    def set(self, project: str, kind: str, expression: str) -> None:
        """Create the schedule, or change it when its expression differs; BadRequest when AWS cannot read that."""
        name = self._name(project, kind)
        known = self._expression(name)
        if known == expression:
            return  # an update would count a rate from now again
        request = self._request(name, project, kind, expression)
        try:
            self._put(request, new=known is None)
        except FAILED as error:
            if code_of(error) != "ValidationException":
                raise translated(error, f"schedule {name}") from error
            where = f"{kind} schedule of project {project}"
            raise BadRequest(
                where,
                f"{expression!r} is no schedule: {message_of(error)}",
                "Use rate(1 day), or cron(minute hour day month weekday year) in UTC.",
                status=422,
                faults=[Fault(f"{kind}.schedule", message_of(error))],
            ) from error

    def _put(self, request: dict[str, Any], *, new: bool) -> None:
        try:
            (self._client.create_schedule if new else self._client.update_schedule)(**request)
        except ClientError as error:
            if not new or code_of(error) != "ConflictException":
                raise
            self._client.update_schedule(**request)  # somebody else has made it meanwhile

    def remove(self, project: str, kind: str) -> None:
        """Delete the schedule; one that is not there is no trouble."""
        name = self._name(project, kind)
        try:
            self._client.delete_schedule(Name=name)
        except FAILED as error:
            if code_of(error) != "ResourceNotFoundException":
                raise translated(error, f"schedule {name}") from error

    def _name(self, project: str, kind: str) -> str:
        """At most 58 of 64 characters."""
        return f"penstock-{self._stage}-project-{project}-{kind}"

    def _expression(self, name: str) -> str | None:
        try:
            return str(self._client.get_schedule(Name=name)["ScheduleExpression"])
        except FAILED as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise translated(error, f"schedule {name}") from error

    def _request(self, name: str, project: str, kind: str, expression: str) -> dict[str, Any]:
        return {
            "Name": name,
            "Description": f"Starts a run of project {project}: {kind}.",
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": self._function,
                "RoleArn": self._role,
                "Input": json.dumps({"project": project, "kind": kind}),
                "RetryPolicy": {
                    "MaximumRetryAttempts": _RETRIES,
                    "MaximumEventAgeInSeconds": _OLDEST_SECONDS,
                },
            },
        }
