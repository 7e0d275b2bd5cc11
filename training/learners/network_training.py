"""Trains a text network in PyTorch: shuffled batches of like length, Adam, stopped when validation gets no better.

PyTorch is needed here only. Seeds are fixed and its deterministic algorithms asked for: the same seed and version
of PyTorch give the same weights, to the bit.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.calibration import log_loss, softmax, temperature
from learners.errors import BadData
from learners.text_words import Numbers, padded

_POOL = 40  # batches whose texts are sorted by length together
_CLIP = 5.0  # longest step of the weights' gradient
_AT_ONCE = 512  # texts judged at a time


@dataclass(frozen=True)
class Texts:
    """Texts as word numbers, with their class numbers."""

    numbers: Sequence[Numbers]
    answers: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """How to train. `patience` is how many epochs without a smaller loss end it."""

    epochs: int
    patience: int
    batch: int
    rate: float
    decay: float
    seed: int
    least: int  # words a text is filled up to


@dataclass(frozen=True)
class Trained:
    """The weights by name, the epoch they are of, and the temperature that fits the watched rows."""

    weights: dict[str, npt.NDArray[np.float32]]
    epochs: int
    temperature: float


def engine(learner: str) -> Any:
    """Return PyTorch; raise BadData saying how to get it."""
    try:
        import torch  # noqa: PLC0415 - seconds and gigabytes: only to fit
    except ImportError:
        raise BadData(
            f"{learner} is trained by PyTorch, which is not installed here: run `pip install penstock[pytorch]`, "
            "or set learner.name to text_linear, which needs none."
        ) from None
    return torch


def train(
    make: Callable[[Any], Any], plan: Plan, learning: Texts, watched: Texts | None, say: Callable[[str], None]
) -> Trained:
    """Return what `make(torch)` became. Without watched texts it runs all epochs."""
    torch = engine("the network")
    torch.set_num_threads(1)  # batches this small are slower shared, and the sums would depend on the machine
    torch.manual_seed(plan.seed)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        return _trained(torch, make(torch), plan, learning, watched, say)
    finally:
        torch.use_deterministic_algorithms(before)


def _trained(
    torch: Any, network: Any, plan: Plan, learning: Texts, watched: Texts | None, say: Callable[[str], None]
) -> Trained:
    adam = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    draw = np.random.default_rng(plan.seed)
    best, least, heat, kept = None, np.inf, 1.0, 0
    for epoch in range(1, plan.epochs + 1):
        loss = _epoch(torch, network, adam, plan, learning, draw)
        say(f"epoch={epoch}\ntrain:loss={loss:.6f}")
        if watched is None:
            continue
        warmth, found = _judged(torch, network, plan, watched, say)
        if found < least:
            best, least, heat, kept = copy.deepcopy(network.state_dict()), found, warmth, epoch
        elif epoch - kept >= plan.patience:
            break
    if best is not None:
        network.load_state_dict(best)
    weights = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    return Trained(weights, kept or plan.epochs, heat)


def _epoch(
    torch: Any, network: Any, adam: Any, plan: Plan, learning: Texts, draw: np.random.Generator
) -> float:
    """Learn from every text once; return the mean loss."""
    network.train()
    total = 0.0
    for rows in _batches(learning.numbers, plan.batch, draw):
        numbers, lengths = padded([learning.numbers[row] for row in rows], plan.least)
        adam.zero_grad()
        margins = network(torch.from_numpy(numbers), torch.from_numpy(lengths))
        loss = torch.nn.functional.cross_entropy(margins, torch.from_numpy(learning.answers[rows]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        adam.step()
        total += float(loss.detach()) * len(rows)
    return total / len(learning.answers)


def _batches(
    numbers: Sequence[Numbers], size: int, draw: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield row numbers in a new order; texts of a batch are about as long as one another, so little is padding."""
    order = draw.permutation(len(numbers))
    lengths = np.array([len(one) for one in numbers])
    batches = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    for place in draw.permutation(len(batches)):
        yield batches[place]


def _judged(
    torch: Any, network: Any, plan: Plan, watched: Texts, say: Callable[[str], None]
) -> tuple[float, float]:
    """Say how the network does on the watched texts; return the best temperature and the log loss at it."""
    network.eval()
    margins = []
    with torch.no_grad():
        for start in range(0, len(watched.answers), _AT_ONCE):
            numbers, lengths = padded(watched.numbers[start : start + _AT_ONCE], plan.least)
            margins.append(network(torch.from_numpy(numbers), torch.from_numpy(lengths)).numpy())
    every = np.concatenate(margins).astype(np.float64)
    heat = temperature(every, watched.answers)
    loss = log_loss(softmax(every / heat), watched.answers)
    right = float(np.mean(every.argmax(axis=1) == watched.answers))
    say(f"validation:accuracy={right:.6f}\nvalidation:log_loss={loss:.6f}")
    return heat, loss
