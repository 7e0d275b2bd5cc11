"""Tell the checkpoint which service was just used in a way that may have changed its state.

Touches `ministack.app.SERVICE_HANDLERS` (every request to a service passes through it, also those that services and
Step Functions tasks make in process) and `ministack.services.stepfunctions._add_event` (executions go on without any
request). Checked on MiniStack 1.5.33.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.services import stepfunctions

from penstock.localaws.extension import pin

Touch = Callable[[str], None]
Handler = Callable[..., Awaitable[tuple[int, dict[str, Any], bytes]]]
_READING = (
    "Get",
    "List",
    "Describe",
    "Query",
    "Scan",
    "BatchGet",
    "TransactGet",
    "Filter",
    "Lookup",
    "Search",
    "Head",
)


def install(touch: Touch) -> None:
    """Wrap what is registered now; install after the hooks that register services."""
    pin.require(__name__)
    for name, config in app.SERVICE_REGISTRY.items():
        states = (config.get("state_key", config["module"]), *config.get("sub_modules", ()))
        app.SERVICE_HANDLERS[name] = _touching(app.SERVICE_HANDLERS[name], touch, states)
    add_event = stepfunctions._add_event

    def add_event_and_touch(*arguments: Any, **named: Any) -> Any:
        added = add_event(*arguments, **named)
        touch("stepfunctions")
        return added

    stepfunctions._add_event = add_event_and_touch


def _touching(handler: Handler, touch: Touch, states: tuple[str, ...]) -> Handler:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> tuple[int, dict[str, Any], bytes]:
        try:
            return await handler(method, path, headers, body, query)
        finally:
            if may_change(method, path, headers.get("x-amz-target", "")):
                for state in states:
                    touch(state)

    return handle


def may_change(method: str, path: str, target: str) -> bool:
    """Whether a request may change the state of the service it goes to."""
    if target:
        return not target.rpartition(".")[2].startswith(_READING)
    return method not in ("GET", "HEAD", "OPTIONS") and not path.endswith("/invocations")
