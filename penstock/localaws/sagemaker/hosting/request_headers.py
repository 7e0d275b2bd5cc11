"""The runtime's request headers against the sagemaker-runtime service model, refused in AWS's words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.localaws.errors import ServiceError

_ASCII, _PRINTED = r"\p{ASCII}*", r"\A\S[\p{Print}]*\z"
_NAME = r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*"
_PYTHON = {_ASCII: r"[\x00-\x7f]*", _PRINTED: r"[\x21-\x7e][\x20-\x7e]*"}


@dataclass(frozen=True)
class _Rule:
    """What a header's value must be; `member` is its name in AWS's messages."""

    header: str
    member: str
    most: int
    shown: str
    matches: re.Pattern[str]
    least: int = 0


def _rule(header: str, member: str, most: int, pattern: str, least: int = 0) -> _Rule:
    return _Rule(header, member, most, pattern, re.compile(_PYTHON.get(pattern, pattern)), least)


_RULES = (
    _rule("content-type", "contentType", 1024, _ASCII),
    _rule("accept", "accept", 1024, _ASCII),
    _rule("x-amzn-sagemaker-content-type", "contentType", 1024, _ASCII),
    _rule("x-amzn-sagemaker-accept", "accept", 1024, _ASCII),
    _rule("x-amzn-sagemaker-custom-attributes", "customAttributes", 1024, _ASCII),
    _rule("x-amzn-sagemaker-inference-id", "inferenceId", 64, _PRINTED, 1),
    _rule("x-amzn-sagemaker-target-variant", "targetVariant", 63, _NAME),
    _rule("x-amzn-sagemaker-target-model", "targetModel", 1024, _PRINTED, 1),
    _rule("x-amzn-sagemaker-target-container-hostname", "targetContainerHostname", 63, _NAME),
    _rule("x-amzn-sagemaker-session-id", "sessionId", 256, r"^(NEW_SESSION)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*$"),
    _rule("x-amzn-sagemaker-inputlocation", "inputLocation", 1024, r"^(https|s3)://([^/]+)/?(.*)$", 1),
    _rule(
        "x-amzn-sagemaker-s3outputpathextension",
        "s3OutputPathExtension",
        512,
        r"^(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]+$",
        1,
    ),
    _rule("x-amzn-sagemaker-filename", "filename", 32, r"^(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9-_\.]*$", 1),
)
_ENDPOINT = _rule("", "endpointName", 63, _NAME)
# Of no use here: what they name does not exist in the embedded AWS.
_REFUSED = {
    "x-amzn-sagemaker-inference-component": (
        "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference "
        "components. Please remove the Inference Component Name header and try again."
    ),
    "x-amzn-sagemaker-target-container-hostname": (
        "Target Container Hostname header is not allowed: the endpoint does not have multiple containers with "
        "direct invocation. Please remove it and try again."
    ),
    "x-amzn-sagemaker-enable-explanations": (
        "Enable Explanations header is not allowed: the endpoint has no explainer. Please remove it and try again."
    ),
}


def check(endpoint: str, headers: Mapping[str, str]) -> None:
    """Raise ServiceError for a header AWS refuses; names are in lower case."""
    faults = _faults(_ENDPOINT, endpoint)
    for rule in _RULES:
        value = headers.get(rule.header)
        if value is not None:
            faults += _faults(rule, value)
    if faults:
        noun = "validation error" if len(faults) == 1 else "validation errors"
        raise ServiceError("ValidationError", f"{len(faults)} {noun} detected: {'; '.join(faults)}")
    for header, what in _REFUSED.items():
        if header in headers:
            raise ServiceError("ValidationError", what)


def number(
    headers: Mapping[str, str], header: str, member: str, between: tuple[int, int], default: int
) -> int:
    """A header that is an integer between two; `default` when it is absent."""
    value = headers.get(header)
    if value is None:
        return default
    low, high = between
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ServiceError("ValidationError", f"Value '{value[:64]}' at '{member}' is not an integer.")
    found = int(value)
    if low <= found <= high:
        return found
    wanted = f"less than or equal to {high}" if found > high else f"greater than or equal to {low}"
    raise ServiceError(
        "ValidationError",
        f"1 validation error detected: Value '{found}' at '{member}' failed to satisfy constraint: "
        f"Member must have value {wanted}",
    )


def _faults(rule: _Rule, value: str) -> list[str]:
    wanted = []
    if len(value) > rule.most:
        wanted.append(f"Member must have length less than or equal to {rule.most}")
    elif len(value) < rule.least:
        wanted.append(f"Member must have length greater than or equal to {rule.least}")
    elif rule.matches.fullmatch(value) is None:
        wanted.append(f"Member must satisfy regular expression pattern: {rule.shown}")
    return [
        f"Value '{value[:64]}' at '{rule.member}' failed to satisfy constraint: {text}" for text in wanted
    ]
