"""What the server refuses, and how any exception becomes an HTTP answer.

Exception
 ├─ StartError     the model cannot be served at all: the process ends with code 1
 └─ RequestError   this request cannot be answered: a 4xx with a JSON body
any exception with an int `.status` in 400-499 (and optionally `.detail`) counts as a RequestError; `.status_code`,
as SageMaker's inference toolkit names it, counts too
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class StartError(Exception):
    """The model cannot be served: the message says what is wrong and what to change."""


class RequestError(Exception):
    """The request cannot be answered: `status` is 400-499 (or 507), `detail` is added to the JSON body."""

    def __init__(self, status: int, message: str, detail: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


@dataclass(slots=True)  # not frozen: that makes one take a microsecond
class Answer:
    """One HTTP answer: status, body (an iterator when it comes in pieces) and the body's content type."""

    status: int
    body: bytes | Iterator[bytes]
    content_type: str = "application/json"


def json_answer(status: int, document: dict[str, Any]) -> Answer:
    """Return `document` as a JSON answer; what JSON cannot hold is written as text."""
    try:
        text = json.dumps(document, default=str)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, a list within itself
        text = json.dumps({str(name): str(value) for name, value in document.items()})
    return Answer(status, text.encode())


def answer_for(error: BaseException) -> Answer:
    """Return the answer for what a request raised: its own 4xx, or 500 with type and message only. Never raises."""
    try:
        return _told(error)
    except BaseException:  # noqa: BLE001 - the error's own __str__ or status: whoever waits gets an answer all the same
        return json_answer(500, {"error": f"{type(error).__name__}, which cannot be told"})


def _told(error: BaseException) -> Answer:
    status = getattr(error, "status", getattr(error, "status_code", None))
    if isinstance(status, int) and (400 <= status <= 499 or isinstance(error, RequestError)):
        return json_answer(status, {"error": str(error), **_members(getattr(error, "detail", None))})
    return json_answer(500, {"error": f"{type(error).__name__}: {error}"})


def _members(detail: Any) -> dict[str, Any]:
    if detail is None:
        return {}
    return detail if isinstance(detail, dict) else {"detail": detail}
