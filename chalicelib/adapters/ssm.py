"""The foundation's parameter."""

from __future__ import annotations

from typing import Any

from chalicelib.adapters.aws import FAILED, code_of, translated
from chalicelib.errors import Misconfigured


def read_parameter(client: Any, name: str) -> str:
    """The text of a parameter."""
    try:
        return str(client.get_parameter(Name=name)["Parameter"]["Value"])
    except FAILED as error:
        if code_of(error) == "ParameterNotFound":
            advice = "Deploy the foundation first: `penstock deploy`."
            raise Misconfigured(name, "there is no such parameter", advice) from error
        raise translated(error, name) from error
