"""Which instance answers a request: variants by weight, instances of a variant in turn.

Smooth weighted round robin (as nginx does): of 10 requests to variants 9:1 exactly one goes to the second, and never
ten in a row to the first. Used on the event loop only, so it needs no lock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.lifecycle import Blueprint, Variant


@dataclass
class RoutedVariant:
    """A variant that takes traffic; `credit` is what the choice keeps between two requests."""

    variant: Variant
    instances: Sequence[Instance]
    credit: float = 0.0
    turn: int = 0

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.variant.name

    @property
    def weight(self) -> float:
        """Its share of the traffic, relative to the sum of all."""
        return self.variant.weight

    def next_instance(self, tried: Collection[Instance] = ()) -> Instance | None:
        """The next ready instance in turn that was not `tried`; None when there is none."""
        for _ in self.instances:
            self.turn = (self.turn + 1) % len(self.instances)
            instance = self.instances[self.turn]
            if instance.ready and instance not in tried:
                return instance
        return None


@dataclass
class Route:
    """Where requests to one endpoint go, copies of them to `shadows`; `blueprint` says what else happens to them."""

    variants: list[RoutedVariant] = field(default_factory=list)
    shadows: list[RoutedVariant] = field(default_factory=list)
    blueprint: Blueprint | None = None

    def named(self, name: str) -> RoutedVariant | None:
        """The variant of that name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def choose(self) -> RoutedVariant | None:
        """The variant whose turn it is; None when none has any weight."""
        total = sum(variant.weight for variant in self.variants)
        if total <= 0:
            return None
        for variant in self.variants:
            variant.credit += variant.weight
        chosen = max(self.variants, key=lambda variant: variant.credit)
        chosen.credit -= total
        return chosen
