"""How good word vectors are: Spearman's rank correlation with people's judgement of word pairs (WordSim-353).

Finkelstein et al. 2002, "Placing search in context". The pairs are not ours to ship: they come with gensim, when that
is installed, or from a channel `evaluation` of lines `word word score` (tabs, commas or spaces between).
"""

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Pair = tuple[str, str, float]
_NAME = "EN-WS-353-ALL.txt"  # what AWS's eval.json calls it


def word_pairs(channel: Path) -> tuple[str, list[Pair]] | None:
    """The name of a list of pairs and the pairs, from the channel or from gensim; None when there are none."""
    if channel.is_dir():
        path = next((p for p in sorted(channel.rglob("*")) if p.is_file()), None)
        return (path.name, list(_read(path))) if path else None
    spec = importlib.util.find_spec("gensim")  # found, not imported: it is only where the file is
    places = spec.submodule_search_locations if spec else None
    path = Path(next(iter(places)), "test/test_data/wordsim353.tsv") if places else None
    return (_NAME, list(_read(path))) if path and path.is_file() else None


def _read(path: Path) -> Iterator[Pair]:
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = [part for part in re.split(r"[\t, ]+", line.strip()) if part]
        if len(parts) == 3 and not line.startswith("#"):
            try:
                yield parts[0].lower(), parts[1].lower(), float(parts[2])
            except ValueError:
                continue  # a header


def evaluate(
    pairs: list[Pair], known: Callable[[str], bool], vector: Callable[[str], Vector]
) -> dict[str, float]:
    """Rank correlation over the pairs whose words are both known, as eval.json has it."""
    found = [(_cosine(vector(a), vector(b)), score) for a, b, score in pairs if known(a) and known(b)]
    ours, theirs = [similarity for similarity, _ in found], [score for _, score in found]
    return {
        "not_found": len(pairs) - len(found),
        "spearmans_rho": spearman(ours, theirs),
        "total_pairs": len(pairs),
    }


def spearman(a: list[float], b: list[float]) -> float:
    """Spearman's rho, ties sharing their mean rank; 0.0 when one of the two does not vary."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: list[float]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - counts + last - 1) / 2
    return mean[inverse]


def _cosine(a: Vector, b: Vector) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1.0))


def report(name: str, result: dict[str, float]) -> str:
    """The text of eval.json, which the image prints as well."""
    return json.dumps({name: result, "mean_rho": result["spearmans_rho"]}, indent=4, sort_keys=True)
