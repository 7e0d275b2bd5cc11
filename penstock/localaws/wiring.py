"""The one place where MiniStack, our hooks, the SageMaker plane, the Glue runner and the checkpoint are put together.

Imports MiniStack, which reads its settings from the environment when imported: only the server imports this module.
"""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import ministack.app

from penstock.localaws.application import Application
from penstock.localaws.checkpoint import Checkpoint
from penstock.localaws.execution.place import Place
from penstock.localaws.extension import (
    activity,
    athena_queries,
    athena_results,
    athena_workgroups,
    aws_events,
    dynamodb_conditions,
    embedded_metrics,
    event_queue,
    glue_jobs,
    glue_tasks,
    iam_sagemaker,
    lambda_active,
    lambda_errors,
    lambda_lifeline,
    lambda_logs,
    lambda_metrics,
    log_limits,
    machine_metrics,
    metric_alarms,
    rest_import,
    s3_events,
    s3_kms,
    sagemaker_service,
    sagemaker_tasks,
    snapshots,
    stack_properties,
    state_limits,
    task_scope,
    wake_sweeps,
)
from penstock.localaws.glue import GlueRunner
from penstock.localaws.part import Part
from penstock.localaws.sagemaker import SageMaker
from penstock.localaws.settings import ACCOUNT, CODE_ROOT, REGION, Layout, endpoint_url
from penstock.localaws.testing import PREFIX, Testing

_PLAIN_HOOKS = (
    aws_events,
    rest_import,
    lambda_active,
    lambda_errors,
    lambda_lifeline,
    lambda_logs,
    lambda_metrics,
    embedded_metrics,
    s3_events,
    event_queue,
    dynamodb_conditions,
    log_limits,
    task_scope,
    state_limits,
    glue_tasks,
    machine_metrics,
    metric_alarms,
    stack_properties,
    snapshots,
    s3_kms,
    iam_sagemaker,
    athena_queries,
    athena_results,
    athena_workgroups,
)


def build(where: Layout, port: int, announce: Callable[[], None], testing: bool = False) -> Application:
    """Install the extension into MiniStack and return the application to serve; with `testing`, tests may reset it."""
    for hook in _PLAIN_HOOKS:
        hook.install()
    runner = GlueRunner(_place(where.glue, port))
    plane = SageMaker(_place(where.sagemaker, port), publish=aws_events.publish)
    runner.start()  # it empties its directory: before the first run, not beside it
    glue_jobs.install(runner)
    sagemaker_service.install(plane)
    sagemaker_tasks.install(plane)
    checkpoint = Checkpoint(where.state, ministack.app._build_persistence_save_dict, snapshots.take, _saved)
    activity.install(checkpoint.touch)
    parts = [checkpoint, _Glue(runner), _SageMaker(plane), wake_sweeps.Waker()]
    ours = {PREFIX: Testing(plane.clock, _resets(plane, runner, port))} if testing else {}
    return Application(ministack.app.app, parts, checkpoint.touch, announce, ours)


def _resets(plane: SageMaker, runner: GlueRunner, port: int) -> dict[str, Callable[[], None]]:
    """What empties each part, in this order: what runs ends before the state it would write to is gone."""
    everything = f"{endpoint_url(port)}/_ministack/reset"
    return {
        "sagemaker": plane.reset,
        "glue": runner.end_runs,
        "ministack": lambda: urllib.request.urlopen(everything, b"").close(),  # noqa: S310  our own address
    }


def _saved(service: str) -> None:
    if service == "lambda":
        snapshots.forget_unreferenced()


def _place(root: Path, port: int) -> Place:
    return Place(
        root=root,
        endpoint_url=endpoint_url(port),
        region=REGION,
        account=ACCOUNT,
        python=sys.executable,
        serving_root=CODE_ROOT,
    )


class _Glue(Part):
    def __init__(self, runner: GlueRunner) -> None:
        self._runner = runner

    def stop(self) -> None:
        self._runner.stop()


class _SageMaker(Part):
    def __init__(self, plane: SageMaker) -> None:
        self._plane = plane

    def start(self) -> None:
        self._plane.start()

    def stop(self) -> None:
        self._plane.stop()
