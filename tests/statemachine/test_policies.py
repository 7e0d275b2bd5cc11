"""The functions' own policies (.chalice/policy-*.json): actions that exist, on things of ours, and no more."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.statemachine.test_template import _findings

ROOT = Path(__file__).resolve().parents[2]
POLICIES = sorted((ROOT / ".chalice").glob("policy-*.json"))
ANYWHERE = {
    "sagemaker:ListModelPackages",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
}
"""Actions that have to be allowed on everything: AWS gives them no narrower resource, or the images are AWS's own."""


def policy(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def linted(document: dict[str, Any]) -> list[str]:
    """cfn-lint knows IAM's actions and policies: it is shown the policy as a template's."""
    properties = {"PolicyName": "p", "Roles": ["r"], "PolicyDocument": document}
    resources = {"Policy": {"Type": "AWS::IAM::Policy", "Properties": properties}}
    return _findings({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_is_sound(path: Path) -> None:
    """cfn-lint's rules of IAM (E3510, W3037 …) have nothing to say."""
    assert linted(policy(path)) == []


def test_a_misspelt_action_is_found() -> None:
    """The check above can fail."""
    broken = copy.deepcopy(policy(POLICIES[0]))
    broken["Statement"][0]["Action"] = ["sagemaker:InvokeEndpiont"]
    assert any("invokeendpiont" in finding.lower() for finding in linted(broken))


def test_the_sweep_may_close_a_run_as_report_does() -> None:
    """It has Report's own code close a run whose execution died three times."""

    def rights(name: str) -> set[tuple[str, str]]:
        statements = policy(ROOT / ".chalice" / f"policy-{name}.json")["Statement"]
        named = [(one["Action"], [one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
                 for one in statements]  # fmt: skip
        return {
            (action, resource) for actions, resources in named for action in actions for resource in resources
        }

    assert rights("report") <= rights("sweep")


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_speaks_of_things_of_ours(path: Path) -> None:
    """Every resource has our name in it, every action is named whole, and a role is lent to its own service only."""
    for statement in policy(path)["Statement"]:
        actions, resources = set(statement["Action"]), statement["Resource"]
        assert not any("*" in action for action in actions), statement["Sid"]
        if resources == "*":
            assert actions <= ANYWHERE, statement["Sid"]
            continue
        for resource in [resources] if isinstance(resources, str) else resources:
            assert "penstock" in resource, statement["Sid"]
        if "iam:PassRole" in actions:
            to = "scheduler" if "schedule" in str(resources) else "sagemaker"
            assert statement["Condition"]["StringEquals"] == {"iam:PassedToService": f"{to}.amazonaws.com"}


def test_roles_are_lent_by_those_only_who_must() -> None:
    """The function that faces the world lends the role of schedules and no other; it makes and moves no endpoint."""
    lent, moved = {}, set()
    for path in POLICIES:
        for statement in policy(path)["Statement"]:
            if "iam:PassRole" in statement["Action"]:
                lent[path.stem] = statement["Resource"]
            if any(one.startswith("sagemaker:Create") for one in statement["Action"]):
                moved.add(path.stem)
    jobs, schedule = "arn:*:iam::*:role/penstock-*-jobs", "arn:*:iam::*:role/penstock-*-schedule"
    assert lent == {"policy-api": schedule, "policy-release": jobs, "policy-share": jobs}
    assert moved == {"policy-register", "policy-release", "policy-share", "policy-score"}
