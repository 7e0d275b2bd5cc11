"""AWS's errors in the product's words, once for every adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import AwsTrouble, Misconfigured, PipelineError

_TROUBLE = (
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "ProvisionedThroughput",
    "Internal",
    "Unavailable",
)
FAILED = (ClientError, BotoCoreError)
"""Whatever a call of AWS raises: what AWS answered, or that no answer, or half of one, has come."""
_DENIED = ("AccessDenied", "UnrecognizedClient", "InvalidClientTokenId", "ExpiredToken", "NotAuthorized")


def code_of(error: ClientError | BotoCoreError) -> str:
    """AWS's name for the error; "Unknown" when there was no answer to have one."""
    return str(_answer(error).get("Error", {}).get("Code", "Unknown"))


def message_of(error: ClientError | BotoCoreError) -> str:
    """AWS's words; some services send none when they throttle, and without an answer there are none."""
    return str(_answer(error).get("Error", {}).get("Message") or "")


def status_of(error: ClientError | BotoCoreError) -> int:
    """The HTTP status of AWS's answer; 0 without one."""
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(error: ClientError | BotoCoreError) -> Mapping[str, Any]:
    found: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
    return found


def translated(error: ClientError | BotoCoreError, where: str) -> PipelineError:
    """The product's error for one of AWS's that no adapter knows better."""
    if isinstance(error, BotoCoreError):
        return AwsTrouble(where, f"no answer: {error}", "Try again in a moment.")
    code, message = code_of(error), message_of(error)
    if any(word in code for word in _TROUBLE) or status_of(error) >= 500:
        return AwsTrouble(where, f"{code}: {message}", "Try again in a moment.")
    if any(word in code for word in _DENIED):
        return Misconfigured(
            where, f"{code}: {message}", "Give the function's role this permission and deploy again."
        )
    return Misconfigured(
        where, f"{code}: {message}", "Deploy the stage again; if that does not help, report a bug."
    )


@contextmanager
def calling(where: str) -> Iterator[None]:
    """Translate whatever AWS raises inside."""
    try:
        yield
    except FAILED as error:
        raise translated(error, where) from error
