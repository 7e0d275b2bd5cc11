"""The CloudFormation half of a stage: render the template, create or update its stack, take it away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from penstock.deploy.target import DeployError, Target

Progress = Callable[[str, str], None]
_LIMIT_BYTES = 51_200  # CloudFormation, TemplateBody
_BROKEN = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
_PATIENCE_SECONDS = 1800


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (!Ref, !Sub, …) read as their long ones."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Template.add_multi_constructor("!", _short_form)


def render(root: Path) -> dict[str, Any]:
    """The template with the state machine's definition in place, as `aws cloudformation package` would leave it.

    Raises DeployError when the result is over CloudFormation's 51,200 bytes for an inline template.
    """
    folder = root / "statemachine"
    template: dict[str, Any] = yaml.load((folder / "template.yaml").read_text(), _Template)  # noqa: S506 (a SafeLoader)
    for resource in template["Resources"].values():
        definition = resource["Properties"].get("Definition")
        if isinstance(definition, dict) and "Fn::Transform" in definition:
            included = folder / definition["Fn::Transform"]["Parameters"]["Location"]
            machine = json.loads(included.read_text())
            del resource["Properties"]["Definition"]
            resource["Properties"]["DefinitionString"] = json.dumps(machine, separators=(",", ":"))
    size = len(json.dumps(template, separators=(",", ":")).encode())
    if size > _LIMIT_BYTES:
        raise DeployError(
            "template", f"{size} bytes, more than {_LIMIT_BYTES}", "Upload it with --template-url."
        )
    return template


def deploy(target: Target, code_prefix: str, progress: Progress) -> None:
    """Create or update the stack and wait for it; a stack left broken by an earlier try is removed first."""
    cloudformation = target.client("cloudformation")
    status = _status(cloudformation, target.stack)
    if status in _BROKEN:
        destroy(target, progress)
        status = None
    parameters = target.parameters() | {"Stage": target.stage, "CodePrefix": code_prefix}
    request = {
        "StackName": target.stack,
        "TemplateBody": json.dumps(render(target.root), separators=(",", ":")),
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": [{"Key": "penstock:stage", "Value": target.stage}],
    }
    try:
        if status is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise _explain(error, target) from error
    _wait(cloudformation, target, progress, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})


def destroy(target: Target, progress: Progress) -> bool:
    """Delete the stack and wait until it is gone; returns whether there was one."""
    cloudformation = target.client("cloudformation")
    if _status(cloudformation, target.stack) is None:
        return False
    cloudformation.delete_stack(StackName=target.stack)
    _wait(cloudformation, target, progress, {None})
    return True


def exists(target: Target) -> bool:
    """Whether the stage has a foundation."""
    return _status(target.client("cloudformation"), target.stack) is not None


def _status(cloudformation: Any, stack: str) -> str | None:
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = str(found[0]["StackStatus"]) if found else "DELETE_COMPLETE"
    return None if status == "DELETE_COMPLETE" else status


def _wait(cloudformation: Any, target: Target, progress: Progress, wanted: set[str | None]) -> None:
    deadline, pause, said = time.monotonic() + _PATIENCE_SECONDS, 0.1, ""
    while (status := _status(cloudformation, target.stack)) not in wanted:
        if status is None or not status.endswith("_IN_PROGRESS"):
            raise _failed(cloudformation, target, status)
        if time.monotonic() > deadline:
            advice = "Look at the stack's events, then run the same command again."
            raise DeployError(target.stack, f"still {status} after {_PATIENCE_SECONDS} s", advice)
        if status != said:
            progress("foundation", status.lower().replace("_", " "))
            said = status
        time.sleep(pause)
        pause = min(pause * 1.5, 5)


def _failed(cloudformation: Any, target: Target, status: str | None) -> DeployError:
    events = cloudformation.describe_stack_events(StackName=target.stack)["StackEvents"] if status else []
    reasons = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "")
    ]
    what = f"the stack ended as {status}; {'; '.join(reasons[-3:]) or 'no resource says why'}"
    return DeployError(target.stack, what, "Mend the cause, then run the same command again.")


def _explain(error: ClientError, target: Target) -> DeployError:
    return DeployError(
        target.stack, str(error), "Check your rights to CloudFormation and IAM, then try again."
    )
