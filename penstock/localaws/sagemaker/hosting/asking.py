"""One request to a variant: which instance is asked, and which one after it when that one is not there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Lost, Pool, Reply, Unreached
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.routing import RoutedVariant

# Gives one instance the request; raises Lost (or Unreached) when it went away, TimeoutError when it took too long.
Deliver = Callable[[Instance, Pool], Awaitable[Reply]]

HELD_SECONDS = 10.0  # how long a request waits for an instance that is being started again
_LOOK_SECONDS = 0.02
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics "
    "for each container in Amazon CloudWatch, resolve the issue, and try again."
)


def plain(path: str, headers: dict[str, str], body: bytes, seconds: float) -> Deliver:
    """The request as it is, to `path` of the instance."""

    def deliver(_instance: Instance, pool: Pool) -> Awaitable[Reply]:
        return pool.post(path, headers, body, seconds)

    return deliver


async def ask(
    hosting: Hosting,
    endpoint: str,
    variant: RoutedVariant,
    deliver: Deliver,
    first: Instance | None = None,
    held: float = HELD_SECONDS,
) -> Reply:
    """Ask an instance (`first`, if given), and another when it is not there; once more when one went away over it.

    Once only: a request that takes model servers down must not take all of them. When none is there but one is being
    started again, the request waits for it, `held` seconds at most: a crash loses the request that made it, nobody's
    else. A model that takes too long is a reply without a status. Raises ServiceError when no instance is running.
    """
    tried: dict[Instance, Pool | None] = {}
    again = 1
    while instance := first or variant.next_instance(tried) or await _started_again(variant, tried, held):
        first, pool = None, instance.pool
        try:
            return await _ask_instance(instance, deliver)
        except TimeoutError:
            return Reply(0, {}, _TIMED_OUT.encode())
        except Lost as lost:
            tried[instance] = pool
            again -= not isinstance(lost, Unreached)
            if again < 0:
                break
        variant = _same(hosting, endpoint, variant)
    what = f"No instance of variant {variant.name} of endpoint {endpoint} is running just now. Try again in a moment."
    raise ServiceError("ServiceUnavailable", what, 503)


async def _started_again(
    variant: RoutedVariant, tried: Mapping[Instance, Pool | None], held: float
) -> Instance | None:
    """An instance that was away and is back (with connections of its new process); None when none comes in time."""
    ends = time.monotonic() + held
    away = [one for one in variant.instances if one in tried or not one.ready]
    while away and time.monotonic() < ends:
        back = next((one for one in away if one.ready and one.pool is not tried.get(one)), None)
        if back is not None:
            return back
        await asyncio.sleep(_LOOK_SECONDS)
    return None


async def _ask_instance(instance: Instance, deliver: Deliver) -> Reply:
    pool = instance.pool
    if pool is None:
        raise Unreached("not healthy yet")
    instance.busy += 1
    try:
        return await deliver(instance, pool)
    finally:
        instance.busy -= 1


def _same(hosting: Hosting, endpoint: str, variant: RoutedVariant) -> RoutedVariant:
    """The variant after an update that may have happened while an old instance was asked."""
    route = hosting.routes.get(endpoint)
    if route is None or any(shadow is variant for shadow in route.shadows):
        return variant
    return route.named(variant.name) or route.choose() or variant
