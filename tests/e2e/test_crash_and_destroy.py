"""The two hard ends: the embedded AWS killed in the middle of Train, and a stage taken away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from penstock import deploy
from penstock.localaws import control
from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec


def _training(stage: Stage) -> bool:
    jobs = stage.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    if not jobs:
        return False
    job = stage.client("sagemaker").describe_training_job(TrainingJobName=jobs[0]["TrainingJobName"])
    return bool(job["SecondaryStatus"] == "Training")


def test_killed_in_the_middle_of_train(own_stage: Stage) -> None:
    """kill -9 while a model trains: after `up` the run is finished, and exactly one model version comes out."""
    project = "killed"
    own_stage.put_project(cancer_spec(project))
    key = own_stage.drop(project, "rows.csv", _csv(breast_cancer()))
    own_stage.until(lambda: _training(own_stage), "training to start")
    running = control.status(own_stage.root)
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    own_stage.until(lambda: control.status(own_stage.root) is None, "the process to be gone", 30)
    again = control.up(own_stage.root, port=running.port)
    assert again.endpoint_url == running.endpoint_url

    runs = own_stage.settled(project, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"]
    packages = own_stage.client("sagemaker").list_model_packages(
        ModelPackageGroupName=f"penstock-local-{project}"
    )
    assert len(packages["ModelPackageSummaryList"]) == 1
    row = {k: v for k, v in breast_cancer()[-1].items() if k != "diagnosis"}
    assert own_stage.predict(project, row).status == 200


def _names(stage: Stage) -> dict[str, list[str]]:
    """Everything an account can still hold of a stage, by kind, from AWS's own listings."""
    client = stage.client
    listings = {
        "stack": [s["StackName"] for s in client("cloudformation").describe_stacks()["Stacks"]],
        "bucket": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
        "role": [r["RoleName"] for r in client("iam").list_roles()["Roles"]],
        "function": [f["FunctionName"] for f in client("lambda").list_functions()["Functions"]],
        "layer": [x["LayerName"] for x in client("lambda").list_layers()["Layers"]],
        "api": [a["name"] for a in client("apigateway").get_rest_apis()["items"]],
        "rule": [r["Name"] for r in client("events").list_rules()["Rules"]],
        "schedule": [s["Name"] for s in client("scheduler").list_schedules()["Schedules"]],
        "endpoint": [e["EndpointName"] for e in client("sagemaker").list_endpoints()["Endpoints"]],
        "config": [
            e["EndpointConfigName"] for e in client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
        ],
        "model": [m["ModelName"] for m in client("sagemaker").list_models()["Models"]],
        "log group": [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]],
        "table": client("dynamodb").list_tables()["TableNames"],
        "machine": [m["name"] for m in client("stepfunctions").list_state_machines()["stateMachines"]],
        "topic": [t["TopicArn"] for t in client("sns").list_topics()["Topics"]],
        "parameter": [p["Name"] for p in client("ssm").describe_parameters()["Parameters"]],
        "glue database": [d["Name"] for d in client("glue").get_databases()["DatabaseList"]],
        "workgroup": [
            group["Name"]
            for group in client("athena").list_work_groups()["WorkGroups"]
            if group["Name"] != "primary"  # every account has it
        ],
        "glue job": [j["Name"] for j in client("glue").get_jobs()["Jobs"]],
        "alarm": [a["AlarmName"] for a in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboard": [d["DashboardName"] for d in client("cloudwatch").list_dashboards()["DashboardEntries"]],
        "package group": [
            g["ModelPackageGroupName"]
            for g in client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
    }
    return {kind: names for kind, names in listings.items() if names}


@pytest.mark.slow
def test_plain_chalice_deploys_and_destroy_leaves_nothing(own_stage: Stage) -> None:
    """`chalice deploy` by itself works on the foundation; after a whole run, destroy takes everything away.

    A second destroy finds nothing to do.
    """
    chalice = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"]
    subprocess.run(
        [*chalice, "deploy", "--stage", "local"], cwd=own_stage.root, check=True, capture_output=True
    )
    assert own_stage.ask("GET", "/healthz").status == 200
    project = "gone"
    own_stage.put_project(cancer_spec(project))
    own_stage.settled(project, {own_stage.drop(project, "rows.csv", _csv(breast_cancer()))})
    before = _names(own_stage)
    assert {"stack", "bucket", "function", "api", "endpoint", "log group", "table", "workgroup"} <= set(
        before
    )
    removed = deploy.destroy("local", own_stage.root, lambda name, state: None).removed
    assert removed
    assert _names(own_stage) == {}
    assert deploy.destroy("local", own_stage.root, lambda name, state: None).removed == []
