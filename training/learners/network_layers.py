"""Layers of the text networks as NumPy computes them when serving. Names, orders and formulas are PyTorch's.

A test holds each layer against PyTorch's own; a model so needs no PyTorch (4 GB) to answer. Arrays are float32.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


def linear(inputs: Array, weights: Arrays, name: str) -> Array:
    """Return inputs times the layer's weights, plus its bias."""
    return np.asarray(inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def mask(lengths: Array, steps: int) -> Array:
    """Return a (texts, steps) array that is true where a text has a word."""
    return np.asarray(np.arange(steps)[None, :] < lengths[:, None])


def lstm(inputs: Array, lengths: Array, weights: Arrays, name: str) -> Array:
    """Return (texts, steps, both ways' states) of a bidirectional LSTM (Hochreiter 1997), 0 past a text."""
    there = mask(lengths, inputs.shape[1])
    ways = [_one_way(inputs, there, weights, f"{name}.{{}}_l0{suffix}") for suffix in ("", "_reverse")]
    return np.concatenate(ways, axis=2)


def _one_way(inputs: Array, there: Array, weights: Arrays, name: str) -> Array:
    """Return one direction's states. The backward one starts at each text's last word: before it the state stays 0."""
    recurrent = weights[name.format("weight_hh")].T
    bias = weights[name.format("bias_ih")] + weights[name.format("bias_hh")]
    driven = inputs @ weights[name.format("weight_ih")].T + bias
    texts, steps, _ = inputs.shape
    size = recurrent.shape[0]
    state, cell = np.zeros((2, texts, size), np.float32)
    out = np.zeros((texts, steps, size), np.float32)
    for step in range(steps - 1, -1, -1) if name.endswith("_reverse") else range(steps):
        gates = driven[:, step] + state @ recurrent
        kept = there[:, step, None]
        let_in, keep, show = (_sigmoid(gates[:, k * size : (k + 1) * size]) for k in (0, 1, 3))
        fresh = keep * cell + let_in * np.tanh(gates[:, 2 * size : 3 * size])
        cell = np.where(kept, fresh, cell)
        state = np.where(kept, show * np.tanh(fresh), state)
        out[:, step] = np.where(kept, state, 0)
    return out


def convolution(inputs: Array, weights: Arrays, name: str) -> Array:
    """Return (texts, steps - width + 1, channels): the layer slid along the words."""
    kernel = weights[f"{name}.weight"]  # (channels out, channels in, width)
    windows = np.lib.stride_tricks.sliding_window_view(inputs, kernel.shape[2], axis=1)
    texts, places = windows.shape[:2]
    flat = windows.reshape(texts, places, -1) @ kernel.reshape(len(kernel), -1).T
    return np.asarray(flat + weights[f"{name}.bias"])


def largest(states: Array, there: Array) -> Array:
    """Return (texts, size): the largest state over the steps that are there."""
    return np.asarray(np.where(there[:, :, None], states, -np.inf).max(axis=1))


def mean(states: Array, lengths: Array) -> Array:
    """Return (texts, size): the mean over each text's words; states past a text are 0."""
    return np.asarray(states.sum(axis=1) / lengths[:, None].astype(np.float32))


def relu(values: Array) -> Array:
    """Return the values, nothing below 0."""
    return np.asarray(np.maximum(values, 0))


def _sigmoid(values: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))
