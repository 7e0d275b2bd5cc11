"""From an endpoint configuration's entry to the variant that is started, and what its model server is told."""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting import artifacts, models
from penstock.localaws.sagemaker.hosting.states import Blueprint, Variant
from penstock.localaws.sagemaker.plane import Plane

HEALTH_SECONDS = 240.0  # how long AWS waits for /ping when the configuration does not say
SERVERLESS_HEALTH_SECONDS = 180.0
_PAYLOAD = "SAGEMAKER_MAX_PAYLOAD_IN_MB"


def variant(
    plane: Plane, entry: Mapping[str, Any], weight: float | None = None, count: int | None = None
) -> Variant:
    """The variant of a configuration's entry with its model as it is now; its model data must be there.

    `weight` and `count` stand in for the entry's own, None: as it says.
    """
    container = models.container_of(plane, entry["ModelName"])
    data, kind = models.data_of(container)
    if data is not None and not artifacts.exists(plane.client("s3"), data, kind):
        raise ServiceError("ValidationException", f"Could not find model data at {data}.")
    serverless = entry.get("ServerlessConfig")
    patience = entry.get("ContainerStartupHealthCheckTimeoutInSeconds")
    settings = container.get("MultiModelConfig", {})
    return Variant(
        name=entry["VariantName"],
        model=entry["ModelName"],
        image=container["Image"],
        model_data=data,
        environment=container.get("Environment", {}),
        count=entry.get("InitialInstanceCount", 1) if count is None else count,
        weight=float(entry.get("InitialVariantWeight", 1.0)) if weight is None else weight,
        patience=float(patience or (SERVERLESS_HEALTH_SECONDS if serverless else HEALTH_SECONDS)),
        mode=container.get("Mode", "SingleModel"),
        serverless=serverless,
        download=entry.get("ModelDataDownloadTimeoutInSeconds"),
        data_kind=kind,
        routing=entry.get("RoutingConfig", {}).get("RoutingStrategy", "RANDOM"),
        caches_models=settings.get("ModelCacheSetting", "Enabled") == "Enabled",
    )


def settings(blueprint: Blueprint, variant: Variant) -> dict[str, str]:
    """What the model server's environment has besides the container's own, which wins where it is not a contract."""
    found = {}
    if blueprint.asynchronous is not None and _PAYLOAD not in variant.environment:
        found[_PAYLOAD] = "1024"
    if variant.mode == "MultiModel":
        found["SAGEMAKER_MULTI_MODEL"] = "true"
    return found
