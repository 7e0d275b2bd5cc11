"""What a local service answers when it refuses, in AWS's own codes and words."""


class ServiceError(Exception):
    """An AWS error: `code` is what clients match on, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
