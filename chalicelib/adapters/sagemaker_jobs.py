"""What SageMaker knows of training jobs, one by one and of a tuning job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.adapters.aws import FAILED, calling, code_of, message_of, translated
from chalicelib.domain.ranking import Candidate

_TOLD = "validation:"


class SageMakerJobs:
    """The Jobs port."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def training(self, job: str) -> Candidate:
        """A training job as it ended; one that SageMaker does not know has failed, and the reason says so."""
        try:
            found = self._client.describe_training_job(TrainingJobName=job)
        except FAILED as error:
            if code_of(error) in {"ValidationException", "ResourceNotFound"}:
                return Candidate(job, "?", status="Failed", reason=message_of(error))
            raise translated(error, f"training job {job}") from error
        given = found.get("HyperParameters", {})
        told = found.get("FinalMetricDataList", [])
        return Candidate(
            job=job,
            learner=str(given.get("learner", "?")),
            hyperparameters=given,
            metrics={
                one["MetricName"].removeprefix(_TOLD): float(one["Value"])
                for one in told
                if one["MetricName"].startswith(_TOLD)
            },
            status=found["TrainingJobStatus"],
            reason=_reason(found),
            seconds=float(found.get("BillableTimeInSeconds") or found.get("TrainingTimeInSeconds") or 0),
            artifact=found.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
        )

    def tuned(self, tuning: str, learner: str) -> list[Candidate]:
        """Every training job of a tuning job, with the value of its objective and the hyperparameters it tuned."""
        with calling(f"tuning job {tuning}"):
            return [_of_tuning(one, learner) for one in self._summaries(tuning)]

    def _summaries(self, tuning: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
        for page in pages.paginate(HyperParameterTuningJobName=tuning, PaginationConfig={"PageSize": 100}):
            yield from page["TrainingJobSummaries"]


def _of_tuning(one: Mapping[str, Any], learner: str) -> Candidate:
    objective = one.get("FinalHyperParameterTuningJobObjectiveMetric", {})
    started, ended = one.get("TrainingStartTime"), one.get("TrainingEndTime")
    return Candidate(
        job=one["TrainingJobName"],
        learner=learner,
        hyperparameters=one.get("TunedHyperParameters", {}),
        value=None if objective.get("Value") is None else float(objective["Value"]),
        status=one["TrainingJobStatus"],
        reason=one.get("FailureReason"),
        seconds=(ended - started).total_seconds() if started and ended else 0.0,
    )


def _reason(found: Mapping[str, Any]) -> str | None:
    """A job that ran out of its time says so only in its secondary status."""
    if found.get("SecondaryStatus") == "MaxRuntimeExceeded":
        seconds = found["StoppingCondition"]["MaxRuntimeInSeconds"]
        return f"it was stopped after the {seconds} seconds that the budget leaves it"
    return found.get("FailureReason")
