"""What fits through each hop of a request, in one place: code and docs (docs/steps/predict.md) share this table.

Sources: the quotas pages of API Gateway, Lambda and SageMaker, late in 2026.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.errors import BadRequest

MB = 1024 * 1024


class Limit(NamedTuple):
    """One hop: what AWS lets through, and who answers when it does not fit."""

    hop: str
    most: str
    answered: str


TABLE = (
    Limit("API Gateway, a request", "10 MB", "API Gateway, 413, as a problem document"),
    Limit(
        "Lambda, a request or an answer",
        "6 MB",
        "this door before it, 413: JSON in JSON grows by its escapes",
    ),
    Limit(
        "Lambda, a binary request", "4.5 MB", "this door, 415: base64 adds a third, and no model takes binary"
    ),
    Limit("this door, a request or an answer", "5 MB", "this door, 413, with the way that takes more"),
    Limit("InvokeEndpoint, an instance's request", "25 MB", "never reached: the door's limit is below it"),
    Limit("InvokeEndpoint, a serverless request", "4 MB", "SageMaker; the door says it on with 413"),
    Limit("API Gateway, the time of an answer", "29 s", "this door after 24 s, 504"),
)
BODY = 5 * MB
ANSWER = 5 * MB
MODEL_SECONDS = 24
"""How long a model may take: with two seconds to connect and a cold start it stays below API Gateway's 29."""
INSTANCES = 50_000
"""Records a request. Each costs a model more than a microsecond, and a caller waits for all of them."""
DEPTH = 32
"""How deep a document may be nested; a record is a flat object."""
FAULTS = 100
"""As many as are listed one by one; the rest is counted."""
BATCH = 100 * MB
"""The largest file a batch takes: its rows are checked one by one within Lambda's 15 minutes and its 512 MB of disk."""
SORTED = 300 * MB
"""What a batch's rows may take once they are JSON: beside the file itself, on the same disk."""
CURE = (
    "Send fewer rows a request, or all of them as a batch: POST /projects/{project}/uploads with folder score "
    "answers a link to PUT the file with, and POST /projects/{project}/batch with its key a 202, whose Location "
    "says how far it is and where the answers are."
)


def too_large(what: str, size: int, most: int) -> BadRequest:
    """413 with the limit and the way that takes more."""
    return BadRequest(what, f"{size:,} bytes; the limit is {most:,}", CURE, status=413)
