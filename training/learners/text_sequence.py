"""An embedding and a bidirectional LSTM over the words of a text: classification. The workshop's second model.

The states' largest values and their means over the words say the class. PyTorch trains it, NumPy answers with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learners import text_network
from learners.hyperparameters import Known, Number, Value
from learners.network_layers import Array, Arrays, largest, linear, lstm, mask, mean

HYPERPARAMETERS: Known = {
    **text_network.COMMON,
    "epochs": Number(12, 1, 1000, whole=True),
    "embedding_dim": Number(64, 1, 1000, whole=True),
    "hidden": Number(64, 1, 2000, whole=True),  # of each direction
}
ALIASES: dict[str, str] = {}


def make(
    torch: Any,
    words: int,
    classes: int,
    values: Mapping[str, Value],
    numbers: Sequence[Array],  # noqa: ARG001 - the word vectors start at random
) -> Any:
    """Return the network in PyTorch."""
    nn, hidden = torch.nn, int(values["hidden"])

    class Network(torch.nn.Module):  # type: ignore[misc]
        """Embedding, LSTM, two poolings, a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(words, int(values["embedding_dim"]), padding_idx=0)
            self.lstm = nn.LSTM(self.embed.embedding_dim, hidden, bidirectional=True, batch_first=True)
            self.out = nn.Linear(4 * hidden, classes)
            self.drop = nn.Dropout(float(values["dropout"]))

        def forward(self, numbers: Any, lengths: Any) -> Any:
            pack, unpack = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence
            inputs = pack(self.drop(self.embed(numbers)), lengths, batch_first=True, enforce_sorted=False)
            states, _ = unpack(self.lstm(inputs)[0], batch_first=True)
            there = (torch.arange(states.shape[1])[None, :] < lengths[:, None])[:, :, None]
            highest = states.masked_fill(~there, -torch.inf).amax(dim=1)
            average = states.sum(dim=1) / lengths[:, None]
            return self.out(self.drop(torch.cat([highest, average], dim=1)))

    return Network()


def answer(weights: Arrays, numbers: Array, lengths: Array) -> Array:
    """Return (texts, classes) margins, as the network gives them when it is not training."""
    states = lstm(weights["embed.weight"][numbers], lengths, weights, "lstm")
    pooled = [largest(states, mask(lengths, states.shape[1])), mean(states, lengths)]
    return linear(np.concatenate(pooled, axis=1), weights, "out")


SHAPE = text_network.Shape("text_sequence", make, answer)
fit, finish, load = text_network.learner(SHAPE, HYPERPARAMETERS)
