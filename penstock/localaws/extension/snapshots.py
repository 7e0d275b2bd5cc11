"""One service's state as the bytes of its state file: whole, quick, and without stopping the server for long.

Touches `ministack.services.{dynamodb,s3,stepfunctions,cloudwatch_logs,...}.copy`, the module their `get_state` copies
state with, and `ministack.services.lambda_svc._prune_orphan_code_blobs`. Checked on MiniStack 1.5.33.

MiniStack copies its state element by element in Python before it writes it, which is slow and, while other threads
change that state, torn: half of a DynamoDB transaction, or "dictionary changed size". While a snapshot is taken in
the thread that takes it, those services get their live state instead of a copy, and json's C encoder turns it into
text: no other thread runs while it encodes one store, so a table is written as it was at one moment.
"""

import copy
import json
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ministack.core import persistence
from ministack.services import lambda_svc

from penstock.localaws.extension import pin

# Services whose get_state only collects references (read and found so on 1.5.33): others, such as lambda_svc, change
# what they copied, and keep their copies.
_COLLECTING = (
    "dynamodb",
    "s3",
    "stepfunctions",
    "cloudwatch_logs",
    "cloudwatch",
    "eventbridge",
    "ssm",
    "iam",
    "glue",
)


class _Copying:
    """Stands for the `copy` module; in a thread that takes a snapshot, nothing is copied."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def deepcopy(self, value: Any) -> Any:
        """The value itself during a snapshot, else a deep copy."""
        return value if getattr(self._thread, "snapshot", False) else copy.deepcopy(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)

    def __enter__(self) -> None:
        self._thread.snapshot = True

    def __exit__(self, *_: object) -> None:
        self._thread.snapshot = False


_copying = _Copying()
_prune: Callable[[set[str]], None] | None = None
_referenced: set[str] | None = None


def install() -> None:
    """Let code archives be deleted only once no state file on disk names them."""
    global _prune  # noqa: PLW0603
    pin.require(__name__)
    if _prune is None:
        _prune = lambda_svc._prune_orphan_code_blobs
        lambda_svc._prune_orphan_code_blobs = _remember_referenced


def _remember_referenced(referenced: set[str]) -> None:
    global _referenced  # noqa: PLW0603
    _referenced = referenced


def forget_unreferenced() -> None:
    """Delete the code archives that the state just written does not name; call after writing "lambda"."""
    global _referenced  # noqa: PLW0603
    if _prune is not None and _referenced is not None:
        _prune(_referenced)
        _referenced = None


def take(service: str, get_state: Callable[[], Any], module: ModuleType) -> bytes | None:
    """The content of `service`'s state file now; None when it has no state to save. May raise RuntimeError: again."""
    if module.__name__.rpartition(".")[2] in _COLLECTING and getattr(module, "copy", None) is copy:
        module.copy = _copying  # type: ignore[attr-defined]
    with _copying:
        state = get_state()
        if state is None:
            return None
        envelope = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
        return json.dumps(envelope, default=persistence._json_default).encode()
