"""The part of JSONPath that batch transform's filters know, as AWS documents it:

    $    .name    .*    ['a','b']    [0]    [1,3]    [0,5:]    [2:5]    [*]

A negative number counts from the end; of a slice the end is left out. A path that can only name one thing gives that
thing, `['a','b']` gives an object of the two, everything else gives a list.
"""

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]*,:'$]+)
      | \.?\[\s*(?:
            (?P<names>'[^']*'(?:\s*,\s*'[^']*')*)
          | (?P<positions>[-\d:,\s]+)
          | (?P<all>\*) )\s*\]
      | \.(?P<every>\*)""",
    re.VERBOSE,
)
_POSITION = re.compile(r"\s*(?:(?P<index>-?\d+)|(?P<start>-?\d+)?\s*:\s*(?P<end>-?\d+)?)\s*")


class Invalid(ValueError):
    """The expression is not one of ours; the text is what AWS says of it."""


class Missing(LookupError):
    """The document does not have what the path asks for."""


@dataclass(frozen=True)
class Step:
    """One step of a path: members by name, elements by position, or all there is."""

    names: tuple[str, ...] = ()
    positions: tuple[int | slice, ...] = ()

    @property
    def definite(self) -> bool:
        """Whether it finds exactly one thing."""
        return bool(self.names) or (len(self.positions) == 1 and isinstance(self.positions[0], int))

    def of(self, node: Any) -> list[Any]:
        """What the step finds in `node`; raises Missing."""
        if self.names:
            return [self._members(node)]
        if self.positions:
            return self._elements(node)
        if isinstance(node, dict):
            return list(node.values())
        return list(_elements_of(node))

    def _members(self, node: Any) -> Any:
        absent = [name for name in self.names if not isinstance(node, dict) or name not in node]
        if absent:
            raise Missing(f"there is no {absent[0]!r}")
        return node[self.names[0]] if len(self.names) == 1 else {name: node[name] for name in self.names}

    def _elements(self, node: Any) -> list[Any]:
        found, elements = [], _elements_of(node)
        for position in self.positions:
            if isinstance(position, slice):
                found += elements[position]
            elif -len(elements) <= position < len(elements):
                found.append(elements[position])
            else:
                raise Missing(f"index {position} is not within its {len(elements)} elements")
        return found


@dataclass(frozen=True)
class Path:
    """A parsed expression."""

    expression: str
    steps: tuple[Step, ...]

    @property
    def everything(self) -> bool:
        """Whether it is `$`: the whole document."""
        return not self.steps

    def select(self, document: Any) -> Any:
        """What the path asks for; raises Missing."""
        nodes = [document]
        for step in self.steps:
            nodes = [found for node in nodes for found in step.of(node)]
        return nodes[0] if all(step.definite for step in self.steps) else nodes


def parse(expression: str) -> Path:
    """The path of an expression ("" means `$`); raises Invalid."""
    text = expression.strip() or "$"
    if text[0] != "$":
        raise Invalid(f"Invalid JsonPath: {expression}: it must begin with $")
    steps, at = [], 1
    while at < len(text):
        matched = _STEP.match(text, at)
        if matched is None:
            raise Invalid(f"Invalid JsonPath: {expression}: {text[at:]} is not supported")
        steps.append(_step(expression, matched))
        at = matched.end()
    return Path(expression, tuple(steps))


def _step(expression: str, matched: re.Match[str]) -> Step:
    if matched["name"]:
        return Step(names=(matched["name"],))
    if matched["names"]:
        return Step(names=tuple(re.findall("'([^']*)'", matched["names"])))
    if matched["positions"]:
        return Step(positions=_positions(expression, matched["positions"].strip()))
    return Step()


def _positions(expression: str, text: str) -> tuple[int | slice, ...]:
    found: list[int | slice] = []
    for part in text.split(","):
        matched = _POSITION.fullmatch(part)
        if matched is None:
            raise Invalid(f"Invalid JsonPath: {expression}: [{text}] is not supported")
        found.append(int(matched["index"]) if matched["index"] else _slice(matched))
    if sum(isinstance(one, slice) for one in found) > 1:
        raise Invalid(
            f"Invalid JsonPath: {expression}: only single range filters of format (eg: [1:5]) are supported. "
            f"Format [{text}] is not supported"
        )
    return tuple(found)


def _slice(matched: re.Match[str]) -> slice:
    return slice(*(None if matched[name] is None else int(matched[name]) for name in ("start", "end")))


def _elements_of(node: Any) -> list[Any]:
    if not isinstance(node, list):
        raise Missing("it is not an array")
    return node
