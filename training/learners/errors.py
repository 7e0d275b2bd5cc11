"""What a learner refuses: data it cannot learn from, and requests it cannot answer."""

from typing import Any


class BadData(Exception):
    """The data or the hyperparameters do not allow training; the message says what to change."""


class BadRequest(Exception):
    """A prediction request is at fault. The model server answers with `status` and `detail` as JSON."""

    def __init__(self, message: str, faults: list[dict[str, Any]] | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.detail: dict[str, Any] = {"error": message, **({"faults": faults} if faults else {})}
