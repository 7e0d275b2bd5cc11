"""Endpoints' operations: what is asked for is checked here, `hosting` does it.

Also the operations of models and endpoint configurations: together they are SageMaker hosting.
"""

import dataclasses
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.hosting import blueprints, guardrails, lifecycle, models, shown
from penstock.localaws.sagemaker.hosting import configs as endpoint_configs
from penstock.localaws.sagemaker.hosting.fleets import KIND, Hosting
from penstock.localaws.sagemaker.hosting.lifecycle import (
    Blueprint,
    Created,
    Deleted,
    Endpoint,
    Event,
    Refused,
    Rescaled,
    Updated,
    Variant,
)
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Operation, Plane

_Retained = dict[str, tuple[float | None, int | None]]


def create(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """CreateEndpoint: answers at once, the endpoint is Creating; a DeploymentConfig is kept for updates to come."""
    name, config = params["EndpointName"], params["EndpointConfigName"]
    blueprint, deployment = _blueprint(plane, config, {}), params.get("DeploymentConfig")
    guardrails.check(plane, deployment, blueprint.variants)
    if not plane.part(Hosting).create(name, Created(blueprint, deployment)):
        raise _refusal(plane, name, "Cannot create already existing endpoint")
    address = arn(plane.place, KIND, name)
    tags.put(plane, address, params.get("Tags"))
    return {"EndpointArn": address}


def update(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpoint: the old fleet answers until the new one is healthy, then as the DeploymentConfig says."""
    name = params["EndpointName"]
    _, endpoint = _find(plane, name)
    blueprint = _blueprint(plane, params["EndpointConfigName"], _retained(endpoint, params))
    blueprint = dataclasses.replace(blueprint, capture=_capture(endpoint, params, blueprint))
    deployment = params.get("DeploymentConfig")
    if params.get("RetainDeploymentConfig"):
        if deployment:
            raise ServiceError(
                "ValidationException",
                "DeploymentConfig cannot be specified when RetainDeploymentConfig is true.",
            )
        deployment = endpoint.last_deployment
    guardrails.check(plane, deployment, blueprint.variants)
    _apply(plane, name, Updated(blueprint, deployment))
    return {"EndpointArn": arn(plane.place, KIND, name)}


def rescale(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpointWeightsAndCapacities."""
    name = params["EndpointName"]
    _, endpoint = _find(plane, name)
    known = {variant.name: variant for variant in endpoint.active.variants} if endpoint.active else {}
    changes: _Retained = {}
    serverless: dict[str, dict[str, Any]] = {}
    for wanted in params["DesiredWeightsAndCapacities"]:
        variant = wanted["VariantName"]
        if endpoint.active and variant not in known:
            raise _refusal(plane, name, f"Could not find variant {variant} of endpoint")
        if variant in changes:
            raise _refusal(plane, name, f"Variant {variant} is named more than once for endpoint")
        if variant in known:
            _check_wanted(known[variant], endpoint, wanted)
        changes[variant] = (wanted.get("DesiredWeight"), wanted.get("DesiredInstanceCount"))
        serverless[variant] = wanted.get("ServerlessUpdateConfig", {})
    _apply(plane, name, Rescaled(changes, serverless))
    return {"EndpointArn": arn(plane.place, KIND, name)}


def _check_wanted(variant: Variant, endpoint: Endpoint, wanted: dict[str, Any]) -> None:
    """Instances for variants on instances, concurrency for serverless ones."""
    if variant.serverless is None and wanted.get("ServerlessUpdateConfig"):
        why = f"ServerlessUpdateConfig cannot be specified: variant {variant.name} is not serverless."
        raise ServiceError("ValidationException", why)
    if variant.serverless is not None and "DesiredInstanceCount" in wanted:
        why = f"DesiredInstanceCount cannot be specified: variant {variant.name} is serverless."
        raise ServiceError("ValidationException", why)
    asynchronous = endpoint.active is not None and endpoint.active.blueprint.asynchronous
    if wanted.get("DesiredInstanceCount") == 0 and not asynchronous:
        why = f"DesiredInstanceCount of variant {variant.name} must be at least 1."
        raise ServiceError("ValidationException", why)
    after = {**(variant.serverless or {}), **wanted.get("ServerlessUpdateConfig", {})}
    if after.get("ProvisionedConcurrency", 0) > after.get("MaxConcurrency", 0):
        why = (
            f"ProvisionedConcurrency of variant {variant.name} must be less than or equal to MaxConcurrency."
        )
        raise ServiceError("ValidationException", why)


def describe(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DescribeEndpoint."""
    document, endpoint = _find(plane, params["EndpointName"])
    blueprint = endpoint.active.blueprint if endpoint.active else None
    optional = (
        ("ProductionVariants", shown.current(endpoint, document)),
        ("ShadowProductionVariants", shown.shadows(endpoint.active)),
        ("DataCaptureConfig", shown.capture(endpoint.active)),
        ("AsyncInferenceConfig", blueprint.asynchronous if blueprint else None),
        ("FailureReason", endpoint.failure),
        ("LastDeploymentConfig", endpoint.last_deployment),
        ("PendingDeploymentSummary", shown.pending(endpoint, document)),
    )
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": arn(plane.place, KIND, endpoint.name),
        "EndpointConfigName": endpoint.active.config if endpoint.active else endpoint.config,
        "EndpointStatus": endpoint.status,
        "CreationTime": moment(document["created"]),
        "LastModifiedTime": moment(document["modified"]),
        **{member: value for member, value in optional if value},
    }


def list_endpoints(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """ListEndpoints."""
    plane.part(Hosting)
    records = [
        {"name": name, "created": d["created"], "modified": d["modified"], "status": d["endpoint"]["status"]}
        for name, d in plane.store.all(KIND)
    ]

    def summary(record: dict[str, Any]) -> dict[str, Any]:
        return {
            "EndpointName": record["name"],
            "EndpointArn": arn(plane.place, KIND, record["name"]),
            "CreationTime": moment(record["created"]),
            "LastModifiedTime": moment(record["modified"]),
            "EndpointStatus": record["status"],
        }

    return listing.page(params, records, summary, "Endpoints")


def delete(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteEndpoint: answers at once, the endpoint is Deleting until its processes have ended."""
    _find(plane, params["EndpointName"])
    _apply(plane, params["EndpointName"], Deleted())
    return {}


def _apply(plane: Plane, name: str, event: Event) -> None:
    try:
        if plane.part(Hosting).apply(name, event) is None:
            raise _refusal(plane, name, "Could not find endpoint")
    except Refused as refused:
        if refused.in_progress:
            raise _refusal(plane, name, "Cannot update in-progress endpoint") from refused
        raise _refusal(plane, name, f"Delete it: it is {refused.status}. Cannot update endpoint") from refused


def _find(plane: Plane, name: str) -> tuple[dict[str, Any], Endpoint]:
    plane.part(Hosting)  # which notes a restart of the server before anybody sees the old status
    document = plane.store.get(KIND, name)
    if document is None:
        raise _refusal(plane, name, "Could not find endpoint")
    return document, lifecycle.from_document(document["endpoint"])


def _refusal(plane: Plane, name: str, what: str) -> ServiceError:
    return ServiceError("ValidationException", f'{what} "{arn(plane.place, KIND, name)}".')


def _blueprint(plane: Plane, config: str, retained: _Retained) -> Blueprint:
    """The configuration with its models as they are now; their model data must be there."""
    found = endpoint_configs.find(plane, config)
    return Blueprint(
        config=config,
        variants=tuple(_variant(plane, entry, retained) for entry in found["ProductionVariants"]),
        shadows=tuple(_variant(plane, entry, {}) for entry in found.get("ShadowProductionVariants", [])),
        capture=found.get("DataCaptureConfig"),
        asynchronous=found.get("AsyncInferenceConfig"),
    )


def _variant(plane: Plane, entry: dict[str, Any], retained: _Retained) -> Variant:
    weight, count = retained.get(entry["VariantName"], (None, None))
    return blueprints.variant(plane, entry, weight, count)


def _retained(endpoint: Endpoint, params: dict[str, Any]) -> _Retained:
    """Weights and counts that an update keeps, when RetainAllVariantProperties says so."""
    if not params.get("RetainAllVariantProperties") or endpoint.active is None:
        return {}
    dropped = {one["VariantPropertyType"] for one in params.get("ExcludeRetainedVariantProperties", [])}
    return {
        variant.name: (
            None if "DesiredWeight" in dropped else variant.weight,
            None if "DesiredInstanceCount" in dropped else variant.count,
        )
        for variant in endpoint.active.variants
    }


def _capture(endpoint: Endpoint, params: dict[str, Any], wanted: Blueprint) -> Any:
    """The data capture configuration after an update: the old one when it is to be retained."""
    dropped = {one["VariantPropertyType"] for one in params.get("ExcludeRetainedVariantProperties", [])}
    if (
        not params.get("RetainAllVariantProperties")
        or "DataCaptureConfig" in dropped
        or endpoint.active is None
    ):
        return wanted.capture
    return endpoint.active.blueprint.capture or wanted.capture


OPERATIONS: dict[str, Operation] = {
    **models.OPERATIONS,
    **endpoint_configs.OPERATIONS,
    "CreateEndpoint": create,
    "DescribeEndpoint": describe,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": rescale,
    "DeleteEndpoint": delete,
}
