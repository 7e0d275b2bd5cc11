"""The operations on training and processing jobs. What a job does is in `training`, `processing` and `runner`."""

from penstock.localaws.sagemaker.jobs import processing, requests, training
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.service import Service
from penstock.localaws.sagemaker.plane import Operation, Plane

TRAINING = Service(
    training.KIND,
    "TrainingJob",
    lambda _plane, params: requests.check_training(params),
    ("SecondaryStatus",),
    training.forget,
)
PROCESSING = Service(
    processing.KIND,
    "ProcessingJob",
    lambda _plane, params: requests.check_processing(params),
    ("FailureReason", "ExitMessage"),
)


def on_start(plane: Plane) -> None:
    """Fail what a crash interrupted, and make ready what the first job needs: clients and the jail's probe."""
    for service in (TRAINING, PROCESSING):
        service.recover(plane)
    for client in ("s3", "logs"):
        plane.client(client)
    assert plane.execution.mode  # noqa: S101  probes now rather than in front of the first job


def on_stop(plane: Plane) -> None:
    """Leave jobs as they are; the plane ends their processes next."""
    plane.part(Runner).close()


def on_reset(plane: Plane) -> None:
    """Wait for the threads of jobs whose processes have just been killed."""
    plane.part(Runner).join()


WAITS = {"training": TRAINING.wait, "processing": PROCESSING.wait}

OPERATIONS: dict[str, Operation] = {
    **TRAINING.operations(),
    **PROCESSING.operations(),
    "DeleteTrainingJob": lambda plane, params: TRAINING.delete(plane, params["TrainingJobName"]),
    "DeleteProcessingJob": lambda plane, params: PROCESSING.delete(plane, params["ProcessingJobName"]),
}
