"""What CreateEndpointConfig must satisfy beyond botocore's model: which features go together, and which are not here.

Sources: the API reference of CreateEndpointConfig and ProductionVariant; "Serverless Inference", feature exclusions;
"Shadow tests", exclusions; "Asynchronous inference".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.localaws.errors import ServiceError

Params = Mapping[str, Any]

_NOT_HERE = ("ExplainerConfig",)
_NOT_IN_A_VARIANT = ("InstancePools", "CapacityReservationConfig", "AcceleratorType")
_NOT_TOGETHER = "One or more endpoint features are not supported using this configuration"  # AWS's words
# Instances whose storage is their own: no volume is attached to them, so there is none to size or to encrypt.
_LOCAL_STORAGE = re.compile(
    r"ml\.(?:[cmr]\d+[a-z]*d|g4dn|g5|g6e?|g7e?|p4de?|p5e?n?|p6[-\w]*|p6e[-\w]*|trn\d+n?|dl1)\."
)


def check(params: Params, containers: Mapping[str, Params]) -> None:
    """Raise ServiceError for what AWS refuses; `containers` are those of the variants' models, by model name."""
    for member in _NOT_HERE:
        if params.get(member):
            raise _absent(member)
    variants, shadows = params["ProductionVariants"], params.get("ShadowProductionVariants", [])
    names = [variant["VariantName"] for variant in [*variants, *shadows]]
    if len(set(names)) < len(names):
        raise _invalid(f"Variant names must be unique: {', '.join(names)}.")
    for variant in [*variants, *shadows]:
        _check_variant(variant, params)
    if params.get("AsyncInferenceConfig") and params.get("DataCaptureConfig", {}).get("EnableCapture"):
        raise _absent("EnableCapture together with AsyncInferenceConfig")
    if "S3OutputPath" not in params.get("AsyncInferenceConfig", {}).get("OutputConfig", {"S3OutputPath": ""}):
        raise _invalid("OutputConfig of AsyncInferenceConfig needs an S3OutputPath.")
    clashes = [*_clashes(params, variants, shadows, containers)]
    if clashes:
        raise _invalid(f"{_NOT_TOGETHER}: {clashes[0]}.")


def required(params: Params) -> None:
    """Every variant names a model: endpoints of inference components are not here."""
    for variant in [*params["ProductionVariants"], *params.get("ShadowProductionVariants", [])]:
        if "ModelName" not in variant:
            name = variant["VariantName"]
            raise _invalid(
                f"ModelName is required for production variant {name} "
                "(inference components are not part of the embedded AWS)."
            )


def _check_variant(variant: Params, params: Params) -> None:
    name = variant["VariantName"]
    _check_present(variant)
    if "ServerlessConfig" in variant:
        _check_serverless(variant)
        return
    for member in ("InstanceType", "InitialInstanceCount"):
        if member not in variant:
            raise _invalid(f"{member} is required for production variant {name}.")
    if _LOCAL_STORAGE.match(variant["InstanceType"]):
        _check_storage(variant, params)


def _check_present(variant: Params) -> None:
    for member in _NOT_IN_A_VARIANT:
        if variant.get(member):
            raise _absent(f"{member} of a variant")
    if variant.get("ManagedInstanceScaling"):
        raise _invalid("ManagedInstanceScaling is only supported for inference component endpoints.")
    if variant.get("RoutingConfig", {}).get("RoutingStrategy") == "PREFIX_AWARE":
        raise _absent("RoutingStrategy PREFIX_AWARE")


def _check_storage(variant: Params, params: Params) -> None:
    name, instance = variant["VariantName"], variant["InstanceType"]
    why = f"the instance type {instance} of production variant {name} has local storage"
    if "VolumeSizeInGB" in variant:
        raise _invalid(f"VolumeSizeInGB cannot be specified: {why}.")
    if params.get("KmsKeyId"):
        raise _invalid(f"KmsKeyId cannot be specified: {why}.")


def _check_serverless(variant: Params) -> None:
    name, config = variant["VariantName"], variant["ServerlessConfig"]
    for member in (
        "InstanceType",
        "InitialInstanceCount",
        "VolumeSizeInGB",
        "EnableSSMAccess",
        "CoreDumpConfig",
    ):
        if member in variant:
            raise _invalid(
                f"{member} cannot be specified with ServerlessConfig for production variant {name}."
            )
    if config["MemorySizeInMB"] % 1024:
        sizes = ", ".join(str(size) for size in range(1024, 6145, 1024))
        raise _invalid(f"MemorySizeInMB of production variant {name} must be one of {sizes}.")
    if config.get("ProvisionedConcurrency", 0) > config["MaxConcurrency"]:
        raise _invalid(
            f"ProvisionedConcurrency of production variant {name} must be less than or equal to its MaxConcurrency."
        )


def _clashes(
    params: Params, variants: list[Params], shadows: list[Params], containers: Mapping[str, Params]
) -> Iterator[str]:
    serverless = any("ServerlessConfig" in variant for variant in [*variants, *shadows])
    used = [containers[variant["ModelName"]] for variant in [*variants, *shadows]]
    many = any(container.get("Mode") == "MultiModel" for container in used)
    if serverless:
        yield from _serverless_clashes(params, variants, shadows)
        if many:
            yield "a serverless endpoint cannot host a multi-model container"
        if any("ModelDataSource" in container for container in used):
            yield "a serverless endpoint cannot use ModelDataSource"
    if shadows:
        if len(variants) > 1 or len(shadows) > 1:
            yield "with ShadowProductionVariants there is one production variant and one shadow variant"
        if params.get("AsyncInferenceConfig") or many:
            yield "asynchronous and multi-model endpoints cannot have ShadowProductionVariants"
    if params.get("AsyncInferenceConfig") and many:
        yield "an asynchronous endpoint cannot host a multi-model container"


def _serverless_clashes(params: Params, variants: list[Params], shadows: list[Params]) -> Iterator[str]:
    if len(variants) > 1:
        yield "a serverless endpoint has one production variant"
    if shadows:
        yield "a serverless endpoint cannot have ShadowProductionVariants"
    if params.get("DataCaptureConfig", {}).get("EnableCapture"):
        yield "a serverless endpoint cannot capture data"
    for member in ("AsyncInferenceConfig", "VpcConfig", "EnableNetworkIsolation"):
        if params.get(member):
            yield f"a serverless endpoint cannot have {member}"


def _absent(what: str) -> ServiceError:
    return _invalid(f"{what} is not part of the embedded AWS. Leave it out.")


def _invalid(what: str) -> ServiceError:
    return ServiceError("ValidationException", what)
