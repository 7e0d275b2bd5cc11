"""The model registry: groups, the versions in them, approval and its events, and packages without a group."""

from penstock.localaws.sagemaker.plane import Operation
from penstock.localaws.sagemaker.registry import groups, packages

OPERATIONS: dict[str, Operation] = {**groups.OPERATIONS, **packages.OPERATIONS}
