"""Shadow variants: a copy of the traffic, whose answers nobody waits for."""

import asyncio
import contextlib
import time

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.asking import ask, plain
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant

_MOST = 256  # copies under way; a shadow that cannot keep up gets fewer, the production variant is not slowed down


class Shadows:
    """Sends copies, on the event loop; `seconds` is how long a shadow may take."""

    def __init__(self, hosting: Hosting, seconds: float) -> None:
        self._hosting = hosting
        self._seconds = seconds
        self._copies: set[asyncio.Task[None]] = set()

    def copy(
        self, endpoint: str, route: Route, asked: RoutedVariant, headers: dict[str, str], body: bytes
    ) -> None:
        """Send the request to each shadow whose turn it is: its weight over the production variant's, at most all."""
        for shadow in route.shadows:
            weight = asked.variant.weight
            if weight <= 0 or len(self._copies) >= _MOST:
                continue
            shadow.credit += min(1.0, shadow.weight / weight)
            if shadow.credit >= 1.0 - 1e-9:
                shadow.credit -= 1.0
                copying = asyncio.create_task(self._send(endpoint, shadow, headers, body))
                self._copies.add(copying)
                copying.add_done_callback(self._copies.discard)

    async def settled(self) -> None:
        """Return when no copy is under way."""
        await asyncio.gather(*self._copies)

    async def _send(self, endpoint: str, shadow: RoutedVariant, headers: dict[str, str], body: bytes) -> None:
        began = time.perf_counter()
        status = 0
        with contextlib.suppress(
            ServiceError
        ):  # nobody runs just now: an error of the shadow, and only of it
            deliver = plain("/invocations", headers, body, self._seconds)
            status = (await ask(self._hosting, endpoint, shadow, deliver)).status
        took = (time.perf_counter() - began) * 1e6
        instances = shadow.variant.count
        self._hosting.metrics.count(endpoint, shadow.name, status, took, 0.0, shadow.config, instances)
