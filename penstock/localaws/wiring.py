"""The one place where MiniStack, our hooks, the SageMaker plane, the Glue runner and the checkpoint are put together.

Imports MiniStack, which reads its settings from the environment when imported: only the server imports this module.
"""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ministack.app

from penstock.localaws.application import Application
from penstock.localaws.checkpoint import Checkpoint
from penstock.localaws.extension import (
    activity,
    glue_jobs,
    glue_tasks,
    lambda_active,
    lambda_lifeline,
    lambda_logs,
    log_limits,
    machine_metrics,
    rest_import,
    s3_events,
    sagemaker_service,
    sagemaker_tasks,
    snapshots,
    stack_properties,
    state_limits,
    task_scope,
    wake_sweeps,
)
from penstock.localaws.part import Part
from penstock.localaws.settings import ACCOUNT, CODE_ROOT, REGION, Layout, endpoint_url

log = logging.getLogger("penstock.localaws")
_PLAIN_HOOKS = (
    rest_import,
    lambda_active,
    lambda_lifeline,
    lambda_logs,
    s3_events,
    log_limits,
    task_scope,
    state_limits,
    glue_tasks,
    machine_metrics,
    stack_properties,
    snapshots,
)


def build(where: Layout, port: int, announce: Callable[[], None]) -> Application:
    """Install the extension into MiniStack and return the application to serve."""
    for hook in _PLAIN_HOOKS:
        hook.install()
    runner, plane = _glue_runner(where, port), _plane(where, port)
    glue_jobs.install(runner)
    parts: list[Part] = [runner]
    if plane is not None:
        sagemaker_service.install(plane)
        sagemaker_tasks.install(plane)
        parts.append(plane)
    checkpoint = Checkpoint(where.state, ministack.app._build_persistence_save_dict, snapshots.take, _saved)
    activity.install(checkpoint.touch)
    parts = [checkpoint, *parts, wake_sweeps.Waker()]
    return Application(ministack.app.app, parts, checkpoint.touch, announce)


def _saved(service: str) -> None:
    if service == "lambda":
        snapshots.forget_unreferenced()


def _place(root: Path, port: int) -> Any:
    from penstock.localaws.execution.place import Place  # noqa: PLC0415

    return Place(
        root=root,
        endpoint_url=endpoint_url(port),
        region=REGION,
        account=ACCOUNT,
        python=sys.executable,
        serving_root=CODE_ROOT,
    )


def _plane(where: Layout, port: int) -> Any:
    """The SageMaker plane."""
    try:
        from penstock.localaws.sagemaker import SageMaker  # noqa: PLC0415
    except ImportError:
        log.exception("there is no SageMaker plane")
        return None
    return SageMaker(_place(where.sagemaker, port))


class _NoGlue(Part):
    """Says so, until there is one."""

    def execute(self, *_: Any) -> None:
        raise RuntimeError("this build has no Glue runner")

    def stop_run(self, _run_id: str) -> None: ...


def _glue_runner(where: Layout, port: int) -> Any:
    try:
        from penstock.localaws.glue import GlueRunner  # type: ignore # noqa: PLC0415
    except ImportError:
        log.exception("there is no Glue runner")
        return _NoGlue()
    return GlueRunner(_place(where.glue, port))
