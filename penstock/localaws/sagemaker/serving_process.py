"""How a model server is started: its command, its environment, its /opt/ml, its log stream."""

from pathlib import Path

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker.endpoint_lifecycle import Variant
from penstock.localaws.sagemaker.instances import StartProcess
from penstock.localaws.sagemaker.plane import Plane

_OWN = "tmp"  # HOME and TMPDIR, below /opt/ml


class ServingProcess:
    """Starts model servers through the plane's execution."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def starter(self, endpoint: str, variant: Variant, opt_ml: Path) -> StartProcess:
        """A function that starts one process of the variant on a port."""

        def start(instance: str, port: int) -> Process:
            (opt_ml / _OWN).mkdir(exist_ok=True)
            return self._plane.execution.start(self._spec(endpoint, variant, opt_ml, instance, port))

        return start

    def _spec(self, endpoint: str, variant: Variant, opt_ml: Path, instance: str, port: int) -> ProcessSpec:
        place = self._plane.place
        base = self._plane.execution.base(opt_ml)
        environment = {
            **job_environment(place, f"{base}/{_OWN}"),
            "SAGEMAKER_REGION": place.region,
            **variant.environment,
            "PYTHONPATH": str(place.serving_root),
            "PYTHONSAFEPATH": "1",  # the current directory's names must not stand in for our modules
            "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(port),
        }
        return ProcessSpec(
            argv=(place.python, "-m", "serving"),
            env=environment,
            cwd=f"{base}/model",
            optml=opt_ml,
            log=(f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant.name}/{instance}"),
        )
