"""Word vectors by counting: what is counted, what is kept of it, and that it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from learners.cooccurrence import Corpus, decomposed, embed, information, neighbours
from scipy.sparse import csr_matrix


def corpus(*texts: str) -> tuple[Corpus, dict[str, int]]:
    words = sorted({word for text in texts for word in text.split()})
    number = {word: place for place, word in enumerate(words)}
    return Corpus.of(
        [np.array([number[word] for word in text.split()]) for text in texts], len(words)
    ), number


def test_neighbours_are_counted_within_a_text_and_less_with_distance() -> None:
    counts, number = corpus("a b c", "c a")
    found = neighbours(counts, window=2).toarray()
    a, b, c = (number[word] for word in "abc")
    assert found[a, b] == found[b, c] == 1
    assert found[a, c] == 1.5  # beside each other once, two apart once
    assert found[c, c] == 0  # the second text does not go on from the first
    np.testing.assert_array_equal(found, found.T)


def test_counting_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).integers(-1, 5, 200)
    whole = neighbours(Corpus(numbers, 5), 3).toarray()
    monkeypatch.setattr("learners.cooccurrence._CHUNK", 7)
    np.testing.assert_allclose(neighbours(Corpus(numbers, 5), 3).toarray(), whole)


def test_information_is_what_the_formula_says() -> None:
    counts = csr_matrix(np.array([[0.0, 4, 1], [4, 0, 0], [1, 0, 2]]))
    found = information(counts).toarray()
    contexts = np.array([5.0, 4, 3]) ** 0.75
    expected = np.log(4 / (5 * contexts[1] / contexts.sum()))
    assert found[0, 1] == pytest.approx(expected)
    assert found[0, 2] == 0  # met less often than by chance
    assert found[1, 1] == 0


def test_the_decomposition_is_numpys() -> None:
    draw = np.random.default_rng(4)
    matrix = draw.normal(size=(60, 5)) @ draw.normal(size=(5, 60))
    left, values = decomposed(csr_matrix(matrix), 4, seed=1)
    theirs, exact, _ = np.linalg.svd(matrix)
    np.testing.assert_allclose(values, exact[:4], rtol=1e-8)
    np.testing.assert_allclose(np.abs((left * theirs[:, :4]).sum(axis=0)), 1, rtol=1e-6)


def test_words_used_alike_lie_close_and_twice_is_the_same() -> None:
    draw = np.random.default_rng(2)
    animals, tools = ("cat", "dog"), ("saw", "axe")
    texts = [f"the {draw.choice(animals)} eats and sleeps at home" for _ in range(60)]
    texts += [f"a {draw.choice(tools)} cuts wood or metal well" for _ in range(60)]
    counts, number = corpus(*texts, "hermit")
    vectors = embed(counts, 4, window=3, seed=7)
    cat, dog, saw, axe = (vectors[number[word]] for word in (*animals, *tools))
    assert cat @ dog > 0.9
    assert abs(cat @ saw) < 0.5
    assert saw @ axe > 0.9
    assert (vectors[number["hermit"]] == 0).all()
    np.testing.assert_array_equal(embed(counts, 4, window=3, seed=7), vectors)
