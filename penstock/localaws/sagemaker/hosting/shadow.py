"""Shadow variants: a copy of the traffic, whose answers nobody waits for."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.asking import ask, plain
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Reply
from penstock.localaws.sagemaker.hosting.routing import RoutedVariant

log = logging.getLogger("penstock.localaws.sagemaker")

Request = tuple[dict[str, str], bytes]  # what the model is given: headers and body

_MOST = 256  # copies under way; a shadow that cannot keep up gets fewer, the production variant is not slowed down


# Told of every copy: the shadow and what it said (status 0: nothing).
Heard = Callable[[RoutedVariant, Reply], None]


class Shadows:
    """Sends copies, on the event loop; `seconds` is how long a shadow may take."""

    def __init__(self, hosting: Hosting, seconds: float) -> None:
        self._hosting = hosting
        self._seconds = seconds
        self._copies: set[asyncio.Task[None]] = set()

    def copy(
        self,
        endpoint: str,
        shadows: Sequence[RoutedVariant],
        asked: RoutedVariant,
        request: Request,
        heard: Heard,
    ) -> None:
        """Send the request to each shadow whose turn it is: its weight over the production variant's, at most all."""
        for shadow in shadows:
            weight = asked.variant.weight
            if weight <= 0 or len(self._copies) >= _MOST:
                continue
            shadow.credit += min(1.0, shadow.weight / weight)
            if shadow.credit >= 1.0 - 1e-9:
                shadow.credit -= 1.0
                copying = asyncio.create_task(self._send(endpoint, shadow, request, heard))
                self._copies.add(copying)
                copying.add_done_callback(self._copies.discard)

    async def settled(self) -> None:
        """Return when no copy is under way."""
        await asyncio.gather(*self._copies)

    async def _send(self, endpoint: str, shadow: RoutedVariant, request: Request, heard: Heard) -> None:
        began = time.perf_counter()
        reply = Reply()
        try:
            deliver = plain("/invocations", *request, self._seconds)
            reply = await ask(self._hosting, endpoint, shadow, deliver, held=0)
        except ServiceError:
            log.info("no instance of shadow variant %s of endpoint %s takes its copy", shadow.name, endpoint)
        took = (time.perf_counter() - began) * 1e6
        instances = shadow.variant.count
        self._hosting.metrics.count(endpoint, shadow.name, reply.status, took, 0.0, shadow.config, instances)
        heard(shadow, reply)
