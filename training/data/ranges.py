"""What a value may be besides its type: `minimum`, `maximum` and `pattern` of a column. Pure, in Ibis.

A pattern must match the whole value; `.` matches no line break, and digits and letters in its classes are ASCII's only.
It is tried on the value as the dataset has it, of a number or a date on its text. A maximum that is a day holds to the
end of that day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import ibis
import ibis.expr.types as ir

from data.errors import BadUpload
from data.spec import Column

_DAY = 10  # characters of 2022-03-21


def breaches(
    text: ir.StringValue, value: ir.Value | None, column: Column
) -> Iterator[tuple[ir.BooleanValue, str]]:
    """Which rows break a rule of the column, and the reason.

    Args:
        text: what the pattern must match, null where there is nothing to match
        value: what must lie between minimum and maximum, null where there is none; None for a column without a range
        column: its rules
    """
    if value is not None and column.minimum is not None:
        low = _bound(column, "minimum", column.minimum)
        yield value < low, f"is below the minimum, {_said(column.minimum)}"
    if value is not None and column.maximum is not None:
        high = _bound(column, "maximum", column.maximum)
        over = value >= high if _whole_day(column.maximum) else value > high
        yield over, f"is above the maximum, {_said(column.maximum)}"
    if column.pattern is not None:
        # \A and \z, not ^ and $: to one engine $ is also before a last line break.
        whole = rf"\A(?-s:{column.pattern})\z"
        yield ~text.re_search(whole), f"does not match the pattern {column.pattern}"


def _bound(column: Column, rule: str, bound: float | str) -> Any:
    if column.role != "date":
        return ibis.literal(float(bound), type="float64")
    try:
        moment = dt.datetime.fromisoformat(str(bound))
    except ValueError:
        raise BadUpload(
            f"project spec, columns.{column.name}.{rule}: {bound!r} is no date; write it as 2022-03-21"
        ) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    if rule == "maximum" and _whole_day(bound):
        moment += dt.timedelta(days=1)
    return ibis.literal(moment.isoformat(sep=" ")).cast("timestamp")


def _whole_day(bound: float | str) -> bool:
    return isinstance(bound, str) and len(bound) == _DAY


def _said(bound: float | str) -> str:
    return bound if isinstance(bound, str) else f"{bound:.17g}" if bound % 1 else f"{bound:.0f}"
