"""How a model server is started: its command, its environment, its /opt/ml, its log stream."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker.hosting.instances import StartProcess
from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.plane import Plane

_OWN = "tmp"  # HOME and TMPDIR, below /opt/ml
LogOf = Callable[[str], tuple[str, str]]  # instance id → log group and stream


class ServingProcess:
    """Starts model servers through the plane's execution."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def starter(
        self, variant: Variant, opt_ml: Path, log_of: LogOf, settings: Mapping[str, str] | None = None
    ) -> StartProcess:
        """A function that starts one process of the variant on a port, with `settings` in its environment besides."""

        def start(instance: str, port: int) -> Process:
            (opt_ml / _OWN).mkdir(exist_ok=True)
            return self._plane.execution.start(
                self._spec(variant, opt_ml, port, log_of(instance), settings or {})
            )

        return start

    def _spec(
        self, variant: Variant, opt_ml: Path, port: int, log: tuple[str, str], settings: Mapping[str, str]
    ) -> ProcessSpec:
        place = self._plane.place
        base = self._plane.execution.base(opt_ml)
        environment = {
            **job_environment(place, f"{base}/{_OWN}"),
            "SAGEMAKER_REGION": place.region,
            **variant.environment,
            **settings,
            "PYTHONPATH": str(place.serving_root),
            "PYTHONSAFEPATH": "1",  # the current directory's names must not stand in for our modules
            "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(port),
        }
        argv = (place.python, "-m", "serving")
        return ProcessSpec(
            argv, env=environment, cwd=f"{base}/model", optml=opt_ml, log=log, **_memory(variant)
        )


def _memory(variant: Variant) -> dict[str, Any]:
    """A serverless variant's memory is all it gets."""
    if variant.serverless is None or "memory_limit" not in ProcessSpec.__dataclass_fields__:
        return {}
    return {"memory_limit": variant.serverless["MemorySizeInMB"] * 1024 * 1024}
