"""The operations on hyperparameter tuning jobs. What a tuning does is in `core`; who carries it out, in `conductor`."""

import secrets
import threading
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, names, tags
from penstock.localaws.sagemaker.jobs.operations import TRAINING
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.tuning import checks, children, core, records, requested, views, warm
from penstock.localaws.sagemaker.tuning.conductor import Tunings, announce
from penstock.localaws.sagemaker.tuning.records import Header
from penstock.localaws.sagemaker.tuning.state import Tuning

Params = dict[str, Any]
_NAME = "HyperParameterTuningJobName"
_MOST_AT_ONCE = 100


def on_start(plane: Plane) -> None:
    """Go on with the tunings a stop or a crash interrupted; their training jobs have been seen to before."""
    plane.part(Tunings).recover()


def on_stop(plane: Plane) -> None:
    """Put tunings aside, before their training jobs are ended."""
    plane.part(Tunings).close()


def on_reset(plane: Plane) -> None:
    """Wait until no tuning does anything any more."""
    plane.part(Tunings).join()


def _create(plane: Plane, params: Params) -> Params:
    checks.check(params)
    params = requested.told(params)
    _check(plane, params)
    prior = warm.gather(plane.store, params)
    name = params[_NAME]
    arn = names.arn(plane.place, "hyper-parameter-tuning-job", name)
    seed = params["HyperParameterTuningJobConfig"].get("RandomSeed")
    header = Header(name, arn, params, str(secrets.randbits(32) if seed is None else seed))
    tuning = core.create(plane.clock.now())
    with plane.store.transaction():
        if not plane.store.create(records.KIND, records.key(name), records.document(header, tuning)):
            raise ServiceError(
                "ResourceInUse",
                "Hyperparameter tuning job names must be unique within an AWS account and region, "
                f"and a hyperparameter tuning job with this name already exists ({arn})",
            )
        if prior is not None:
            records.put_prior(plane.store, name, prior)
        tags.put(plane, arn, params.get("Tags"))
    announce(plane, header, tuning)
    plane.part(Tunings).begin(header, tuning)
    return {"HyperParameterTuningJobArn": arn}


def _check(plane: Plane, params: Params) -> None:
    """Refuse what cannot be tuned, also when only its training jobs would be refused."""
    for definition in requested.definitions(params):
        children.check_metric(definition)
        values = {
            one.name: one.text(one.low) if not one.categories else one.categories[0]
            for one in definition.space
        }
        sample = children.request(definition, children.name(params[_NAME], 0.0, 1), values, "")
        sample.pop("TuningJobArn")
        TRAINING.check(plane, sample)
    if len(records.unfinished(plane)) >= _MOST_AT_ONCE:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit 'Number of concurrent hyperparameter tuning jobs' is {_MOST_AT_ONCE}, "
            f"with current utilization of {_MOST_AT_ONCE} and a request delta of 1.",
        )


def _found(plane: Plane, name: str) -> tuple[Header, Tuning]:
    kept = records.read(plane.store, name)
    if kept is None:
        raise warm.missing(name)
    return kept


def _describe(plane: Plane, params: Params) -> Params:
    return views.describe(plane, *_found(plane, params[_NAME]))


def _list(plane: Plane, params: Params) -> Params:
    asked = {"SortBy": "Name", "SortOrder": "Ascending", **params}
    documents = [document for _, document in plane.store.all(records.KIND)]
    return listing.page(asked, documents, views.summary, "HyperParameterTuningJobSummaries")


def _list_training_jobs(plane: Plane, params: Params) -> Params:
    header, tuning = _found(plane, params[_NAME])
    asked = {"SortBy": "Name", "SortOrder": "Ascending", **params}
    found = requested.definitions(header.request)
    shown = [views.trial_record(plane, trial, found[trial.definition]) for trial in tuning.trials]
    if (
        asked["SortBy"] == "FinalObjectiveMetricValue"
    ):  # those without one are not listed, says the API's reference
        shown = [{**record, "created": record["value"]} for record in shown if record["value"] is not None]
        asked["SortBy"] = "CreationTime"
    return listing.page(asked, shown, lambda record: record["shown"], "TrainingJobSummaries")


def _stop(plane: Plane, params: Params) -> Params:
    header, tuning = _found(plane, params[_NAME])
    if tuning.over or not plane.part(Tunings).stop(header.name):
        status = _found(plane, header.name)[1].status
        raise checks.invalid(
            f"The request was rejected because the hyperparameter tuning job is in status {status}."
        )
    return {}


def _delete(plane: Plane, params: Params) -> Params:
    header, tuning = _found(plane, params[_NAME])
    if not tuning.over:
        raise ServiceError(
            "ResourceInUse",
            f"The hyperparameter tuning job {header.name} is in status {tuning.status}: stop it first.",
        )
    with plane.store.transaction():
        records.delete(plane.store, header.name)
        tags.drop(plane, header.arn)
    return {}


def wait(plane: Plane, name: str, stop: threading.Event | None) -> Params:
    """Block until the tuning has ended or `stop` is set; its Describe answer."""
    plane.part(Tunings).wait(name, stop)
    return _describe(plane, {_NAME: name})


WAITS = {"tuning": wait}

OPERATIONS: dict[str, Operation] = {
    "CreateHyperParameterTuningJob": _create,
    "DescribeHyperParameterTuningJob": _describe,
    "ListHyperParameterTuningJobs": _list,
    "StopHyperParameterTuningJob": _stop,
    "DeleteHyperParameterTuningJob": _delete,
    "ListTrainingJobsForHyperParameterTuningJob": _list_training_jobs,
}
