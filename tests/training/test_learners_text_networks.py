"""The text networks: what serves (NumPy) everywhere, what trains (PyTorch) where it is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from judge import metrics
from learners import network_layers, text_cnn, text_network, text_sequence
from learners.errors import BadData
from learners.hyperparameters import parse
from learners.network_training import Trained
from learners.schema import Feature
from learners.text_words import PADDING, UNKNOWN, Words, padded

from tests.training.test_learners_models import case, quiet
from tests.training.test_learners_text_linear import small

has_torch = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(
    not has_torch, reason="PyTorch is not installed: pip install penstock[pytorch]"
)
KINDS = [text_sequence, text_cnn]
Weights = dict[str, npt.NDArray[np.float32]]


def weights_of(kind: ModuleType, words: int, classes: int) -> Weights:
    """Weights by the names PyTorch gives them, drawn at random: embeddings of 3, 2 states or channels."""
    draw = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {"embed.weight": (words, 3)}
    if kind is text_sequence:
        for way in ("l0", "l0_reverse"):
            shapes |= {f"lstm.weight_ih_{way}": (8, 3), f"lstm.weight_hh_{way}": (8, 2)}
            shapes |= {f"lstm.bias_ih_{way}": (8,), f"lstm.bias_hh_{way}": (8,)}
        pooled = 8
    else:
        for width in text_cnn.WIDTHS:
            shapes |= {f"width{width}.weight": (2, 3, width), f"width{width}.bias": (2,)}
        pooled = 2 * len(text_cnn.WIDTHS)
    shapes |= {"out.weight": (classes, pooled), "out.bias": (classes,)}
    found = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    found["embed.weight"][PADDING] = 0
    return found


def made(kind: ModuleType) -> text_network.Model:
    """A model with drawn weights, as a training would leave it."""
    words = Words(["good", "bad", "day", "night", "!"], longest=6)
    trained = Trained(weights_of(kind, len(words), 3), epochs=4, temperature=1.7)
    return text_network.Model(kind.SHAPE, words, [Feature("line", "text")], trained)


def test_an_lstm_is_what_its_formulas_say() -> None:
    """One number at a time, from the equations of the paper, in both directions."""
    weights = weights_of(text_sequence, 7, 3)
    inputs = np.random.default_rng(1).normal(size=(1, 4, 3)).astype(np.float32)

    def one_way(way: str, steps: list[int]) -> dict[int, list[float]]:
        state, cell, out = [0.0, 0.0], [0.0, 0.0], {}
        for step in steps:
            driven = [
                sum(weights[f"lstm.weight_ih_{way}"][row][k] * inputs[0, step, k] for k in range(3))
                + sum(weights[f"lstm.weight_hh_{way}"][row][k] * state[k] for k in range(2))
                + weights[f"lstm.bias_ih_{way}"][row]
                + weights[f"lstm.bias_hh_{way}"][row]
                for row in range(8)
            ]
            into, keep, show = ([1 / (1 + np.exp(-driven[g * 2 + k])) for k in range(2)] for g in (0, 1, 3))
            cell = [keep[k] * cell[k] + into[k] * np.tanh(driven[4 + k]) for k in range(2)]
            state = [float(show[k] * np.tanh(cell[k])) for k in range(2)]
            out[step] = state
        return out

    forth, back = one_way("l0", [0, 1, 2]), one_way("l0_reverse", [2, 1, 0])
    states = network_layers.lstm(inputs, np.array([3]), weights, "lstm")
    for step in range(3):
        np.testing.assert_allclose(states[0, step], [*forth[step], *back[step]], atol=1e-6)
    assert (states[0, 3] == 0).all()  # past the text


def test_a_convolution_is_what_its_formula_says() -> None:
    weights = weights_of(text_cnn, 7, 3)
    inputs = np.random.default_rng(1).normal(size=(1, 4, 3)).astype(np.float32)
    states = network_layers.convolution(inputs, weights, "width2")
    assert states.shape == (1, 3, 2)
    for place in range(3):
        for channel in range(2):
            kernel = weights["width2.weight"][channel]
            expected = weights["width2.bias"][channel] + sum(
                kernel[k, step] * inputs[0, place + step, k] for k in range(3) for step in range(2)
            )
            assert states[0, place, channel] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
def test_a_text_is_answered_alone_as_among_longer_ones(kind: ModuleType) -> None:
    model = made(kind)
    lines = ["", "good", "bad day", "good good night ! unheard of and far too long", None]
    together = model.predict({"line": lines}, len(lines))
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-6)
    for row, line in enumerate(lines):
        np.testing.assert_allclose(model.predict({"line": [line]}, 1)[0], together[row], atol=1e-6)
    np.testing.assert_array_equal(together[0], together[4])
    assert not np.allclose(together[1], together[2])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
def test_is_the_same_after_saving_and_holds_no_objects(kind: ModuleType, tmp_path: Path) -> None:
    model = made(kind)
    assert sorted(model.save(tmp_path)) == sorted(path.name for path in tmp_path.iterdir())
    asked = {"line": ["good day", "bad night !"]}
    again = kind.load(tmp_path)
    np.testing.assert_array_equal(again.predict(asked, 2), model.predict(asked, 2))
    with (tmp_path / text_network.WEIGHTS).open("wb") as file:
        np.savez(file, out=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        kind.load(tmp_path)


def test_words_are_numbered_the_same_in_training_and_serving() -> None:
    words = Words.fit(["Good day! good", "a Day", "rare"], longest=3, min_count=2, most=10)
    assert words.words == ["day", "good"]
    numbers = words.numbers(["GOOD unseen day good", ""])
    assert [one.tolist() for one in numbers] == [[3, UNKNOWN, 2], [UNKNOWN]]
    matrix, lengths = padded(numbers, least=5)
    assert matrix.tolist() == [[3, 1, 2, 0, 0], [1, 0, 0, 0, 0]]
    assert lengths.tolist() == [3, 1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
@pytest.mark.skipif(has_torch, reason="PyTorch is installed")
def test_without_pytorch_it_says_what_to_install(kind: ModuleType) -> None:
    given, _ = case("texts")
    with pytest.raises(
        BadData, match=r"pip install penstock\[pytorch\]`, or set learner.name to text_linear"
    ):
        kind.fit(given, {}, quiet)


FEW: dict[str, dict[str, str]] = {
    "text_sequence": {
        "epochs": "12",
        "patience": "12",
        "learning_rate": "0.02",
        "hidden": "16",
        "embedding_dim": "16",
    },
    "text_cnn": {"epochs": "12", "learning_rate": "0.01", "channels": "16", "embedding_dim": "16"},
}


@needs_torch
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
def test_numpy_answers_as_pytorch_does(kind: ModuleType) -> None:
    import torch  # noqa: PLC0415

    values = parse(
        FEW[kind.SHAPE.name] | ({"vectors": "random"} if kind is text_cnn else {}), kind.HYPERPARAMETERS
    )
    torch.manual_seed(3)
    network = kind.make(torch, 50, 4, values, []).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    draw = np.random.default_rng(2)
    numbers, lengths = padded([draw.integers(1, 50, size) for size in (1, 2, 3, 9, 30)], kind.SHAPE.least)
    with torch.no_grad():
        theirs = network(torch.from_numpy(numbers), torch.from_numpy(lengths)).numpy()
    np.testing.assert_allclose(kind.answer(weights, numbers, lengths), theirs, atol=2e-6)


@needs_torch
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
def test_learns_says_so_and_is_the_same_twice(kind: ModuleType, tmp_path: Path) -> None:
    given, test = case("texts")
    said: list[str] = []
    few = FEW[kind.SHAPE.name]
    one, two, other = (
        kind.finish(kind.fit(given, {**few, "seed": seed}, said.append), given, {**few, "seed": seed}, quiet)
        for seed in "112"
    )
    scores = one.predict(test.columns, len(test))
    assert metrics.classification(test.target, scores)["auc"] > 0.6
    np.testing.assert_array_equal(scores, two.predict(test.columns, len(test)))
    assert not np.array_equal(scores, other.predict(test.columns, len(test)))
    for name, value in one.trained.weights.items():
        np.testing.assert_array_equal(value, two.trained.weights[name])
    found: list[Any] = re.findall(
        r"^validation:(accuracy|log_loss)=([0-9.]+)$", "\n".join(said), re.MULTILINE
    )
    assert len(found) >= 6


@needs_torch
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.SHAPE.name)
def test_few_rows_empty_texts_and_a_class_of_one_row_are_learnt(kind: ModuleType) -> None:
    texts = ["good day", "", "bad night", "good good", "bad bad day", "   "] * 3
    answers = ["good", "bad"] * 8 + ["good", "once"]
    model = kind.fit(small(texts, answers), FEW[kind.SHAPE.name], quiet)
    assert np.isfinite(model.predict({"line": texts}, len(texts))).all()
    with pytest.raises(BadData, match="Every text is empty"):
        kind.fit(small(["", " "] * 4, ["x", "y"] * 4), {}, quiet)
