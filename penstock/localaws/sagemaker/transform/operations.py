"""The operations on transform jobs. What a job does is in `job`, `running` and `files`, in that order."""

from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.service import Service
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.transform import job, requests
from penstock.localaws.sagemaker.transform.running import Running

TRANSFORM = Service(job.KIND, "TransformJob", requests.check, ("FailureReason",))
_LAST_SECONDS = 3.0  # for a model server when the whole server stops


def on_start(plane: Plane) -> None:
    """Fail what a crash interrupted."""
    TRANSFORM.recover(plane)


def on_stop(plane: Plane) -> None:
    """End the model servers and whoever asks them; the jobs stay what they are, and are failed at the next start."""
    plane.part(Runner).close()  # first: a job that is cut short here has not completed
    plane.part(Running).terminate(_LAST_SECONDS)


WAITS = {"transform": TRANSFORM.wait}

OPERATIONS: dict[str, Operation] = TRANSFORM.operations()
