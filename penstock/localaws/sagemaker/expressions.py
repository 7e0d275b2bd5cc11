"""Search expressions: filters, nested filters and subexpressions, made into a question to a described resource."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.properties import FLAG, NUMBER, SETTING, TEXT, TIME, Property, Schema

Record = dict[str, Any]
Condition = Callable[[Record], bool]

_MOST = 50  # filters, nested filters and subexpressions altogether
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": lambda one, other: one > other,
    "GreaterThanOrEqualTo": lambda one, other: one >= other,
    "LessThan": lambda one, other: one < other,
    "LessThanOrEqualTo": lambda one, other: one <= other,
}
# Of experiments, trials and components these may be asked for Contains several times.
_MANY_CONTAIN = (
    "DisplayName",
    "ExperimentName",
    "TrialName",
    "TrialComponentName",
    "Tags",
    "InputArtifacts",
    "OutputArtifacts",
)
_OF_TEXT = ("Contains", "In")


def condition(expression: Record | None, schema: Schema) -> Condition:
    """Whether a resource satisfies `expression` (None: all do); raises ServiceError for one AWS would refuse."""
    if expression is None:
        return lambda _record: True
    if _count(expression) > _MOST:
        raise _invalid(
            f"A SearchExpression may have at most {_MOST} filters, nested filters and subexpressions."
        )
    if _contains(expression, schema) > 1:
        raise _invalid("'CONTAINS' operator usage limit of 1 exceeded.")
    return _expression(expression, schema)


def _expression(expression: Record, schema: Schema) -> Condition:
    parts = [
        *(_filter(one, schema) for one in expression.get("Filters", [])),
        *(_nested(one, schema) for one in expression.get("NestedFilters", [])),
        *(_expression(one, schema) for one in expression.get("SubExpressions", [])),
    ]
    if not parts:
        raise _invalid("You must provide at least one subexpression, filter, or nested filter.")
    combined = any if expression.get("Operator", "And") == "Or" else all
    return lambda record: combined(part(record) for part in parts)


def _parts(expression: Record) -> list[tuple[str, Record]]:
    """Every part of an expression, at any depth, with what it is: `filter`, `nested` or `expression`."""
    found = [("filter", one) for one in expression.get("Filters", [])]
    for nested in expression.get("NestedFilters", []):
        found += [("nested", nested), *(("filter", one) for one in nested["Filters"])]
    for inner in expression.get("SubExpressions", []):
        found += [("expression", inner), *_parts(inner)]
    return found


def _count(expression: Record) -> int:
    return len(_parts(expression))


def _contains(expression: Record, schema: Schema) -> int:
    """How many filters ask for Contains where AWS takes only one of them."""
    filters = [one for kind, one in _parts(expression) if kind == "filter"]
    free = _MANY_CONTAIN if schema.of_experiments else ()
    return sum(one.get("Operator") == "Contains" and not one["Name"].startswith(free) for one in filters)


def _nested(nested: Record, schema: Schema) -> Condition:
    """One item of the list must satisfy every filter; their names begin with the list's."""
    name = nested["NestedPropertyName"]
    items, inner = schema.nested(name)
    tests = []
    for one in nested["Filters"]:
        if not one["Name"].startswith(f"{name}."):
            raise _invalid(f"The filter's name {one['Name']} must begin with {name}.")
        tests.append(_filter({**one, "Name": one["Name"].removeprefix(f"{name}.")}, inner))
    return lambda record: any(all(test(item) for test in tests) for item in items.read(record))


def _filter(given: Record, schema: Schema) -> Condition:
    """Values of any item count where the property lies in a list."""
    name, operator = given["Name"], given.get("Operator", "Equals")
    found = schema.property(name)
    if operator in ("Exists", "NotExists"):
        return lambda record: bool(found.read(record)) == (operator == "Exists")
    text = given.get("Value")
    if text is None:
        raise _invalid(f"The operator {operator} of the filter on {name} needs a Value.")
    matches = _matching(found, name, operator, text)
    if operator == "NotEquals":
        return lambda record: not any(matches(value) for value in found.read(record))
    return lambda record: any(matches(value) for value in found.read(record))


def _matching(found: Property, name: str, operator: str, text: str) -> Callable[[Any], bool]:
    if found.type not in (TEXT, SETTING, NUMBER, TIME, FLAG):
        raise _invalid(f"The property {name} is a structure: a filter on it can only be Exists or NotExists.")
    if operator in _OF_TEXT and found.type not in (TEXT, SETTING):
        raise _invalid(f"The operator {operator} is only supported for text properties, which {name} is not.")
    if operator in _ORDERED and found.type in (TEXT, FLAG):
        raise _invalid(f"The operator {operator} is not supported for the property {name}.")
    if operator == "Contains":
        return lambda value: text in str(value)
    if operator == "In":
        allowed = {one.strip() for one in text.split(",")}
        return lambda value: str(value) in allowed
    compare = _ORDERED.get(operator, lambda one, other: one == other)
    return _comparing(found.type, name, text, compare, exact=operator not in _ORDERED)


def _comparing(
    kind: str, name: str, text: str, compare: Callable[[Any, Any], bool], exact: bool
) -> Callable[[Any], bool]:
    if kind == NUMBER:
        number = _number(name, text)
        return lambda value: compare(value, number)
    if kind == TIME:
        wanted = _moment(name, text)
        return lambda value: compare(value.replace(microsecond=0) if exact else value, wanted)
    if kind == FLAG:
        return lambda value: compare(str(value).lower(), text.lower())
    if kind == SETTING:
        return _setting(name, text, compare, exact)
    return lambda value: compare(value, text)


def _setting(name: str, text: str, compare: Callable[[Any, Any], bool], exact: bool) -> Callable[[Any], bool]:
    """A hyperparameter: as a decimal when the filter's value is one, as an integer when that is one, else as text."""
    try:
        wanted = float(text)
    except ValueError:
        if not exact:
            raise _invalid(f"The Value of the filter on {name} must be a number: {text}") from None
        return lambda value: compare(value, text)
    whole = wanted.is_integer() and not any(mark in text.lower() for mark in ".e")

    def matches(value: str | float) -> bool:
        try:
            has = float(value)
            return compare(int(has) if whole else has, wanted)
        except (ValueError, OverflowError):
            return False

    return matches


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _invalid(f"The Value of the filter on {name} must be a number: {text}") from error


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid(
            f"The Value of the filter on {name} must be a time such as 2026-01-31T12:00:00: {text}"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)
