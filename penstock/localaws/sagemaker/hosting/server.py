"""How a model server is started: its command, its environment, its /opt/ml, its log stream."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker import images
from penstock.localaws.sagemaker.hosting import artifacts
from penstock.localaws.sagemaker.hosting.instances import StartProcess
from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.plane import Plane

_OWN = "tmp"  # HOME and TMPDIR, below /opt/ml
_SUBMIT, _CODE = "SAGEMAKER_SUBMIT_DIRECTORY", "submitted"
_CONTAINERS = "penstock.localaws.containers"
LogOf = Callable[[str], tuple[str, str]]  # instance id → log group and stream


class ServingProcess:
    """Starts model servers through the plane's execution."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._downloading = threading.Lock()

    def starter(
        self, variant: Variant, opt_ml: Path, log_of: LogOf, settings: Mapping[str, str] | None = None
    ) -> StartProcess:
        """A function that starts one process of the variant on a port, with `settings` in its environment besides.

        It raises artifacts.Unusable when the code in SAGEMAKER_SUBMIT_DIRECTORY cannot be had.
        """

        def start(instance: str, port: int) -> Process:
            (opt_ml / _OWN).mkdir(parents=True, exist_ok=True)
            wanted = {**variant.environment, **(settings or {})}
            wanted |= self._code(wanted.get(_SUBMIT, ""), opt_ml)
            return self._plane.execution.start(self._spec(variant, opt_ml, port, log_of(instance), wanted))

        return start

    def _code(self, submitted: str, opt_ml: Path) -> dict[str, str]:
        """The code of a model whose archive has none, fetched from S3 once for all instances below `opt_ml`."""
        if not submitted.startswith("s3://"):
            return {}
        with self._downloading:
            artifacts.unpack(self._plane.client("s3"), submitted, opt_ml / _CODE)
        return {_SUBMIT: f"/opt/ml/{_CODE}"}

    def _spec(
        self, variant: Variant, opt_ml: Path, port: int, log: tuple[str, str], wanted: Mapping[str, str]
    ) -> ProcessSpec:
        place = self._plane.place
        base = self._plane.execution.base(opt_ml)
        many = variant.mode == "MultiModel"
        environment = {
            **job_environment(place, f"{base}/{_OWN}"),
            "SAGEMAKER_REGION": place.region,
            **(_of_many_models() if many else {}),
            **wanted,
            **_of_the_image(variant.image),
            "PYTHONPATH": str(place.serving_root),
            "PYTHONSAFEPATH": "1",  # the current directory's names must not stand in for our modules
            "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(port),
        }
        argv = (place.python, "-m", "serving")
        cwd = f"{base}/{_OWN}" if many else f"{base}/model"
        return ProcessSpec(
            argv, env=environment, cwd=cwd, optml=opt_ml, log=log, memory_limit=_memory(variant)
        )


def _memory(variant: Variant) -> int | None:
    """A serverless variant's memory is all it gets, in bytes; None for one on instances."""
    return variant.serverless["MemorySizeInMB"] * 1024 * 1024 if variant.serverless else None


def _of_the_image(uri: str) -> dict[str, str]:
    """What the image does for a model without code, and for a code without some of the functions."""
    image = images.find(uri)
    algorithm = f"{_CONTAINERS}.{image.algorithm}.inference" if image.algorithm else ""
    return {"SERVING_IMAGE": uri, "SERVING_ALGORITHM": algorithm, "SERVING_DEFAULTS": image.defaults}


def _of_many_models() -> dict[str, str]:
    """Models come and go in half of this machine's memory, unless the variant's environment says otherwise."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // 1024**2
    return {"SAGEMAKER_MULTI_MODEL": "true", "SERVING_MEMORY_LIMIT_MB": str(half)}
