"""What a resource can be searched by: its properties by name, with their types, as the service model has them.

A name is a path of members (`AlgorithmSpecification.TrainingImage`), through lists without an index
(`InputDataConfig.ChannelName`: of any channel); what follows a map's name is its key (`HyperParameters.a.b`). Besides
members there are `Tags.<key>` and, for training jobs, `Metrics.<name>`, the metric's last value; for trial components
`Metrics.<name>.<statistic>` (min, max, avg, last, stddev, count) and `Parameters.<name>`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError

TEXT, NUMBER, TIME, FLAG, SETTING = "text", "number", "time", "flag", "setting"
_TYPES = {
    "string": TEXT,
    "integer": NUMBER,
    "long": NUMBER,
    "float": NUMBER,
    "double": NUMBER,
    "timestamp": TIME,
    "boolean": FLAG,
}
_EVERY = "[]"  # a step: into each item of a list
_DEEPEST = 6  # members below that are not suggested
# Lists of pairs that count as maps: (member that holds them, key, value, type), by the word in front of the name.
_STATISTICS = {
    "min": "Min",
    "max": "Max",
    "avg": "Avg",
    "last": "Last",
    "stddev": "StdDev",
    "count": "Count",
}
_PARAMETER = "TrialComponentParameterValue"
_PAIRS = {
    "Tags": ("Tags", "Key", "Value", TEXT),
    "Metrics": ("FinalMetricDataList", "MetricName", "Value", NUMBER),
}


@dataclass(frozen=True)
class Property:
    """How to read one property of a described resource; `pair` is (key's member, key, value's member) or None.

    `type` is one of TEXT, NUMBER, TIME, FLAG, SETTING: a setting is text that may be compared as a number. Where the
    value is a structure, the first of the members `within` that it has is meant.
    """

    type: str
    steps: tuple[str, ...]
    pair: tuple[str, str, str] | None = None
    within: tuple[str, ...] = ()

    def read(self, record: Any) -> list[Any]:
        """Its values, none when the resource does not have it."""
        found = list(_walk(record, self.steps))
        if self.pair is not None:
            key_member, key, value_member = self.pair
            return [one[value_member] for one in found if one.get(key_member) == key and value_member in one]
        if self.within:
            found = [next((one[name] for name in self.within if name in one), None) for one in found]
        return [one for one in found if one is not None]


def _walk(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == _EVERY:
        for item in value if isinstance(value, list) else ():
            yield from _walk(item, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from _walk(value[steps[0]], steps[1:])


class Schema:
    """The properties of shape `root`. `inner` is a member whose own members may be named without it."""

    def __init__(self, service: dict[str, Any], root: str, inner: str | None = None) -> None:
        self._shapes: dict[str, Any] = service["shapes"]
        self._root = root
        self.of_experiments = root in ("Experiment", "Trial", "TrialComponent")
        self._inner = inner

    def property(self, name: str) -> Property:
        """The property of that name; raises ServiceError when there is none."""
        found = self._named(name, self._root)
        if found is None and self._inner is not None:
            found = self._named(f"{self._inner}.{name}", self._root)
        if found is None:
            raise ServiceError(
                "ValidationException",
                f"Unknown property name: {name}. GetSearchSuggestions lists the property names there are.",
            )
        return found

    def nested(self, name: str) -> tuple[Property, "Schema"]:
        """The list of structures of that name and the schema of its items; raises ServiceError."""
        shape, steps = self._descend(self._shapes[self._root], name.split("."))
        if shape is None or shape["type"] != "list":
            raise ServiceError(
                "ValidationException", f"NestedPropertyName {name} is not a list of structures."
            )
        return Property(TEXT, (*steps, _EVERY)), Schema({"shapes": self._shapes}, shape["member"]["shape"])

    def names(self) -> list[str]:
        """Every property name but those of maps and pairs, which depend on the resources."""
        return sorted(set(self._below(self._root, "", ())))

    def _named(self, name: str, root: str) -> Property | None:
        first, _, rest = name.partition(".")
        pair = _PAIRS.get(first)
        if pair is not None and rest and pair[0] in self._shapes[root]["members"]:
            member, key_member, value_member, kind = pair
            return Property(kind, (member, _EVERY), (key_member, rest, value_member))
        if self._inner is not None and first == self._inner and rest.partition(".")[0] in _PAIRS:
            inner = Schema({"shapes": self._shapes}, self._shapes[root]["members"][first]["shape"])
            found = inner._named(rest, inner._root)
            return found and Property(found.type, (first, *found.steps), found.pair)
        if first == "Metrics" and root == "TrialComponent":
            return self._statistic(rest)
        return self._member(name, root)

    def _statistic(self, name: str) -> Property | None:
        """A trial component's metric: its name may have dots, the statistic comes last."""
        metric, _, statistic = name.rpartition(".")
        member = _STATISTICS.get(statistic.lower())
        if not metric or member is None:
            return None
        return Property(NUMBER, ("Metrics", _EVERY), ("MetricName", metric, member))

    def _member(self, name: str, root: str) -> Property | None:
        shape, steps = self._descend(self._shapes[root], name.split("."))
        if shape is None:
            return None
        if shape["type"] == "list":
            shape, steps = self._shapes[shape["member"]["shape"]], (*steps, _EVERY)
        if shape is self._shapes.get(_PARAMETER):
            return Property(SETTING, steps, within=("NumberValue", "StringValue"))
        kind = SETTING if steps[0] == "HyperParameters" else _TYPES.get(shape["type"], "structure")
        return Property(kind, steps)

    def _descend(
        self, shape: dict[str, Any], path: list[str]
    ) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """The shape at the end of `path` and the steps there; None when the path leads nowhere."""
        steps: tuple[str, ...] = ()
        for number, name in enumerate(path):
            if shape["type"] == "list":
                shape, steps = self._shapes[shape["member"]["shape"]], (*steps, _EVERY)
            if shape["type"] == "map":
                return self._shapes[shape["value"]["shape"]], (*steps, ".".join(path[number:]))
            member = shape.get("members", {}).get(name)
            if member is None:
                return None, ()
            shape, steps = self._shapes[member["shape"]], (*steps, name)
        return shape, steps

    def _below(self, shape_name: str, prefix: str, seen: tuple[str, ...]) -> Iterator[str]:
        shape = self._shapes[shape_name]
        if shape["type"] == "list":
            yield from self._below(shape["member"]["shape"], prefix, seen)
        elif shape["type"] == "structure":
            for name, member in shape["members"].items():
                if member["shape"] not in seen and len(seen) < _DEEPEST and name != "Tags":
                    inner = f"{prefix}.{name}" if prefix else name
                    yield from self._below(member["shape"], inner, (*seen, shape_name))
        elif shape["type"] in _TYPES:
            yield prefix
