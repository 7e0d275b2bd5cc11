"""Trains in a job: `python -m penstock.localaws.containers.blazingtext.train`.

words      model/vectors.txt (word2vec text), model/vectors.bin (fastText), model/eval.json
supervised model/model.bin (fastText)
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import floret
import numpy as np

from penstock.localaws.containers.blazingtext import corpus, evaluation, failure, hyperparameters
from penstock.localaws.containers.blazingtext.failure import UserError
from penstock.localaws.containers.blazingtext.hyperparameters import Settings


class Job:
    """One job's directories (`base` is /opt/ml) and settings."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.settings = hyperparameters.parse(self._config("hyperparameters"))
        self.model = base / "model"
        self.threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        self._channels = self._config("inputdataconfig")
        if "train" not in self._channels:
            raise UserError("Channel configuration for 'train' channel is missing")

    def _config(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.base / f"input/config/{name}.json").read_text())
        return document

    def channel(self, name: str) -> Path | None:
        """Where a channel's files are; None when the job does not have it."""
        return self.base / "input/data" / name if name in self._channels else None

    def first_host(self) -> bool:
        """Whether this instance trains; raises UserError when the others have data of their own."""
        resources = self._config("resourceconfig")
        if len(resources["hosts"]) > 1 and self._channels["train"]["S3DistributionType"] == "ShardedByS3Key":
            raise UserError("Training on several instances here needs S3DataDistributionType FullyReplicated")
        return bool(resources["current_host"] == resources["hosts"][0])

    def scratch(self, name: str) -> Path:
        """A file that goes with the job."""
        directory = self.base / "output/intermediate"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / name


def main() -> None:
    """Train; the platform reads the reason of a failure from output/failure."""
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
    try:
        job = Job(base)
        if not job.first_host():
            print("This instance has nothing to do: fastText trains on the first one.", flush=True)  # noqa: T201
        elif job.settings.supervised:
            classify(job)
        else:
            embed(job)
    except Exception as error:  # noqa: BLE001  whatever it is, FailureReason has to say it
        failure.end(base, error)


def embed(job: Job) -> None:
    """Vectors of words."""
    settings, began = job.settings, time.perf_counter()
    train = job.channel("train")
    assert train is not None  # noqa: S101  for the type checker: Job has checked
    text = corpus.plain(train, job.scratch("train.txt"))
    model = floret.train_unsupervised(
        str(text),
        model="cbow" if settings.mode == "cbow" else "skipgram",
        lr=settings.learning_rate,
        dim=settings.vector_dim,
        ws=settings.window_size,
        epoch=settings.epochs,
        minCount=settings.min_count,
        minn=settings.min_char if settings.subwords else 0,
        maxn=settings.max_char if settings.subwords else 0,
        neg=settings.negative_samples,
        t=settings.sampling_threshold,
        bucket=settings.buckets,
        thread=job.threads,
        verbose=0,
        mode="fasttext",
    )
    words, counts = model.get_words(include_freq=True)
    say_speed(int(np.sum(counts)) * settings.epochs, began)
    job.model.mkdir(parents=True, exist_ok=True)
    write_vectors(model, words, settings, job.model / "vectors.txt")
    model.save_model(str(job.model / "vectors.bin"))
    if settings.evaluation:
        rate(job, model, set(words))


def write_vectors(model: Any, words: list[str], settings: Settings, target: Path) -> None:
    """word2vec's text format: `vocabulary dimension`, then a word and its numbers a line, the commonest word first."""
    with target.open("w", encoding="utf-8") as out:
        out.write(f"{len(words)} {settings.vector_dim}\n")
        for word in words:
            out.write(f"{word} {' '.join(f'{value:.6g}' for value in model.get_word_vector(word))}\n")


def rate(job: Job, model: Any, words: set[str]) -> None:
    """eval.json and the metric train:mean_rho; without word pairs, a line that says how to get them."""
    found = evaluation.word_pairs(job.base / "input/data/evaluation")
    if found is None:
        print(  # noqa: T201
            "No word pairs to evaluate with: install gensim, which brings WordSim-353, or give a channel "
            "'evaluation' of lines: word word score.",
            flush=True,
        )
        return
    name, pairs = found
    result = evaluation.evaluate(pairs, words.__contains__, model.get_word_vector)
    text = evaluation.report(name, result)
    (job.model / "eval.json").write_text(text, encoding="utf-8")
    print("Evaluating word embeddings....")  # noqa: T201
    print(f"Vectors read from: /opt/ml/model/vectors.txt\n{text}")  # noqa: T201
    print(f"[#mean_rho: {result['spearmans_rho']:.4f}]", flush=True)  # noqa: T201


def classify(job: Job) -> None:
    """A classifier of texts."""
    settings, began = job.settings, time.perf_counter()
    train, validation = job.channel("train"), job.channel("validation")
    assert train is not None  # noqa: S101
    text = job.scratch("train.txt")
    corpus.labelled(train, text)
    if settings.early_stopping:
        print("early_stopping is not followed here: all epochs are trained.", flush=True)  # noqa: T201
    model = floret.train_supervised(
        str(text),
        lr=settings.learning_rate,
        dim=settings.vector_dim,
        epoch=settings.epochs,
        minCount=settings.min_count,
        wordNgrams=settings.word_ngrams,
        bucket=settings.buckets,
        thread=job.threads,
        verbose=0,
        mode="fasttext",
    )
    _, counts = model.get_words(include_freq=True)
    say_speed(int(np.sum(counts)) * settings.epochs, began)
    job.model.mkdir(parents=True, exist_ok=True)
    model.save_model(str(job.model / "model.bin"))
    say_accuracy(model, text, "train")
    if validation is not None:
        held_back = job.scratch("validation.txt")
        corpus.labelled(validation, held_back)
        say_accuracy(model, held_back, "validation")


def say_accuracy(model: Any, text: Path, which: str) -> None:
    """Share of lines whose likeliest label is right, in the image's words."""
    examples, precision, _ = model.test(str(text))
    print(f"#{which}_accuracy: {precision:.4f}")  # noqa: T201
    print(f"Number of {which} examples: {examples}", flush=True)  # noqa: T201


def say_speed(words: int, began: float) -> None:
    """What the image prints when training is over."""
    seconds = time.perf_counter() - began
    speed = words / seconds / 1e6
    print(f"##### Alpha: 0.0000  Progress: 100.00%  Million Words/sec: {speed:.2f} #####")  # noqa: T201
    print("Training finished!")  # noqa: T201
    print(f"Average throughput in Million words/sec: {speed:.2f}")  # noqa: T201
    print(f"Total training time in seconds: {seconds:.2f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
