"""Endpoints as DescribeEndpoint and events show them: variants, the deployment under way, data capture."""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.sagemaker.hosting.deployment import (
    ACTIVATING,
    ALL_AT_ONCE,
    BAKING,
    CANARY,
    RETIRING,
    Deployment,
    Shares,
    instances,
)
from penstock.localaws.sagemaker.hosting.lifecycle import (
    CREATING,
    ROLLING_BACK,
    UPDATING,
    Endpoint,
    Fleet,
    Variant,
)
from penstock.localaws.sagemaker.names import moment


def current(endpoint: Endpoint, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """ProductionVariants: those in service, wanting what a rescaling under way wants."""
    active, pending = endpoint.active, endpoint.pending
    if active is None:
        return []
    kept = endpoint.deployment.kept if endpoint.deployment and pending else {}
    variants = [_variant(variant, kept.get(variant.name, 1.0)) for variant in active.variants]
    since = moment(document["stage"])
    if pending is not None and pending.generation == active.generation:
        for one, wanted in zip(variants, pending.variants, strict=True):
            _rescaling(one, wanted, since)
    for one in variants:
        if status := _old_status(endpoint, one):
            one["VariantStatus"] = [{**status, "StartTime": since}]
    return variants


def shadows(fleet: Fleet | None) -> list[dict[str, Any]]:
    """ShadowProductionVariants."""
    return [_variant(variant, 1.0) for variant in (fleet.blueprint.shadows if fleet else ())]


def pending(endpoint: Endpoint, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """PendingDeploymentSummary: of a creation or an update to another configuration; None when there is none."""
    fleet, deployment = endpoint.pending, endpoint.deployment
    if fleet is None or (endpoint.active is not None and fleet.generation == endpoint.active.generation):
        return None
    live: Shares = deployment.live if deployment else {}
    since = moment(document["stage"])
    variants = []
    for variant in fleet.variants:
        one = _variant(variant, live.get(variant.name, 0.0))
        one["VariantStatus"] = [{**_new_status(endpoint, variant), "StartTime": since}]
        variants.append(one)
    summary = {
        "EndpointConfigName": fleet.config,
        "ProductionVariants": variants,
        "StartTime": moment(document.get("deploying", document["modified"])),
    }
    if fleet.blueprint.shadows:
        summary["ShadowProductionVariants"] = shadows(fleet)
    return summary


def capture(fleet: Fleet | None) -> dict[str, Any] | None:
    """DataCaptureConfig as Describe sums it up; None when the configuration has none."""
    config = fleet.blueprint.capture if fleet else None
    if not config:
        return None
    enabled = bool(config.get("EnableCapture", False))
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _variant(variant: Variant, share: float) -> dict[str, Any]:
    """A variant of which that share of its instances is there."""
    summary: dict[str, Any] = {
        "VariantName": variant.name,
        "DeployedImages": [{"SpecifiedImage": variant.image, "ResolvedImage": variant.image}],
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": instances(share, variant.count),
        "DesiredInstanceCount": variant.count,
    }
    if variant.serverless is not None:
        summary |= {"CurrentInstanceCount": 0, "CurrentServerlessConfig": dict(variant.serverless)}
        del summary["DesiredInstanceCount"]
    return summary


def _rescaling(one: dict[str, Any], wanted: Variant, since: Any) -> None:
    one["DesiredWeight"] = wanted.weight
    if wanted.serverless is not None:
        one["DesiredServerlessConfig"] = dict(wanted.serverless)
        return
    one["DesiredInstanceCount"], now = wanted.count, one["CurrentInstanceCount"]
    if wanted.count != now:
        how = "out" if wanted.count > now else "in"
        said = f"Scaling {how} desired instance count to {wanted.count}."
        one["VariantStatus"] = [{"Status": "Updating", "StatusMessage": said, "StartTime": since}]


def _old_status(endpoint: Endpoint, one: Mapping[str, Any]) -> dict[str, str] | None:
    """The stage as the fleet in service has it: ending instances of the old one, or coming back."""
    deployment, name = endpoint.deployment, one["VariantName"]
    if deployment is None:
        return None
    if deployment.phase == RETIRING and endpoint.status == UPDATING:
        many = deployment.ending.get(name, sum(deployment.ending.values()))
        return {"Status": "Deleting", "StatusMessage": f"Terminating {many} instance(s)."}
    if endpoint.status == ROLLING_BACK:
        return {
            "Status": "Updating",
            "StatusMessage": f"Launching {one['CurrentInstanceCount']} instance(s).",
        }
    return None


def _new_status(endpoint: Endpoint, variant: Variant) -> dict[str, str]:
    """The stage of a variant that is on its way."""
    deployment = endpoint.deployment
    if deployment is None or endpoint.status == CREATING:
        return {"Status": "Creating", "StatusMessage": f"Launching {variant.count} instance(s)."}
    many = instances(deployment.live.get(variant.name, 0.0), variant.count)
    capacity = f"{_capacity(deployment)} capacity of {many} instance(s)"
    if deployment.phase == ACTIVATING:
        return {"Status": "ActivatingTraffic", "StatusMessage": f"Activating traffic on {capacity}."}
    if deployment.phase == BAKING:
        seconds, name = deployment.baking
        said = f"Baking for {seconds:.0f} seconds ({name}) with traffic enabled on {capacity}."
        return {"Status": "Baking", "StatusMessage": said}
    if endpoint.status == ROLLING_BACK or deployment.phase == RETIRING:
        return {"Status": "Updating", "StatusMessage": f"Serving with {many} instance(s)."}
    making = instances(deployment.made.get(variant.name, 1.0), variant.count) - many
    status = "Updating" if many else "Creating"
    return {"Status": status, "StatusMessage": f"Launching {making} instance(s)."}


def _capacity(deployment: Deployment) -> str:
    if deployment.complete or deployment.policy.kind == ALL_AT_ONCE:
        return "full"
    return "canary" if deployment.policy.kind == CANARY else "partial"
