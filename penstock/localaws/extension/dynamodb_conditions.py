"""A DynamoDB expression is read once, not once for each item it is held against.

Touches `ministack.services.dynamodb._evaluate_condition`, `_condition_syntax_error` and `_tokenize`. Checked on
MiniStack 1.5.33, which takes an expression apart, checks its grammar and evaluates it anew for every item of a
partition, on every page: a Query over the 10,000 uploads of a burst kept the whole server busy for seconds. What only
depends on the expression's text is remembered here, and `name = :value` on a string key, which every Query has, is
compared at once.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack.services import dynamodb

from penstock.localaws.extension import pin

_KEY_EQUALS = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(:\w+)\s*")
_KEY_SLOT = "KeyConditionExpression"
_MOST = 1024
"""Expressions remembered; a program has a few dozen."""


def install() -> None:
    """Remember what was read."""
    pin.require(__name__)
    tokenize = lru_cache(_MOST)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(tokenize(expression))
    dynamodb._condition_syntax_error = lru_cache(_MOST)(dynamodb._condition_syntax_error)
    dynamodb._evaluate_condition = _Conditions(dynamodb._evaluate_condition)


class _Conditions:
    """Conditions held against items; an expression is taken for sound once MiniStack itself has evaluated it."""

    def __init__(self, evaluate: Any) -> None:
        self._evaluate = evaluate
        self._sound: dict[str, tuple[str, str] | None] = {}

    def __call__(
        self,
        expression: str,
        item: Mapping[str, Any],
        values: Mapping[str, Any],
        names: Mapping[str, str],
        slot: str = "ConditionExpression",
    ) -> bool:
        known = self._sound.get(expression) if slot == _KEY_SLOT else None
        if known is not None and "S" in (wanted := (values or {}).get(known[1], {})):
            return bool(item.get(known[0]) == wanted)
        held = bool(self._evaluate(expression, item, values, names, slot=slot))
        if slot == _KEY_SLOT and len(self._sound) < _MOST:
            found = _KEY_EQUALS.fullmatch(expression or "")
            self._sound[expression] = (found[1], found[2]) if found else None
        return held
