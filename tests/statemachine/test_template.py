"""The foundation as AWS would see it: linted, whole, and without rights that nothing needs."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from chalicelib import observability
from penstock.deploy import foundation

ROOT = Path(__file__).parents[2]
# Actions that AWS gives no resource to name: the Service Authorization Reference says "*" for each.
WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template as it is sent to CloudFormation."""
    return foundation.render(ROOT)


def _findings(template: dict[str, Any] | str) -> list[str]:
    text = template if isinstance(template, str) else json.dumps(template)
    return [
        f"{match.rule.id} {match.message}" for match in lint(text, config=ManualArgs(regions=["us-east-1"]))
    ]


def test_template_is_clean() -> None:
    """cfn-lint has nothing to say about the template as it lies in the repository."""
    assert _findings((ROOT / "statemachine" / "template.yaml").read_text()) == []


def test_rendered_template_is_clean(template: dict[str, Any]) -> None:
    """Nor about the one that is sent, state machine included (rule E3601 checks the definition)."""
    assert _findings(template) == []


def test_validator_sees_a_broken_machine(template: dict[str, Any]) -> None:
    """The check above can fail: a task without a resource, or a Next to nowhere, is found."""
    broken = copy.deepcopy(template)
    properties = broken["Resources"]["Pipeline"]["Properties"]
    machine = json.loads(properties["DefinitionString"])
    del machine["States"]["Train"]["Resource"]
    properties["DefinitionString"] = json.dumps(machine)
    assert any(finding.startswith("E3601") for finding in _findings(broken))


def test_every_substitution_is_given_and_used(template: dict[str, Any]) -> None:
    """A ${Name} without a value, or a value without a ${Name}, would only show when a run needs it."""
    properties = template["Resources"]["Pipeline"]["Properties"]
    wanted = set(re.findall(r"\$\{(\w+)\}", properties["DefinitionString"]))
    assert wanted == set(properties["DefinitionSubstitutions"])


def test_bucket_is_private_versioned_encrypted_and_tells_eventbridge(template: dict[str, Any]) -> None:
    """What users drop is theirs alone, survives an overwrite, and starts the pipeline."""
    bucket = template["Resources"]["Bucket"]["Properties"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"] is True
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def _statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    roles = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    policies = [policy["PolicyDocument"] for role in roles for policy in role["Policies"]]
    return [statement for policy in policies for statement in policy["Statement"]]


def test_roles_have_no_wildcard_actions(template: dict[str, Any]) -> None:
    """Least privilege: every action is named, and only actions that know no resource have `*` as theirs."""
    for statement in _statements(template):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert set(actions) <= WITHOUT_RESOURCE, statement.get("Sid")


def test_jobs_cannot_write_where_users_drop(template: dict[str, Any]) -> None:
    """A job that wrote below drop/ would start the pipeline again: a loop. Erase does, once, and what it puts there is
    taken for the upload it was made of."""
    mine = {"Resources": {name: part for name, part in template["Resources"].items() if name != "EraseRole"}}
    assert len(mine["Resources"]) == len(template["Resources"]) - 1
    for statement in _statements(mine):
        if "s3:PutObject" in statement["Action"]:
            assert "drop/" not in json.dumps(statement["Resource"])


def test_erase_may_look_wherever_rows_are_kept(template: dict[str, Any]) -> None:
    """Every folder of the bucket that the pipeline writes rows to; feedback/ holds none (docs/steps/erase.md)."""
    policy = json.dumps(template["Resources"]["EraseRole"]["Properties"]["Policies"])
    for folder in ("drop", "lake", "labels", "capture", "runs", "scores", "athena"):
        assert f"${{Bucket.Arn}}/{folder}/*" in policy, folder


def test_only_erase_deletes_for_good(template: dict[str, Any]) -> None:
    """A version that is deleted for good is beyond help: one role may, and no other."""
    roles = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    may = {n for n, r in roles.items() if "s3:DeleteObjectVersion" in json.dumps(r)}
    assert may == {"EraseRole"}


def test_settings_parameter_is_json(template: dict[str, Any]) -> None:
    """What the functions read at their start parses once its names are put in."""
    value = template["Resources"]["Foundation"]["Properties"]["Value"]["Fn::Sub"][0]
    names = json.loads(re.sub(r"\$\{[^}]+\}", "x", value))
    assert {"bucket", "table", "machine_arn", "topic_arn", "images", "code_prefix"} <= set(names)


def test_alarms_and_dashboard_watch_metrics_that_are_sent(template: dict[str, Any]) -> None:
    """An alarm on a metric that nobody sends is silent for ever."""
    sent = {observability.REQUESTS, observability.CALLER_ERRORS, observability.SERVER_ERRORS}
    alarms = [
        r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"
    ]
    watched = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == observability.NAMESPACE}
    board = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    [answers] = [w for w in json.loads(board)["widgets"] if w["properties"]["title"].startswith("API")]
    drawn = {metric[1] for metric in answers["properties"]["metrics"]}
    assert watched == {observability.SERVER_ERRORS}
    assert drawn == sent


def test_functions_nobody_sees_fail_have_an_alarm_that_names_them(template: dict[str, Any]) -> None:
    """A function that dies answers nothing of ours, so no metric of ours counts it; Lambda's does."""
    alarms = [
        r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"
    ]
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::Sub"]: alarm["AlarmActions"]
        for alarm in alarms
        if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    }
    assert watched.keys() == {"penstock-${Stage}", "penstock-${Stage}-ingest", "penstock-${Stage}-score"}
    assert all(watched.values())


def test_template_fits_inline(template: dict[str, Any]) -> None:
    """CloudFormation takes 51,200 bytes inline; a fifth is kept free for what comes."""
    assert len(json.dumps(template, separators=(",", ":"))) < 51_200 * 0.8


def test_the_glue_job_says_everything_a_run_of_it_depends_on(template: dict[str, Any]) -> None:
    """Nothing is left to Glue's defaults, which are other ones for each version."""
    job = template["Resources"]["PrepareJob"]["Properties"]
    assert {
        "GlueVersion",
        "WorkerType",
        "NumberOfWorkers",
        "MaxRetries",
        "Timeout",
        "ExecutionProperty",
    } <= set(job)
    arguments = job["DefaultArguments"]
    assert arguments["--job-bookmark-option"] == "job-bookmark-disable"  # the ledger knows what was prepared
    assert arguments["--enable-auto-scaling"] == arguments["--enable-metrics"] == "true"
    assert "tmp/glue/" in json.dumps(arguments["--TempDir"])
    # A job that Glue stopped by itself is told of by the state that started it: Glue's limit is the shorter one.
    machine = json.loads(template["Resources"]["Pipeline"]["Properties"]["DefinitionString"])
    assert job["Timeout"] * 60 < machine["States"]["Prepare"]["TimeoutSeconds"]
