"""A call that a client repeats because its answer was lost is carried out once.

botocore gives each call an `amz-sdk-invocation-id` and sends it again with every attempt of it. Without this, a Create
whose answer a proxy lost is refused at its second attempt for what the first one made: the caller sees "already exists"
for a thing of its own. Two calls of a program are two calls: the second of two equal Creates is refused, as on AWS.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future

Response = tuple[int, dict[str, str], bytes]

_KEPT = 1000
_READING = ("Describe", "List", "Search", "Get")


def key(operation: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """What attempts of one call have in common; None when the call may be carried out as often as it comes."""
    invocation = headers.get("amz-sdk-invocation-id")
    if not invocation or operation.startswith(_READING):
        return None
    return f"{invocation} {operation} {hashlib.sha256(body).hexdigest()}"


class Repeats:
    """The last `kept` answers to calls that change something. May be used from any thread."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Future[Response]] = OrderedDict()

    def once(self, attempts: str | None, answer: Callable[[], Response]) -> Response:
        """What `answer` says, or what it said to an earlier attempt; an attempt under way is waited for.

        A failure of ours (a status of 500 or more) is not kept: the next attempt tries again.
        """
        if attempts is None:
            return answer()
        with self._lock:
            known = self._answers.get(attempts)
            mine = known or self._answers.setdefault(attempts, Future())
        if known is not None:
            return known.result()
        try:
            response = answer()
        except BaseException as error:
            self._forget(attempts)
            mine.set_exception(error)
            raise
        if response[0] >= 500:
            self._forget(attempts)
        mine.set_result(response)
        self._trim()
        return response

    def _forget(self, attempts: str) -> None:
        with self._lock:
            self._answers.pop(attempts, None)

    def _trim(self) -> None:
        with self._lock:
            while len(self._answers) > self._kept and next(iter(self._answers.values())).done():
                self._answers.popitem(last=False)
