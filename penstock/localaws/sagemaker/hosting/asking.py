"""One request to a variant: which instance is asked, and which one after it when that one is not there."""

from collections.abc import Awaitable, Callable

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Lost, Pool, Reply, Unreached
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.routing import RoutedVariant

# Gives one instance the request; raises Lost (or Unreached) when it went away, TimeoutError when it took too long.
Deliver = Callable[[Instance, Pool], Awaitable[Reply]]

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
    hosting: Hosting, endpoint: str, variant: RoutedVariant, deliver: Deliver, first: Instance | None = None
) -> Reply:
    """Ask an instance (`first`, if given), and another when it is not there; once more when one went away over it.

    Once only: a request that takes model servers down must not take all of them. A model that takes too long is a
    reply without a status. Raises ServiceError when no instance is running.
    """
    tried: list[Instance] = []
    again = 1
    while instance := first or variant.next_instance(tried):
        first = None
        try:
            return await _ask_instance(instance, deliver)
        except TimeoutError:
            return Reply(0, {}, _TIMED_OUT.encode())
        except Lost as lost:
            tried.append(instance)
            again -= not isinstance(lost, Unreached)
            if again < 0:
                break
        variant = _same(hosting, endpoint, variant)
    what = f"No instance of variant {variant.name} of endpoint {endpoint} is running just now. Try again in a moment."
    raise ServiceError("ServiceUnavailable", what, 503)


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
