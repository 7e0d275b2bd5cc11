"""AWS's errors in the product's words, once for every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
_DENIED = ("AccessDenied", "UnrecognizedClient", "InvalidClientTokenId", "ExpiredToken", "NotAuthorized")


def code_of(error: ClientError) -> str:
    """AWS's name for the error."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def message_of(error: ClientError) -> str:
    """AWS's words; some services send none when they throttle."""
    return str(error.response.get("Error", {}).get("Message") or "")


def status_of(error: ClientError) -> int:
    """The HTTP status of AWS's answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


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
    except (ClientError, BotoCoreError) as error:
        raise translated(error, where) from error
