"""Search and GetSearchSuggestions: resources of one kind, as their Describe operation shows them, with their tags."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags, validation
from penstock.localaws.sagemaker.expressions import condition
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.properties import SETTING, Schema

Record = dict[str, Any]
_DEFAULT_PAGE = 10
_MOST_SUGGESTIONS = 100


@dataclass(frozen=True)
class _Resource:
    """A kind that can be searched.

    `kind` is the store's; `of` names a document at its Describe operation; `module` has that; `shape` is the record.
    """

    kind: str
    noun: str
    module: str
    shape: str
    of: Callable[[str, Record], str] = lambda name, _document: name
    inner: str | None = None

    @functools.cached_property
    def describe(self) -> Operation:
        """Its Describe operation."""
        module = importlib.import_module(f"{__name__.rpartition('.')[0]}.{self.module}")
        found: Operation = module.OPERATIONS[f"Describe{self.noun}"]
        return found


_RESOURCES = {
    "TrainingJob": _Resource("training", "TrainingJob", "jobs.operations", "TrainingJob"),
    "HyperParameterTuningJob": _Resource(
        "tuning",
        "HyperParameterTuningJob",
        "tuning.operations",
        "HyperParameterTuningJobSearchEntity",
    ),
    "Experiment": _Resource("experiment", "Experiment", "experiments.operations", "Experiment"),
    "ExperimentTrial": _Resource("experiment-trial", "Trial", "experiments.operations", "Trial"),
    "ExperimentTrialComponent": _Resource(
        "experiment-trial-component", "TrialComponent", "experiments.operations", "TrialComponent"
    ),
    "Endpoint": _Resource("endpoint", "Endpoint", "hosting.operations", "Endpoint"),
    "Model": _Resource("model", "Model", "hosting.operations", "ModelDashboardModel", inner="Model"),
    "ModelPackage": _Resource("model-package", "ModelPackage", "registry", "ModelPackage"),
    "ModelPackageGroup": _Resource(
        "model-package-group", "ModelPackageGroup", "registry", "ModelPackageGroup"
    ),
}


def search(plane: Plane, params: Record) -> Record:
    """Search."""
    resource = _resource(params["Resource"])
    if params.get("VisibilityConditions"):
        raise _invalid("VisibilityConditions is not part of the embedded AWS. Leave it out.")
    schema = Schema(validation.service(), resource.shape, resource.inner)
    wanted = condition(params.get("SearchExpression"), schema)
    cross = params.get("CrossAccountFilterOption") == "CrossAccount"  # there is one account only
    found = [one for one in _records(plane, resource) if not cross and wanted(one)]
    by, order = params.get("SortBy", "LastModifiedTime"), params.get("SortOrder", "Descending")
    key = _sort_key(schema, by, "SortBy" not in params, resource)
    shown, token = listing.slice_of(
        [(key(one, order == "Descending"), one) for one in found],
        order == "Descending",
        params.get("MaxResults", _DEFAULT_PAGE),
        [params["Resource"], by, order],
        params.get("NextToken"),
    )
    answer: Record = {
        "Results": [{resource.noun: one} for one in shown],
        "TotalHits": {"Value": len(found), "Relation": "EqualTo"},
    }
    return answer if token is None else {**answer, "NextToken": token}


def suggest(plane: Plane, params: Record) -> Record:
    """GetSearchSuggestions: property names that begin with the hint, in lower or upper case."""
    resource = _resource(params["Resource"])
    query = params.get("SuggestionQuery", {}).get("PropertyNameQuery", {})
    hint = query.get("PropertyNameHint", "").lower()
    names = set(Schema(validation.service(), resource.shape).names())
    for one in _records(plane, resource):
        names |= {f"HyperParameters.{key}" for key in one.get("HyperParameters", {})}
        names |= {f"Metrics.{metric['MetricName']}" for metric in one.get("FinalMetricDataList", [])}
        names |= {f"Tags.{tag['Key']}" for tag in one.get("Tags", [])}
    chosen = sorted(name for name in names if name.lower().startswith(hint))[:_MOST_SUGGESTIONS]
    return {"PropertyNameSuggestions": [{"PropertyName": name} for name in chosen]}


def _resource(name: str) -> _Resource:
    if name not in _RESOURCES:
        known = ", ".join(sorted(_RESOURCES))
        raise _invalid(f"Searching for {name} is not part of the embedded AWS. It has: {known}.")
    return _RESOURCES[name]


def _records(plane: Plane, resource: _Resource) -> list[Record]:
    """Every resource of the kind that is there still when it is described."""
    found = []
    for name, document in plane.store.all(resource.kind):
        try:
            described = resource.describe(plane, {f"{resource.noun}Name": name})
        except ServiceError:
            continue  # deleted meanwhile
        tagged = tags.of(plane, described[f"{resource.noun}Arn"])
        described |= {"Tags": tagged} if tagged else {}
        if resource.noun == "TrialComponent":
            described |= _parents(plane, document)
        found.append(_shown(plane, resource, described))
    return found


def _shown(plane: Plane, resource: _Resource, described: Record) -> Record:
    """What of the Describe answer a search shows."""
    members = validation.service()["shapes"][resource.shape]["members"]
    if resource.noun == "Model":
        shapes = validation.service()["shapes"]
        model = {key: value for key, value in described.items() if key in shapes["Model"]["members"]}
        using = _endpoints_of(plane, described["ModelName"])
        return {"Model": model, "Endpoints": using} if using else {"Model": model}
    return {key: value for key, value in described.items() if key in members}


def _parents(plane: Plane, component: Record) -> Record:
    """The trials a component is in, and their experiments."""
    trials = [plane.store.get("experiment-trial", name) for name in component.get("trials", [])]
    found = [{key: one[key] for key in ("TrialName", "ExperimentName")} for one in trials if one is not None]
    return {"Parents": found} if found else {}


def _endpoints_of(plane: Plane, model: str) -> list[Record]:
    """The endpoints whose configuration names the model, as they are shown with it."""
    configs = {
        name
        for name, config in plane.store.all("endpoint-config")
        if any(variant.get("ModelName") == model for variant in config["ProductionVariants"])
    }
    resource = _resource("Endpoint")
    members = validation.service()["shapes"]["ModelDashboardEndpoint"]["members"]
    return [
        {key: value for key, value in one.items() if key in members}
        for one in _records(plane, resource)
        if one["EndpointConfigName"] in configs
    ]


def _sort_key(
    schema: Schema, by: str, default: bool, resource: _Resource
) -> Callable[[Record, bool], list[Any]]:
    """What to sort by: those that lack the property come last in either order, and the ARN decides between equals."""
    if default and by not in schema.names():
        by = next(
            (one for one in (f"{resource.inner}.CreationTime", "CreationTime") if one in schema.names()), by
        )
    found, arn = schema.property(by), schema.property(f"{resource.noun}Arn")

    def key(record: Record, descending: bool) -> list[Any]:
        values = [_comparable(value, found.type) for value in found.read(record)]
        rank = max(values) if values and descending else min(values) if values else None
        last = -1 if descending else 9
        return [*(rank or [last, 0]), arn.read(record)[0]]

    return key


def _comparable(value: Any, kind: str) -> list[Any]:
    """A value that can be compared and kept in a token: numbers before text."""
    if isinstance(value, datetime):
        return [0, value.timestamp()]
    if kind == SETTING:
        try:
            return [0, float(value)]
        except ValueError:
            return [1, value]
    return [0, value] if isinstance(value, int | float) else [1, str(value)]


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


OPERATIONS: dict[str, Operation] = {"Search": search, "GetSearchSuggestions": suggest}
