"""Figure H11: word vectors of the first 6.9 MB of text8, judged by people's word pairs, and gensim's in the same run.

    python bench/word_vectors.py

Learns 100 dimensions by counting (training/learners/cooccurrence.py, what text_cnn starts from), then prints Spearman's
rank correlation with WordSim-353, analogies and nearest words, draws 400 words in two dimensions
(bench/results/word_map.png) and puts the figure into bench/results/learners_text.json. With gensim installed
(`pip install penstock[blazingtext]`) it trains word2vec on the same words beside it, epoch by epoch.
"""

import csv
import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"
RESULTS = ROOT / "bench/results"
SIZE, WINDOW, LEAST = 100, 8, 5
PUBLISHED = 0.3959  # gensim's skip-gram on the same file, 5 epochs, data README
SHOWN = ("king", "computer", "france", "music", "water")
ANALOGIES = (
    ("france", "paris", "germany", "berlin"),
    ("france", "paris", "england", "london"),
    ("man", "king", "woman", "queen"),
    ("man", "he", "woman", "she"),
    ("one", "two", "three", "four"),
    ("good", "better", "great", "greater"),
    ("day", "days", "year", "years"),
    ("city", "cities", "country", "countries"),
    ("japan", "japanese", "china", "chinese"),
    ("france", "french", "germany", "german"),
)
sys.path.insert(0, str(ROOT / "training"))

from learners.cooccurrence import Corpus, embed  # noqa: E402


class Space:
    """Words with their vectors, of length 1 each."""

    def __init__(self, words: list[str], vectors: Any) -> None:
        self.words, self.vectors = (
            words,
            vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9),
        )
        self.place = {word: place for place, word in enumerate(words)}

    def rho(self) -> tuple[float, int]:
        """Spearman's rank correlation with WordSim-353, over the pairs whose words are both known, and how many."""
        with (DATA / "wordsim353.csv").open(newline="") as file:
            pairs = [(a.lower(), b.lower(), float(score)) for a, b, score in list(csv.reader(file))[1:]]
        known = [one for one in pairs if one[0] in self.place and one[1] in self.place]
        ours = [float(self.of(a) @ self.of(b)) for a, b, _ in known]
        return float(spearmanr(ours, [score for _, _, score in known])[0]), len(known)

    def of(self, word: str) -> Any:
        """The vector of a word."""
        return self.vectors[self.place[word]]

    def nearest(self, vector: Any, without: tuple[str, ...], count: int) -> list[str]:
        """The words whose vectors point most the same way."""
        order = np.argsort(-(self.vectors @ vector), kind="stable")
        return [self.words[k] for k in order if self.words[k] not in without][:count]

    def analogies(self) -> int:
        """How many of the analogies hold: a is to b as c is to the nearest word of b - a + c."""
        return sum(
            self.nearest(self.of(b) - self.of(a) + self.of(c), (a, b, c), 1) == [d]
            for a, b, c, d in ANALOGIES
        )


def main() -> None:
    """Learn, judge, draw, compare."""
    text = (DATA / "text8_first_6.9MB.txt").read_text().split()
    began = time.perf_counter()
    ours = counted(text)
    seconds = time.perf_counter() - began
    rho, pairs = ours.rho()
    print(f"rho {rho:.4f} on {pairs} pairs, learnt in {seconds:.1f} s", flush=True)
    theirs = gensim(text)
    print(theirs, flush=True)
    print(f"rho {rho:.4f} on {pairs} pairs, learnt in {seconds:.1f} s", flush=True)
    for word in SHOWN:
        print(f"{word}: {', '.join(ours.nearest(ours.of(word), (word,), 6))}")
    draw(ours, RESULTS / "word_map.png")
    line = {
        "figure": "H11",
        "what": "word vectors by counting, 100 dimensions, 6.9 MB of text8",
        "protocol": f"Spearman's rho, {pairs} of 353 pairs known, window {WINDOW}, min_count {LEAST}",
        "published": PUBLISHED,
        "ours": {"rho": round(rho, 4), "analogies": f"{ours.analogies()} of {len(ANALOGIES)}", **theirs},
        "leak_free": None,
        "seconds": round(seconds, 1),
        "command": "python bench/word_vectors.py",
    }
    print(json.dumps(line, indent=1))
    out = RESULTS / "learners_text.json"
    before = json.loads(out.read_text()) if out.is_file() else []
    kept = [one for one in before if one["figure"] != "H11"]
    out.write_text(json.dumps([*kept, line], indent=1) + "\n")


def counted(text: list[str]) -> Space:
    """Our vectors of the words that occur often enough."""
    counts = Counter(text)
    words = [word for word, count in counts.most_common() if count >= LEAST]
    number = {word: place for place, word in enumerate(words)}
    kept = np.array([number[word] for word in text if word in number], np.int64)
    return Space(words, embed(Corpus(kept, len(words)), SIZE, window=WINDOW, seed=42))


def gensim(text: list[str]) -> dict[str, Any]:
    """What gensim's skip-gram gets on the same words: five epochs, and the mean seconds of one."""
    if importlib.util.find_spec("gensim") is None:
        print("gensim is not installed: no comparison (pip install penstock[blazingtext])")
        return {}
    from gensim.models import Word2Vec  # noqa: PLC0415

    lines = [text[start : start + 1000] for start in range(0, len(text), 1000)]
    model = Word2Vec(vector_size=SIZE, window=5, negative=5, min_count=LEAST, sg=1, workers=2, seed=42)
    model.build_vocab(lines)
    began = time.perf_counter()
    model.train(lines, total_examples=len(lines), epochs=5)
    seconds = time.perf_counter() - began
    rho, _ = Space(model.wv.index_to_key, model.wv.vectors).rho()
    return {
        "gensim_rho": round(rho, 4),
        "gensim_seconds_per_epoch": round(seconds / 5, 1),
        "gensim_epochs": 5,
    }


def draw(space: Space, target: Path) -> None:
    """Draw the 400 commonest words after the first hundred, t-SNE of their vectors (perplexity 40, as the workshop)."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415
    from sklearn.manifold import TSNE  # noqa: PLC0415

    chosen = slice(100, 500)
    flat = TSNE(perplexity=40, init="pca", random_state=42).fit_transform(space.vectors[chosen])
    figure, axes = plt.subplots(figsize=(14, 14))
    axes.set_axis_off()
    axes.set(xlim=(flat[:, 0].min(), flat[:, 0].max()), ylim=(flat[:, 1].min(), flat[:, 1].max()))
    for (x, y), word in zip(flat, space.words[chosen], strict=True):
        axes.text(x, y, word, fontsize=8, ha="center")
    figure.savefig(target, dpi=80, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()
