"""Endpoints' operations: what is asked for is checked here, `hosting` does it.

Also the operations of models and endpoint configurations: together they are SageMaker hosting.
"""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.hosting import (
    artifacts,
    models,
)
from penstock.localaws.sagemaker.hosting import (
    configs as endpoint_configs,
)
from penstock.localaws.sagemaker.hosting import (
    lifecycle as endpoint_lifecycle,
)
from penstock.localaws.sagemaker.hosting.events import variants as shown
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

_HEALTH_SECONDS = 240.0  # how long AWS waits for /ping when the configuration does not say
_Retained = dict[str, tuple[float | None, int | None]]


def create(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """CreateEndpoint: answers at once, the endpoint is Creating."""
    name, config = params["EndpointName"], params["EndpointConfigName"]
    _check_deployment(params)
    if not plane.part(Hosting).create(name, Created(_blueprint(plane, config, {}))):
        raise _refusal(plane, name, "Cannot create already existing endpoint")
    address = arn(plane.place, KIND, name)
    tags.put(plane, address, params.get("Tags"))
    return {"EndpointArn": address}


def update(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpoint: the old fleet answers until the new one is healthy."""
    name = params["EndpointName"]
    _, endpoint = _find(plane, name)
    _check_deployment(params)
    _apply(plane, name, Updated(_blueprint(plane, params["EndpointConfigName"], _retained(endpoint, params))))
    return {"EndpointArn": arn(plane.place, KIND, name)}


def rescale(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpointWeightsAndCapacities."""
    name = params["EndpointName"]
    _, endpoint = _find(plane, name)
    known = {variant.name for variant in endpoint.active.variants} if endpoint.active else set()
    changes: _Retained = {}
    for wanted in params["DesiredWeightsAndCapacities"]:
        if endpoint.active and wanted["VariantName"] not in known:
            raise _refusal(plane, name, f"Could not find variant {wanted['VariantName']} of endpoint")
        changes[wanted["VariantName"]] = (wanted.get("DesiredWeight"), wanted.get("DesiredInstanceCount"))
    _apply(plane, name, Rescaled(changes))
    return {"EndpointArn": arn(plane.place, KIND, name)}


def describe(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DescribeEndpoint."""
    document, endpoint = _find(plane, params["EndpointName"])
    answer: dict[str, Any] = {
        "EndpointName": endpoint.name,
        "EndpointArn": arn(plane.place, KIND, endpoint.name),
        "EndpointConfigName": endpoint.active.config if endpoint.active else endpoint.config,
        "EndpointStatus": endpoint.status,
        "CreationTime": moment(document["created"]),
        "LastModifiedTime": moment(document["modified"]),
    }
    if endpoint.active:
        answer["ProductionVariants"] = _current(endpoint)
    if endpoint.failure:
        answer["FailureReason"] = endpoint.failure
    if endpoint.active and endpoint.pending:
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": endpoint.pending.config,
            "ProductionVariants": shown(endpoint.pending),
            "StartTime": moment(document["modified"]),
        }
    return answer


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
    return document, endpoint_lifecycle.from_document(document["endpoint"])


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
    container = models.container_of(plane, entry["ModelName"])
    data = container.get("ModelDataUrl")
    if data is not None and not artifacts.exists(plane.client("s3"), data):
        raise ServiceError("ValidationException", f"Could not find model data at {data}.")
    weight, count = retained.get(entry["VariantName"], (None, None))
    return Variant(
        name=entry["VariantName"],
        model=entry["ModelName"],
        image=container["Image"],
        model_data=data,
        environment=container.get("Environment", {}),
        count=entry["InitialInstanceCount"] if count is None else count,
        weight=float(entry.get("InitialVariantWeight", 1.0)) if weight is None else weight,
        patience=float(entry.get("ContainerStartupHealthCheckTimeoutInSeconds", _HEALTH_SECONDS)),
    )


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


def _check_deployment(params: dict[str, Any]) -> None:
    """All at once is what we do; what would be ignored is refused."""
    config = params.get("DeploymentConfig", {})
    routing = config.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    if routing.get("Type", "ALL_AT_ONCE") != "ALL_AT_ONCE" or config.get("RollingUpdatePolicy"):
        raise ServiceError(
            "ValidationException",
            "Only ALL_AT_ONCE deployments are part of the embedded AWS: change DeploymentConfig.",
        )
    if config.get("AutoRollbackConfiguration", {}).get("Alarms"):
        raise ServiceError(
            "ValidationException", "AutoRollbackConfiguration is not part of the embedded AWS: leave it out."
        )


def _current(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The active variants, wanting what a rescaling under way wants."""
    active, pending = shown(endpoint.active), endpoint.pending
    if pending and endpoint.active and pending.generation == endpoint.active.generation:
        for one, wanted in zip(active, shown(pending), strict=True):
            one["DesiredWeight"], one["DesiredInstanceCount"] = (
                wanted["DesiredWeight"],
                wanted["DesiredInstanceCount"],
            )
    return active


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
