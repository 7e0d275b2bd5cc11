"""Hyperparameters come as text from SageMaker; here they become numbers, with every fault named at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from learners.errors import BadData

Value = int | float | bool | str
Known = Mapping[str, "Number | Choice | Text"]


ANY = "*"


@dataclass(frozen=True)
class Number:
    """A number hyperparameter: its default, whether it is whole, and the range allowed (ends included)."""

    default: float
    low: float
    high: float
    whole: bool = False

    def read(self, text: str) -> Value:
        """Return the number; raise ValueError with what is allowed."""
        allowed = f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(allowed) from None
        if not self.low <= value <= self.high or (self.whole and not value.is_integer()):
            raise ValueError(allowed)
        return int(value) if self.whole else value


@dataclass(frozen=True)
class Choice:
    """A hyperparameter with few values. `True`/`False` choices are read as booleans."""

    default: Value
    options: tuple[Value, ...]

    def read(self, text: str) -> Value:
        """Return the option `text` names; raise ValueError with what is allowed."""
        for option in self.options:
            if text.strip().lower() == str(option).lower():
                return option
        raise ValueError("one of " + ", ".join(str(option).lower() for option in self.options))


@dataclass(frozen=True)
class Text:
    """A hyperparameter a learner reads by itself; `means` says what it may hold."""

    default: str
    means: str

    def read(self, text: str) -> Value:
        """Return the text."""
        return text.strip()


_ANYTHING = Text("", "anything")


def flag(default: bool) -> Choice:
    """Return a yes-or-no hyperparameter."""
    return Choice(default, (True, False))


def parse(
    given: Mapping[str, str], known: Known, aliases: Mapping[str, str] | None = None
) -> dict[str, Value]:
    """Return every known hyperparameter, given or default; raise BadData listing all faults. `ANY` knows every name."""
    names = {alias: name for alias, name in (aliases or {}).items() if alias in given}
    values: dict[str, Value] = {name: spec.default for name, spec in known.items() if name != ANY}
    faults = []
    for name, text in given.items():
        target = names.get(name, name)
        if target not in known and ANY not in known:
            faults.append(f"{name} is not known (known: {', '.join(sorted(known))})")
            continue
        try:
            values[target] = known.get(target, known.get(ANY, _ANYTHING)).read(text)
        except ValueError as error:
            faults.append(f"{name} is {text!r}, and must be {error}")
    if faults:
        raise BadData("Hyperparameters: " + "; ".join(faults) + ".")
    return values


def pairs(name: str, text: Value) -> dict[str, float]:
    """Return what `{"name": 2, …}` or `name=2, other=1` says; raise BadData. A name with a comma needs the first."""
    written = str(text).strip()
    try:
        if written.startswith("{"):
            return {key: _finite(value) for key, value in json.loads(written).items()}
        parts = [part.rpartition("=") for part in written.split(",") if part.strip()]
        if all(sign for _, sign, _ in parts):
            return {key.strip(): _finite(value) for key, _, value in parts}
    except (ValueError, TypeError, AttributeError):
        pass
    raise BadData(f'Hyperparameters: {name} is {written!r}, and must be like a=1, b=2 or {{"a": 1, "b": 2}}.')


def _finite(value: object) -> float:
    number = float(str(value))
    if number - number != 0:
        raise ValueError(value)
    return number
