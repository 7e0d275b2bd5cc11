"""Which setting a tuning tries next. Every function here is a pure one of what it is given: nothing is remembered
between two calls, so a tuning that was interrupted goes on as if it had not been.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.localaws.sagemaker.tuning import space as spaces
from penstock.localaws.sagemaker.tuning.space import Kind, Range, Space, Values

_DRAWS = 20  # so often a setting that was tried is drawn again before the rest is counted out
_COUNTABLE = 100_000


@dataclass(frozen=True)
class Tried:
    """A setting that was launched; `value` is its objective, None while it runs or when it has none."""

    values: Values
    value: float | None
    running: bool


@dataclass(frozen=True)
class Search:
    """How one definition of a tuning is searched. `maximize` is the objective's direction."""

    strategy: str
    space: Space
    maximize: bool
    seed: str


def propose(search: Search, number: int, tried: Sequence[Tried], before: Sequence[Tried] = ()) -> Values:
    """The `number`-th setting (from 0); `before` is what a warm start knows from other tunings."""
    if search.strategy == "Grid":
        return spaces.nth(search.space, number)
    seen = {tuple(one.values.items()) for one in tried}
    for draw in range(_DRAWS):
        seed = f"{search.seed}/{number}/{draw}"
        if search.strategy == "Bayesian":
            values = _bayesian(search, seed, [*before, *tried])
        else:
            values = _random(search.space, random.Random(seed))  # noqa: S311  a search, no secret
        if tuple(values.items()) not in seen:
            return values
    return _left_over(search.space, seen, random.Random(f"{search.seed}/{number}")) or values  # noqa: S311


def _random(space: Space, dice: random.Random) -> Values:
    return {one.name: one.draw(dice) for one in space}


def _left_over(space: Space, seen: set[tuple[tuple[str, str], ...]], dice: random.Random) -> Values | None:
    """A setting nobody tried, of a space small enough to count; None when there is none."""
    size = spaces.combinations(space)
    if size > _COUNTABLE:
        return None
    settings = (spaces.nth(space, at) for at in range(int(size)))
    left = [values for values in settings if tuple(values.items()) not in seen]
    return dice.choice(left) if left else None


def _bayesian(search: Search, seed: str, tried: Sequence[Tried]) -> Values:
    """What Optuna's TPE asks for after `tried`; settings that still run count as bad ones (constant liar)."""
    import optuna  # noqa: PLC0415  0.2 s and 20 MB: only a server that tunes pays for it

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {one.name: _distribution(optuna, one) for one in search.space}
    sampler = optuna.samplers.TPESampler(
        seed=int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]),
        multivariate=True,
        constant_liar=True,
        n_startup_trials=max(3, min(10, 2 * len(search.space))),
    )
    study = optuna.create_study(direction="maximize" if search.maximize else "minimize", sampler=sampler)
    for one in tried:
        if one.running or one.value is not None:
            study.add_trial(_trial(optuna, search.space, distributions, one))
    asked = study.ask(distributions).params
    return {one.name: _text(one, asked[one.name]) for one in search.space}


def _trial(optuna: Any, space: Space, distributions: dict[str, Any], tried: Tried) -> Any:
    states = optuna.trial.TrialState
    return optuna.trial.create_trial(
        state=states.RUNNING if tried.running else states.COMPLETE,
        value=None if tried.running else tried.value,
        params={one.name: _parameter(one, tried.values[one.name]) for one in space},
        distributions=distributions,
    )


def _distribution(optuna: Any, one: Range) -> Any:
    """Whole numbers stay whole numbers for Optuna unless they are searched by magnitude."""
    if one.kind is Kind.CATEGORICAL:
        return optuna.distributions.CategoricalDistribution(one.categories)
    if one.kind is Kind.INTEGER:
        logarithmic = one.scaling is spaces.Scaling.LOGARITHMIC
        return optuna.distributions.IntDistribution(int(one.low), int(one.high), log=logarithmic)
    return optuna.distributions.FloatDistribution(*one.bounds)


def _parameter(one: Range, text: str) -> Any:
    if one.kind is Kind.CATEGORICAL:
        return text
    if one.kind is Kind.INTEGER:
        return int(float(text))
    low, high = one.bounds
    at = one.coordinate(text)
    return min(max(low if at is None else at, low), high)


def _text(one: Range, asked: Any) -> str:
    if one.kind is Kind.CATEGORICAL:
        return str(asked)
    return str(asked) if one.kind is Kind.INTEGER else one.text(asked)
