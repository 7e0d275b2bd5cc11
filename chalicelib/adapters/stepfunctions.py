"""Executions of the stage's state machine, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.aws import FAILED, code_of, translated


class StepFunctionsWorkflow:
    """The Workflow port on Step Functions."""

    def __init__(self, client: Any, machine_arn: str) -> None:
        self._client, self._machine = client, machine_arn

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """Start an execution. One of this name exists: it was started before, and that is what was wanted."""
        body = json.dumps(
            document, sort_keys=True
        )  # the same text each time, or a running one would be refused
        try:
            self._client.start_execution(stateMachineArn=self._machine, name=name, input=body)
        except FAILED as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise translated(error, f"execution {name}") from error

    def status(self, name: str) -> str:
        """The execution's status, or MISSING."""
        try:
            return str(self._client.describe_execution(executionArn=self.arn(name))["status"])
        except FAILED as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return "MISSING"
            raise translated(error, f"execution {name}") from error

    def arn(self, name: str) -> str:
        """The execution's ARN, which follows from the machine's."""
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"
