"""The paths through the machine: what each task answers, and where the execution must then go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MACHINE = "penstock-paths"
START = {"project": "churn", "run": "churn-0007-t4k2p9", "attempt": 1}

_CLAIM = {
    "objects": 3,
    "prepare": {"JobName": "penstock-local-prepare", "Arguments": {"--run": START["run"]}},
    "prepare_uri": "s3://b/runs/r/prepare.json",
    "train": {"TrainingJobName": "penstock-local-churn-0007-t4k2p9-1-train"},
    "evaluate": {"ProcessingJobName": "penstock-local-churn-0007-t4k2p9-1-eval"},
    "scorecard_uri": "s3://b/runs/r/evaluate/scorecard.json",
    "report_uri": "s3://b/runs/r/evaluate/report.html",
}
_ARTIFACT = "s3://b/models/churn/x/output/model.tar.gz"
_TUNE = "penstock-local-0123456789abcdef"
_JOBS = [
    {"TrainingJobName": f"penstock-local-churn-0007-t4k2p9-1-t{n}", "HyperParameters": {"learner": name}}
    for n, name in enumerate(("gradient_boosting", "text_forest"), start=1)
]


def _asked(**learning: Any) -> dict[str, Any]:
    """A claim that takes another way to a model than one training job."""
    rest = {name: value for name, value in _CLAIM.items() if name != "train"}
    return _returns({**rest, **learning})


_TRAINED = {
    "TrainingJobName": "penstock-local-churn-0007-t4k2p9-1-train",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://b/models/churn/x/output/model.tar.gz"},
    "TrainingTimeInSeconds": 9,
}


def _returns(payload: dict[str, Any]) -> dict[str, Any]:
    return {"0-99": {"Return": {"StatusCode": 200, "Payload": payload}}}


def _throws(error: str, cause: str = "a reason") -> dict[str, Any]:
    return {"0-99": {"Throw": {"Error": error, "Cause": cause}}}


_WELL: dict[str, dict[str, Any]] = {
    "Claim": _returns(_CLAIM),
    "Prepare": {"0-99": {"Return": {"Id": "jr_1", "ExecutionTime": 12, "JobRunState": "SUCCEEDED"}}},
    "Train": {"0-99": {"Return": _TRAINED}},
    "Evaluate": {"0-99": {"Return": {"ProcessingJobName": _CLAIM["evaluate"]["ProcessingJobName"]}}},  # type: ignore[index]
    "Gate": _returns({"passed": True, "reason": "macro_f1 0.91 beats 0.60"}),
    "Register": _returns({"package_arn": "arn:p/1", "version": 1, "approved": True}),
    "Release": _returns({"status": "released", "endpoint": "penstock-local-churn"}),
    "Report": _returns({"outcome": "succeeded", "reason": "released"}),
}
_RANKED = _returns(
    {
        "rank": {"candidates": 2, "evaluate": {"ProcessingJobName": "of-the-best"}},
        "train": {"job": "best", "artifact": _ARTIFACT, "seconds": 3, "learner": "text_forest"},
    }
)
_WELL["Rank"] = _RANKED
_WELL["Tune"] = {"0-99": {"Return": {"HyperParameterTuningJobName": _TUNE}}}
_WELL["Try"] = {"0-99": {"Return": _TRAINED}}
_REPORT_FAILED = _returns({"outcome": "failed", "reason": "Train: the container ended with 1"})
_REPORT_REFUSED = _returns({"outcome": "refused", "reason": "BadUpload: no column named target"})


@dataclass(frozen=True)
class Path:
    """One way through: answers that differ from all going well, the states entered, how it ends."""

    name: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    visits: str = ""
    status: str = "SUCCEEDED"
    error: str = ""


_JUDGED = "Evaluate Gate Passed Register Approved Release Released"
_ALL = f"Claim Claimed Prepare Learn Train {_JUDGED}"
_UPDATING = {"Return": {"Payload": {"status": "updating", "wait_seconds": 1}}}
_RELEASED = {"Return": {"Payload": {"status": "released"}}}

_GATHERING = {"Return": {"Payload": {"status": "gathering", "waiting": 20, "waited": 1, "wait_seconds": 1}}}

_ERASING = _returns({**_CLAIM, "erase": {"JobName": "penstock-local-erase"}})["0-99"]
_ERASED = {"0-99": {"Return": {"Id": "jr_0", "ExecutionTime": 3, "JobRunState": "SUCCEEDED"}}}

PATHS = [
    Path("EverythingGoesWell", {}, f"{_ALL} Report Outcome Done"),
    Path(
        "ABurstArrives",
        {"Claim": {"0-1": _GATHERING, "2": {"Return": {"Payload": _CLAIM}}}},
        f"Claim Claimed Gather Claim Claimed Gather {_ALL} Report Outcome Done",
    ),
    Path(
        "EndpointTakesItsTime",
        {"Release": {"0-1": _UPDATING, "2": _RELEASED}},
        f"{_ALL} Settle Release Released Settle Release Released Report Outcome Done",
    ),
    Path(
        "NothingWaits",
        {
            "Claim": _throws("NothingWaiting"),
            "Report": _returns({"outcome": "nothing", "reason": "no objects"}),
        },
        "Claim Report Outcome Done",
    ),
    Path(
        "RecordsAreErased",
        {"Claim": {"0": _ERASING, "1-99": _returns(_CLAIM)["0-99"]}, "Erase": _ERASED},
        f"Claim Claimed Erase {_ALL} Report Outcome Done",
    ),
    Path(
        "ClaimedFails",
        {
            "Claim": {"0-99": _ERASING},
            "Erase": _throws("States.TaskFailed", "no disk"),
            "Report": _REPORT_FAILED,
        },
        "Claim Claimed Erase Report Outcome Unfinished",
        "FAILED",
        "States.TaskFailed",
    ),
    Path(
        "DataIsRefused",
        {"Prepare": _throws("States.TaskFailed", "BadUpload: no target"), "Report": _REPORT_REFUSED},
        "Claim Claimed Prepare Report Outcome Done",
    ),
    Path(
        "TrainingFails",
        {"Train": _throws("States.TaskFailed"), "Report": _REPORT_FAILED},
        "Claim Claimed Prepare Learn Train Report Outcome Unfinished",
        "FAILED",
        "States.TaskFailed",
    ),
    Path(
        "ModelIsTuned",
        {"Claim": _asked(tune={"HyperParameterTuningJobName": _TUNE})},
        f"Claim Claimed Prepare Learn Tune Rank {_JUDGED} Report Outcome Done",
    ),
    Path(
        "TuningEndsBadly",
        {
            "Claim": _asked(tune={"HyperParameterTuningJobName": _TUNE}),
            "Tune": _throws("States.TaskFailed"),
        },
        f"Claim Claimed Prepare Learn Tune Rank {_JUDGED} Report Outcome Done",
    ),
    Path(
        "TuningIsRefused",
        {
            "Claim": _asked(tune={"HyperParameterTuningJobName": _TUNE}),
            "Tune": _throws("SageMaker.ResourceNotFoundException"),
            "Rank": _throws("JobFailed"),
            "Report": _REPORT_FAILED,
        },
        "Claim Claimed Prepare Learn Tune Rank Report Outcome Unfinished",
        "FAILED",
        "JobFailed",
    ),
    Path(
        "LearnersAreTried",
        {"Claim": _asked(auto={"jobs": _JOBS, "left_out": []})},
        f"Claim Claimed Prepare Learn Auto Rank {_JUDGED} Report Outcome Done",
    ),
    Path(
        "EveryLearnerFails",
        {
            "Claim": _asked(auto={"jobs": _JOBS, "left_out": []}),
            "Try": _throws("States.TaskFailed", "x" * 600),
            "Rank": _throws("JobFailed", "all 2 failed"),
            "Report": _REPORT_FAILED,
        },
        "Claim Claimed Prepare Learn Auto Rank Report Outcome Unfinished",
        "FAILED",
        "JobFailed",
    ),
    Path(
        "EveryLearnerFailsButRankIsKind",
        {
            "Claim": _asked(auto={"jobs": _JOBS, "left_out": []}),
            "Try": _throws("States.TaskFailed", "x" * 600),
        },
        f"Claim Claimed Prepare Learn Auto Rank {_JUDGED} Report Outcome Done",
    ),
    Path(
        "EvaluationFails",
        {"Evaluate": _throws("States.TaskFailed"), "Report": _REPORT_FAILED},
        "Claim Claimed Prepare Learn Train Evaluate Report Outcome Unfinished",
        "FAILED",
        "States.TaskFailed",
    ),
    Path(
        "ModelIsRefused",
        {"Gate": _returns({"passed": False, "reason": "0.51 < 0.75"}), "Report": _REPORT_REFUSED},
        "Claim Claimed Prepare Learn Train Evaluate Gate Passed Report Outcome Done",
    ),
    Path(
        "PersonMustApprove",
        {"Register": _returns({"approved": False})},
        "Claim Claimed Prepare Learn Train Evaluate Gate Passed Register Approved Report Outcome Done",
    ),
    Path(
        "RegisterFails",
        {"Register": _throws("Misconfigured"), "Report": _REPORT_FAILED},
        "Claim Claimed Prepare Learn Train Evaluate Gate Passed Register Report Outcome Unfinished",
        "FAILED",
        "Misconfigured",
    ),
    Path(
        "EndpointRollsBack",
        {"Release": _throws("ReleaseRolledBack"), "Report": _REPORT_FAILED},
        "Claim Claimed Prepare Learn Train Evaluate Gate Passed Register Approved Release Report Outcome Unfinished",
        "FAILED",
        "ReleaseRolledBack",
    ),
    Path(
        "ReportItselfFails",
        {"Report": _throws("Misconfigured")},
        f"{_ALL} Report Unfinished",
        "FAILED",
        "PipelineFailed",
    ),
]


def mocks() -> dict[str, Any]:
    """The paths as a mock file of AWS Step Functions Local."""
    cases: dict[str, dict[str, str]] = {}
    responses: dict[str, Any] = {}
    for path in PATHS:
        answers = _WELL | path.answers
        cases[path.name] = {state: f"{path.name}{state}" for state in answers}
        responses |= {f"{path.name}{state}": answer for state, answer in answers.items()}
    return {"StateMachines": {MACHINE: {"TestCases": cases}}, "MockedResponses": responses}
