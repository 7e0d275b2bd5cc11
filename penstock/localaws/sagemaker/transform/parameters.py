"""How a job asks its model: what was requested, else what the container proposes, else AWS's defaults."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MB = 1 << 20
MOST_MB = 100  # of a payload, and of all payloads of an instance at once
_MOST_THREADS = 100
_SINGLE, _MULTI = "SINGLE_RECORD", "MULTI_RECORD"
_STRATEGIES = {"SingleRecord": _SINGLE, "MultiRecord": _MULTI}


@dataclass(frozen=True)
class Parameters:
    """What holds for a job.

    Attributes:
        concurrency: requests at once to one instance.
        payload_mb: MB of one request; 0: any size, sent in chunks.
        single: one record a request.
        timeout: seconds until a request counts as lost.
        retries: of a request the model failed in or did not answer.
    """

    concurrency: int
    payload_mb: int
    single: bool
    timeout: float
    retries: int

    @property
    def most(self) -> int | None:
        """Bytes of one request, None for any number."""
        return self.payload_mb * MB or None

    @property
    def places(self) -> int:
        """Mini-batches in memory at once: those being asked, and one ready for each, as far as 200 MB hold them."""
        wanted = 2 * self.concurrency
        return min(wanted, max(1, 2 * MOST_MB // self.payload_mb)) if self.payload_mb else wanted

    @property
    def said(self) -> str:
        """The data log's first line."""
        strategy = _SINGLE if self.single else _MULTI
        return (
            f"MaxConcurrentTransforms={self.concurrency}, MaxPayloadInMB={self.payload_mb}, "
            f"BatchStrategy={strategy}"
        )


def settings(request: Mapping[str, Any]) -> dict[str, str]:
    """The environment AWS gives a container for batch transform: what the caller did not set is left out."""
    given = {
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms"),
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_BATCH_STRATEGY": _STRATEGIES.get(request.get("BatchStrategy", "")),
    }
    chosen = {name: str(value) for name, value in given.items() if value is not None}
    return {"SAGEMAKER_BATCH": "true", **chosen}


def resolve(request: Mapping[str, Any], proposed: Mapping[str, Any]) -> Parameters:
    """Request before proposal before default (1, 6 MB, MultiRecord); 0 concurrent transforms means none requested."""
    client = request.get("ModelClientConfig", {})
    payload = request.get("MaxPayloadInMB", proposed.get("MaxPayloadInMB", 6))
    concurrency = request.get("MaxConcurrentTransforms") or _fitting(proposed, payload)
    strategy = _STRATEGIES.get(request.get("BatchStrategy", ""), proposed.get("BatchStrategy", _MULTI))
    return Parameters(
        min(concurrency, _MOST_THREADS),
        payload,
        strategy == _SINGLE,
        client.get("InvocationsTimeoutInSeconds", 600),
        client.get("InvocationsMaxRetries", 3),
    )


def _fitting(proposed: Mapping[str, Any], payload: int) -> int:
    """The container's proposal, as far as its requests stay within `MOST_MB` together."""
    wanted: int = proposed.get("MaxConcurrentTransforms", 1)
    return max(1, min(wanted, MOST_MB // payload if payload else wanted))


def proposal(status: int, body: bytes) -> dict[str, Any]:
    """What GET /execution-parameters says, without what makes no sense; {} when the container does not have it."""
    try:
        said = json.loads(body) if status == 200 else {}
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {name: said[name] for name, sensible in _SENSIBLE.items() if sensible(said.get(name))}


def _number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_SENSIBLE: dict[str, Callable[[Any], bool]] = {
    "MaxConcurrentTransforms": lambda value: _number(value, 1, 1 << 20),
    "MaxPayloadInMB": lambda value: _number(value, 0, MOST_MB),
    "BatchStrategy": lambda value: value in (_SINGLE, _MULTI),
}
