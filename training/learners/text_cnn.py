"""Convolutions over word vectors (Kim 2014): classification of short texts, such as headlines.

The vectors are learnt from the training texts first (word_vectors) and trained on; `vectors: random` starts from none.
PyTorch trains it, NumPy answers with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learners import text_network
from learners.cooccurrence import Corpus, embed
from learners.hyperparameters import Choice, Known, Number, Value
from learners.network_layers import Array, Arrays, convolution, largest, linear, mask, relu

WIDTHS = (1, 2, 3)  # words a convolution sees at a time
HYPERPARAMETERS: Known = {
    **text_network.COMMON,
    "epochs": Number(20, 1, 1000, whole=True),
    "embedding_dim": Number(100, 1, 1000, whole=True),
    "channels": Number(100, 1, 2000, whole=True),  # of each width
    "vectors": Choice("own", ("own", "random")),
    "window": Number(8, 1, 100, whole=True),
}
ALIASES: dict[str, str] = {}


def make(torch: Any, words: int, classes: int, values: Mapping[str, Value], numbers: Sequence[Array]) -> Any:
    """Return the network in PyTorch, its embedding the vectors of `numbers`, the training texts."""
    nn, size, channels = torch.nn, int(values["embedding_dim"]), int(values["channels"])

    class Network(torch.nn.Module):  # type: ignore[misc]
        """Embedding, a convolution a width, the largest of each channel, a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(words, size, padding_idx=0)
            for width in WIDTHS:
                setattr(self, f"width{width}", nn.Conv1d(size, channels, width))
            self.out = nn.Linear(channels * len(WIDTHS), classes)
            self.drop = nn.Dropout(float(values["dropout"]))

        def forward(self, numbers: Any, lengths: Any) -> Any:
            inputs = self.drop(self.embed(numbers)).transpose(1, 2)
            pooled = []
            for width in WIDTHS:
                states = getattr(self, f"width{width}")(inputs)
                places = torch.clamp(lengths - width + 1, min=1)
                there = (torch.arange(states.shape[2])[None, :] < places[:, None])[:, None, :]
                pooled.append(states.masked_fill(~there, -torch.inf).amax(dim=2))
            return self.out(self.drop(torch.relu(torch.cat(pooled, dim=1))))

    network = Network()
    if values["vectors"] == "own":
        with torch.no_grad():
            network.embed.weight.copy_(torch.from_numpy(_vectors(numbers, words, values)))
    return network


def answer(weights: Arrays, numbers: Array, lengths: Array) -> Array:
    """Return (texts, classes) margins, as the network gives them when it is not training."""
    inputs = weights["embed.weight"][numbers]
    pooled = []
    for width in WIDTHS:
        states = convolution(inputs, weights, f"width{width}")
        pooled.append(largest(states, mask(np.maximum(lengths - width + 1, 1), states.shape[1])))
    return linear(relu(np.concatenate(pooled, axis=1)), weights, "out")


def _vectors(numbers: Sequence[Array], words: int, values: Mapping[str, Value]) -> Array:
    """Return the training texts' word vectors, of length 1 each; padding and words too rare have none: 0."""
    size, window, seed = (int(values[name]) for name in ("embedding_dim", "window", "seed"))
    found = np.zeros((words, size), np.float32)
    vectors = embed(Corpus.of(numbers, words), size, window=window, seed=seed)
    found[:, : vectors.shape[1]] = vectors
    found[:2] = 0
    return found


SHAPE = text_network.Shape("text_cnn", make, answer, least=max(WIDTHS))
fit, finish, load = text_network.learner(SHAPE, HYPERPARAMETERS)
