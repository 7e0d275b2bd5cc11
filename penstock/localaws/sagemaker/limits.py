"""Quotas of the account, in one table. What a single request may hold the service model says (see `validation`).

A quota counts what there is of one thing, per instance type where AWS does; a request that would take it over its
limit is refused with ResourceLimitExceeded in AWS's words. Jobs have no limit unless one is set: they queue.
PENSTOCK_SAGEMAKER_LIMITS sets limits by the quota's name: `{"ml.m5.large for endpoint usage": 2}`.
"""

import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import tags
from penstock.localaws.sagemaker.plane import Plane

Params = dict[str, Any]
VARIABLE = "PENSTOCK_SAGEMAKER_LIMITS"
_OVER = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class Quota:
    """One kind of quota.

    Attributes:
        name: AWS's, `{}` standing for the instance type.
        limit: None is no limit unless one is set.
        delta: what the request adds, by instance type ("" where there is only one count).
        used: what there is, likewise.
        unit: AWS's word for what is counted.
    """

    name: str
    limit: int | None
    delta: Callable[[Plane, Params], Counter[str]]
    used: Callable[[Plane], Counter[str]]
    unit: str = "Instances"


def _job(kind: str, path: tuple[str, ...]) -> tuple[Any, Any]:
    """`delta` and `used` of jobs: their instances count until they are over; `path` leads to those in the request."""

    def of(request: Params) -> Counter[str]:
        resources: Any = request
        for step in path:
            resources = (resources or {}).get(step)
        if not resources or "InstanceType" not in resources:
            return Counter()
        return Counter({resources["InstanceType"]: resources.get("InstanceCount", 1)})

    def used(plane: Plane) -> Counter[str]:
        return _sum(of(one["request"]) for _, one in plane.store.all(kind) if one["status"] not in _OVER)

    return (lambda _plane, params: of(params)), used


def _of_config(plane: Plane, name: str) -> Counter[str]:
    """The instances of an endpoint configuration, by type."""
    config = plane.store.get("endpoint-config", name) or {}
    variants = [*config.get("ProductionVariants", []), *config.get("ShadowProductionVariants", [])]
    return _sum(
        Counter({one["InstanceType"]: one["InitialInstanceCount"]})
        for one in variants
        if "InstanceType" in one
    )


def _endpoints_use(plane: Plane) -> Counter[str]:
    return _sum(_of_config(plane, one["endpoint"]["config"]) for _, one in plane.store.all("endpoint"))


def _sum(counted: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counted:
        total.update(one)
    return total


def _one(kind: str, over: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """`delta` and `used` of things counted one by one."""

    def used(plane: Plane) -> Counter[str]:
        return Counter({"": sum(one.get("status") not in over for _, one in plane.store.all(kind))})

    return (lambda _plane, _params: Counter({"": 1})), used


QUOTAS: dict[str, tuple[Quota, ...]] = {
    "CreateTrainingJob": (Quota("{} for training job usage", None, *_job("training", ("ResourceConfig",))),),
    "CreateProcessingJob": (
        Quota(
            "{} for processing job usage", None, *_job("processing", ("ProcessingResources", "ClusterConfig"))
        ),
    ),
    "CreateTransformJob": (
        Quota("{} for transform job usage", None, *_job("transform", ("TransformResources",))),
    ),
    "CreateEndpoint": (
        Quota(
            "{} for endpoint usage",
            100,
            lambda plane, params: _of_config(plane, params["EndpointConfigName"]),
            _endpoints_use,
        ),
        Quota("Number of endpoints", 100, *_one("endpoint"), unit="Endpoints"),
    ),
    "CreateModelPackageGroup": (
        Quota("Number of model package groups", 1000, *_one("model-package-group"), unit="Groups"),
    ),
}


def check_request(operation: str, params: Params) -> None:
    """Refuse what no resource may have, before anything is made; raises ServiceError."""
    if operation.startswith(("Create", "Add", "Import")) and isinstance(params.get("Tags"), list):
        tags.check(params["Tags"])


def check_account(plane: Plane, operation: str, params: Params) -> None:
    """Refuse what would take the account over a quota; raises ServiceError."""
    for quota in QUOTAS.get(operation, ()):
        for kind, delta in quota.delta(plane, params).items():
            name = quota.name.format(kind)
            limit = configured().get(name, quota.limit)
            used = 0 if limit is None else quota.used(plane)[kind]
            if limit is not None and used + delta > limit:
                raise _exceeded(name, limit, used, delta, quota.unit)


def configured() -> Mapping[str, int]:
    """The limits that are set; raises ValueError saying what is wrong with them."""
    return _parsed(os.environ.get(VARIABLE, ""))


@functools.cache
def _parsed(text: str) -> Mapping[str, int]:
    if not text:
        return {}
    found = json.loads(text)
    if not isinstance(found, dict) or not all(type(one) is int and one >= 0 for one in found.values()):
        raise ValueError(f"{VARIABLE} must be a JSON object of quota names and numbers, not {text}")
    return found


def _exceeded(name: str, limit: int, used: int, delta: int, unit: str) -> ServiceError:
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{name}' is {limit} {unit}, with current utilization of {used} {unit} "
        f"and a request delta of {delta} {unit}. Please use AWS Service Quotas to request an increase for this quota. "
        "If AWS Service Quotas is not available, contact AWS support to request an increase for this quota. "
        f"(In the embedded AWS {VARIABLE} sets it.)",
    )
