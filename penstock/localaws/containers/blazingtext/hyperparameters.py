"""BlazingText's hyperparameters: names, defaults and ranges as the developer guide has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.localaws.containers.blazingtext.failure import UserError

WORD_VECTORS = ("batch_skipgram", "skipgram", "cbow")
SUPERVISED = "supervised"
_INTERNAL = "_"  # SageMaker's own, such as _tuning_objective_metric


@dataclass(frozen=True)
class Settings:
    """What to train. Numbers as the developer guide defines them; `batch_size` means nothing to fastText."""

    mode: str
    epochs: int = 5
    learning_rate: float = 0.05
    min_count: int = 5
    vector_dim: int = 100
    window_size: int = 5
    negative_samples: int = 5
    sampling_threshold: float = 0.0001
    subwords: bool = False
    min_char: int = 3
    max_char: int = 6
    buckets: int = 2_000_000
    batch_size: int = 11
    evaluation: bool = True
    word_ngrams: int = 2
    early_stopping: bool = False
    patience: int = 4
    min_epochs: int = 5

    @property
    def supervised(self) -> bool:
        """Whether texts are classified; else words get vectors."""
        return self.mode == SUPERVISED


def parse(given: Mapping[str, str]) -> Settings:
    """The settings of a job's hyperparameters, which are all strings; raises UserError naming the one at fault."""
    mode = given.get("mode")
    if mode is None:
        raise UserError("Missing required hyperparameter: mode")
    if mode not in (*WORD_VECTORS, SUPERVISED):
        raise UserError(f"Hyperparameter mode: {mode} is not in {[*WORD_VECTORS, SUPERVISED]}")
    allowed = _COMMON | (_OF_TEXTS if mode == SUPERVISED else _OF_WORDS)
    values: dict[str, Any] = {"mode": mode}
    for name, text in given.items():
        if name == "mode" or name.startswith(_INTERNAL):
            continue
        if name not in allowed:
            raise UserError(f"Extraneous hyperparameter found: {name} (mode {mode} takes {sorted(allowed)})")
        values[name] = _PARSERS[name](name, text)
    settings = Settings(**values)
    if settings.min_char > settings.max_char:
        raise UserError(f"min_char {settings.min_char} is over max_char {settings.max_char}")
    return settings


def _integer(least: int, most: int | None = None) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise UserError(f"Hyperparameter {name}: {text!r} is not an integer") from None
        if value < least or (most is not None and value > most):
            raise UserError(f"Hyperparameter {name}: {value} is not in [{least}, {most or 'inf'}]")
        return value

    return read


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"Hyperparameter {name}: {text!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise UserError(f"Hyperparameter {name}: {value} is not a positive number")
    return value


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UserError(f"Hyperparameter {name}: {text!r} is not True or False")
    return text.lower() == "true"


_PARSERS: dict[str, Callable[[str, str], Any]] = {
    "epochs": _integer(1),
    "learning_rate": _positive,
    "min_count": _integer(0),
    "vector_dim": _integer(2, 2048),
    "window_size": _integer(1),
    "negative_samples": _integer(1),
    "sampling_threshold": _positive,
    "subwords": _boolean,
    "min_char": _integer(1),
    "max_char": _integer(1),
    "buckets": _integer(1),
    "batch_size": _integer(1),
    "evaluation": _boolean,
    "word_ngrams": _integer(1, 10),
    "early_stopping": _boolean,
    "patience": _integer(1),
    "min_epochs": _integer(1),
}
_COMMON = {"epochs", "learning_rate", "min_count", "vector_dim", "buckets"}
_OF_TEXTS = {"word_ngrams", "early_stopping", "patience", "min_epochs"}
_OF_WORDS = set(_PARSERS) - _COMMON - _OF_TEXTS
