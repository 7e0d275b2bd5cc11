"""The operations on experiments, trials and trial components."""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.experiments import components
from penstock.localaws.sagemaker.experiments.records import COMPONENT, EXPERIMENT, TRIAL
from penstock.localaws.sagemaker.plane import Operation, Plane

Params = dict[str, Any]
_MAPS = ("Parameters", "InputArtifacts", "OutputArtifacts")


def _update(entity: Any) -> Operation:
    name = f"{entity.noun}Name"
    return lambda plane, params: entity.change(plane, params[name], lambda document: {**document, **params})


def _delete_experiment(plane: Plane, params: Params) -> Params:
    name = params["ExperimentName"]
    if any(trial["ExperimentName"] == name for trial in TRIAL.all(plane)):
        raise ServiceError("ValidationException", f"Experiment '{name}' has trials: delete them first.")
    return EXPERIMENT.delete(plane, name)


def _create_trial(plane: Plane, params: Params) -> Params:
    EXPERIMENT.find(plane, params["ExperimentName"])
    return TRIAL.create(plane, params)


def _delete_trial(plane: Plane, params: Params) -> Params:
    name = params["TrialName"]
    if any(name in component.get("trials", []) for component in COMPONENT.all(plane)):
        raise ServiceError("ValidationException", f"Trial '{name}' has components: disassociate them first.")
    return TRIAL.delete(plane, name)


def _list_trials(plane: Plane, params: Params) -> Params:
    trials = TRIAL.all(plane)
    if "ExperimentName" in params:
        EXPERIMENT.find(plane, params["ExperimentName"])
        trials = [trial for trial in trials if trial["ExperimentName"] == params["ExperimentName"]]
    if "TrialComponentName" in params:
        wanted = COMPONENT.find(plane, params["TrialComponentName"]).get("trials", [])
        trials = [trial for trial in trials if trial["TrialName"] in wanted]
    return TRIAL.page(plane, params, trials, ())


def _describe_component(plane: Plane, params: Params) -> Params:
    name = params["TrialComponentName"].rpartition("/")[2]  # its ARN will do
    return components.shown(plane, COMPONENT.find(plane, name))


def _update_component(plane: Plane, params: Params) -> Params:
    def change(document: Params) -> Params:
        changed = {
            **document,
            **{key: value for key, value in params.items() if not key.endswith("ToRemove")},
        }
        for member in _MAPS:
            merged = {**document.get(member, {}), **params.get(member, {})}
            gone = params.get(f"{member}ToRemove", [])
            changed[member] = {key: value for key, value in merged.items() if key not in gone}
        return {key: value for key, value in changed.items() if value not in ({}, [])}

    return COMPONENT.change(plane, params["TrialComponentName"], change)


def _list_components(plane: Plane, params: Params) -> Params:
    found = COMPONENT.all(plane)
    if "TrialName" in params:
        TRIAL.find(plane, params["TrialName"])
        found = [one for one in found if params["TrialName"] in one.get("trials", [])]
    if "ExperimentName" in params:
        EXPERIMENT.find(plane, params["ExperimentName"])
        trials = {t["TrialName"] for t in TRIAL.all(plane) if t["ExperimentName"] == params["ExperimentName"]}
        found = [one for one in found if trials & set(one.get("trials", []))]
    if "SourceArn" in params:
        found = [one for one in found if one.get("Source", {}).get("SourceArn") == params["SourceArn"]]
    page = COMPONENT.page(plane, params, found, ())
    for summary in page["TrialComponentSummaries"]:
        shown = components.shown(plane, COMPONENT.find(plane, summary["TrialComponentName"]))
        renamed = {"Source": "TrialComponentSource"}
        members = [name for name in ("Source", "Status", "StartTime", "EndTime") if name in shown]
        summary.update({renamed.get(name, name): shown[name] for name in members})
    return page


def _associate(plane: Plane, params: Params) -> Params:
    return _with_trials(plane, params, lambda trials, trial: [*dict.fromkeys([*trials, trial])])


def _disassociate(plane: Plane, params: Params) -> Params:
    return _with_trials(plane, params, lambda trials, trial: [one for one in trials if one != trial])


def _with_trials(plane: Plane, params: Params, change: Any) -> Params:
    trial, component = params["TrialName"], params["TrialComponentName"]
    TRIAL.find(plane, trial)
    COMPONENT.change(plane, component, lambda one: {**one, "trials": change(one.get("trials", []), trial)})
    return {"TrialComponentArn": COMPONENT.arn(plane, component), "TrialArn": TRIAL.arn(plane, trial)}


OPERATIONS: dict[str, Operation] = {
    "CreateExperiment": EXPERIMENT.create,
    "DescribeExperiment": lambda plane, p: EXPERIMENT.shown(
        plane, EXPERIMENT.find(plane, p["ExperimentName"])
    ),
    "UpdateExperiment": _update(EXPERIMENT),
    "DeleteExperiment": _delete_experiment,
    "ListExperiments": lambda plane, p: EXPERIMENT.page(plane, p, EXPERIMENT.all(plane), ()),
    "CreateTrial": _create_trial,
    "DescribeTrial": lambda plane, p: TRIAL.shown(plane, TRIAL.find(plane, p["TrialName"])),
    "UpdateTrial": _update(TRIAL),
    "DeleteTrial": _delete_trial,
    "ListTrials": _list_trials,
    "CreateTrialComponent": COMPONENT.create,
    "DescribeTrialComponent": _describe_component,
    "UpdateTrialComponent": _update_component,
    "DeleteTrialComponent": lambda plane, p: COMPONENT.delete(plane, p["TrialComponentName"]),
    "ListTrialComponents": _list_components,
    "AssociateTrialComponent": _associate,
    "DisassociateTrialComponent": _disassociate,
}
