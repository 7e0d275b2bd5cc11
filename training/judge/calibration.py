"""Does a score of 0.8 come true in 80 of 100 rows? Reliability, its mean gap (ECE), Brier score; scores by class."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BINS, BARS = 10, 20


def calibration(answers: Array, scores: Array, positive: int) -> dict[str, Any]:
    """Return the reliability bins, ECE and Brier score of probabilities.

    Of two classes the positive one's score is held against how often it is true; of more the score of the class said
    against how often that was right. ECE is the mean gap between the two, weighted by the rows of a bin (Naeini et
    al., 2015). Brier: mean squared error of the positive's score; of more classes summed over them, from 0 to 2.
    """
    rows = np.arange(len(answers))
    if scores.shape[1] == 2:
        score, true = scores[:, positive], answers == positive
        brier = float(np.mean((score - true) ** 2))
    else:
        said = scores.argmax(axis=1)
        score, true = scores[rows, said], said == answers
        brier = float(np.mean(np.sum((scores - np.eye(scores.shape[1])[answers]) ** 2, axis=1)))
    bins = reliability(score, true)
    ece = sum(one["rows"] * abs(one["score"] - one["share"]) for one in bins) / len(answers)
    return {"of": "positive" if scores.shape[1] == 2 else "said", "ece": ece, "brier": brier, "bins": bins}


def reliability(score: Array, true: Array) -> list[dict[str, float]]:
    """Return, a bin of equal width that has rows, their mean score and the share that came true."""
    place = np.clip((score * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums, hits = (np.bincount(place, weights=part, minlength=BINS) for part in (score, true.astype(float)))
    return [
        {"low": k / BINS, "high": (k + 1) / BINS, "rows": int(counts[k]),
         "score": float(sums[k] / counts[k]), "share": float(hits[k] / counts[k])}
        for k in np.flatnonzero(counts).tolist()
    ]  # fmt: skip


def histogram(answers: Array, scores: Array, positive: int) -> dict[str, list[int]]:
    """Return how many rows have a score in each of 20 bins: of the positive class by class, or by right and wrong."""
    if scores.shape[1] == 2:
        score, first, names = scores[:, positive], answers == positive, ("positive", "negative")
    else:
        said = scores.argmax(axis=1)
        score, first, names = scores.max(axis=1), said == answers, ("right", "wrong")
    place = np.clip((score * BARS).astype(np.int64), 0, BARS - 1)
    return {
        name: np.bincount(place[part], minlength=BARS).tolist()
        for name, part in zip(names, (first, ~first), strict=True)
    }
