"""SageMaker on this machine: jobs really run, endpoints really answer. `api.SageMaker` is the way in."""

from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.api import SageMaker

__all__ = ["Place", "SageMaker"]
