"""Which instance answers a request: variants by weight, instances of a variant in turn.

Smooth weighted round robin (as nginx does): of 10 requests to variants 9:1 exactly one goes to the second, and never
ten in a row to the first. While an update moves traffic, a variant's name is there twice, in the old fleet and in the
new one, each with its share. Used on the event loop only, so it needs no lock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.states import Blueprint, Variant


@dataclass
class RoutedVariant:
    """A variant that takes traffic; `credit`, `turn` and `owed` are what choices keep between two requests.

    Attributes:
        share: of the traffic, relative to the sum of all; None: the variant's weight.
        part: of the traffic sent to this variant by name, where two fleets share it.
        config: the endpoint configuration's name, for metrics.
    """

    variant: Variant
    instances: Sequence[Instance]
    credit: float = 0.0
    turn: int = 0
    share: float | None = None
    part: float = 1.0
    config: str = ""
    owed: float = 0.0

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.variant.name

    @property
    def weight(self) -> float:
        """Its share of the traffic, relative to the sum of all."""
        return self.variant.weight if self.share is None else self.share

    @property
    def ready(self) -> bool:
        """Whether any instance of it takes requests."""
        return any(instance.ready for instance in self.instances)

    def next_instance(self, tried: Collection[Instance] = ()) -> Instance | None:
        """The next ready instance in turn that was not `tried`; None when there is none.

        With LEAST_OUTSTANDING_REQUESTS the one with the fewest under way, in turn among equals.
        """
        if self.variant.routing == "LEAST_OUTSTANDING_REQUESTS":
            return self._least_busy(tried)
        for _ in self.instances:
            self.turn = (self.turn + 1) % len(self.instances)
            instance = self.instances[self.turn]
            if instance.ready and instance not in tried:
                return instance
        return None

    def _least_busy(self, tried: Collection[Instance]) -> Instance | None:
        self.turn += 1
        size = len(self.instances)
        in_turn = (self.instances[(self.turn + number) % size] for number in range(size))
        able = (instance for instance in in_turn if instance.ready and instance not in tried)
        return min(able, key=lambda instance: instance.busy, default=None)


@dataclass
class Route:
    """Where requests to one endpoint go, copies of them to `shadows`; `blueprint` says what else happens to them."""

    variants: list[RoutedVariant] = field(default_factory=list)
    shadows: list[RoutedVariant] = field(default_factory=list)
    blueprint: Blueprint | None = None

    def named(self, name: str) -> RoutedVariant | None:
        """The variant of that name; of the old and the new fleet, the one whose turn it is."""
        found = [variant for variant in self.variants if variant.name == name]
        if len(found) < 2:
            return found[0] if found else None
        up = [variant for variant in found if variant.ready] or found
        total = sum(variant.part for variant in up)
        for variant in up:
            variant.owed += variant.part
        chosen = max(up, key=lambda variant: variant.owed)
        chosen.owed -= total
        return chosen

    def choose(self) -> RoutedVariant | None:
        """The variant whose turn it is; None when none has any weight."""
        total = sum(variant.weight for variant in self.variants)
        if total <= 0:
            return None
        for variant in self.variants:
            variant.credit += variant.weight
        chosen = max(self.variants, key=_credit_if_any)
        chosen.credit -= total
        return chosen if chosen.ready else self._standing_in(chosen)

    def _standing_in(self, chosen: RoutedVariant) -> RoutedVariant:
        """The other fleet's variant of that name, when it is up and this one is not."""
        others = (other for other in self.variants if other.name == chosen.name and other.ready)
        return next(others, chosen)


def _credit_if_any(variant: RoutedVariant) -> float:
    return variant.credit if variant.weight > 0 else float("-inf")
