"""Dates without an engine's own parser: a format becomes a regular expression, a match becomes ISO 8601 text.

`strptime` differs between Python, DuckDB and Spark in what it lets pass; a regular expression and `TRY_CAST` of ISO
text do not. A format says what it accepts: `%d` is one or two digits, white space is itself, and nothing may follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from data.errors import BadUpload

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_DAYS = "mon|tue|wed|thu|fri|sat|sun"
_DIRECTIVES = {
    "%Y": "([0-9]{4})",
    "%y": "([0-9]{2})",
    "%m": "([0-9]{1,2})",
    "%d": "([0-9]{1,2})",
    "%H": "([0-9]{1,2})",
    "%I": "([0-9]{1,2})",
    "%M": "([0-9]{1,2})",
    "%S": "([0-9]{1,2})",
    "%f": "([0-9]{1,6})",
    "%p": "([aApP][mM])",
    "%b": f"({'|'.join(_MONTHS)})",
    "%B": f"({'|'.join(_FULL)})",
    "%a": f"({_DAYS})",
    "%A": "([a-z]+day)",
    "%z": "(z|[+-][0-9]{2}:?[0-9]{2})",
    "%%": "%",
}
ISO = (
    "^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    "(?:[ t]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6})[0-9]*)?)?)? ?(z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_PLAIN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?)?$"
_WIDTHS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}  # of directives as programs write them
_AS_CAST = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")  # what TRY_CAST reads as it stands
_ISO_PARTS = ("%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%z")


@dataclass(frozen=True)
class Pattern:
    """A lower-case regular expression and which directive each of its groups holds."""

    expression: str
    parts: tuple[str, ...]


def pattern(form: str | None) -> Pattern:
    """The pattern of a strptime format; ISO 8601 without one.

    Raises:
        BadUpload: the format says something not understood here, or names no day.
    """
    if form is None:
        return Pattern(ISO, _ISO_PARTS)
    expression, parts = "", []
    for piece in re.findall("%.|[^%]+|%", form):
        if not piece.startswith("%"):
            expression += re.escape(piece.lower())
            continue
        if piece not in _DIRECTIVES or piece in parts:
            known = " ".join(_DIRECTIVES)
            raise BadUpload(
                f"project spec: date format {form!r}: {piece!r} is unknown or twice; known: {known}"
            )
        expression += _DIRECTIVES[piece]
        if piece != "%%":
            parts.append(piece)
    if not {"%Y", "%y"} & set(parts):
        raise BadUpload(f"project spec: date format {form!r} names no year; add %Y or %y")
    return Pattern(f"^{expression}$", tuple(parts))


def parse(text: ir.StringValue, form: str | None) -> ir.TimestampValue:
    """The moment a text means, in UTC, or null when it is no date of that format. Missing parts: 1 January, 00:00."""
    if form is None:
        # Most ISO dates are what TRY_CAST reads; taking them to pieces costs ten times as much.
        plain = text.re_search(_PLAIN)
        return ibis.cases((plain, text.try_cast("timestamp")), else_=_in_pieces(text, pattern(None)))
    shape = pattern(form)
    expression, places = _fixed(form)
    if not places:
        return _in_pieces(text, shape)
    # The same trick: where every part has its full width, where it stands says which it is.
    found = {part: text.substr(start, _WIDTHS[part]) for part, start in places.items()}
    iso = text if form in _AS_CAST else _moment(found)
    return ibis.cases((text.re_search(expression), iso.try_cast("timestamp")), else_=_in_pieces(text, shape))


def _fixed(form: str) -> tuple[str, dict[str, int]]:
    """The pattern of a date whose parts all have their full width, and where each starts; nothing for other formats."""
    expression, places, start = "", {}, 0
    for piece in re.findall("%.|[^%]+", form):
        if piece.startswith("%") and piece not in _WIDTHS:
            return "", {}
        if piece in _WIDTHS:
            places[piece] = start
        expression += f"[0-9]{{{_WIDTHS[piece]}}}" if piece in _WIDTHS else re.escape(piece)
        start += _WIDTHS.get(piece, len(piece))
    return f"^{expression}$", places if "%Y" in places else {}


def _in_pieces(text: ir.StringValue, shape: Pattern) -> ir.TimestampValue:
    lower = text.lower()
    found = {part: lower.re_extract(shape.expression, place) for place, part in enumerate(shape.parts, 1)}
    iso = _moment(found).concat(".", _part(found, "%f", "0").rpad(6, "0"))
    moment = ibis.cases((lower.re_search(shape.expression), iso)).try_cast("timestamp")
    return moment - _offset(found["%z"]).as_interval("m") if "%z" in found else moment


Found = dict[str, ir.StringValue]


def _moment(found: Found) -> ir.StringValue:
    """ISO 8601 text of the parts, to the second."""
    day = ibis.literal("-").join([_year(found), _month(found), _two(found, "%d", "01")])
    time = ibis.literal(":").join([_hour(found), _two(found, "%M", "00"), _two(found, "%S", "00")])
    return day.concat(" ", time)


def _part(found: Found, directive: str, default: str) -> ir.StringValue:
    if directive not in found:
        return ibis.literal(default)
    return found[directive].nullif("").fill_null(default)


def _two(found: Found, directive: str, default: str) -> ir.StringValue:
    return _part(found, directive, default).lpad(2, "0")


def _year(found: Found) -> ir.StringValue:
    if "%Y" in found:
        return found["%Y"]
    # As POSIX and Python: 69 to 99 are 19xx, 00 to 68 are 20xx.
    return ibis.ifelse(found["%y"] >= "69", "19", "20").concat(found["%y"])


def _month(found: Found) -> ir.StringValue:
    name = found.get("%B", found.get("%b"))
    if name is None:
        return _two(found, "%m", "01")
    return ibis.cases(*((name.left(3) == month, f"{place:02}") for place, month in enumerate(_MONTHS, 1)))


def _hour(found: Found) -> ir.StringValue:
    if "%I" not in found:
        return _two(found, "%H", "00")
    twelve = found["%I"].try_cast("int64")
    afternoon = ibis.ifelse(_part(found, "%p", "am") == "pm", 12, 0)
    hour = ibis.cases((twelve.between(1, 12), twelve % 12 + afternoon), else_=99)
    return hour.cast("string").lpad(2, "0")


def _offset(zone: ir.StringValue) -> ir.IntegerValue:
    digits = zone.replace(":", "")
    minutes = digits.substr(1, 2).try_cast("int64") * 60 + digits.substr(3, 2).try_cast("int64")
    return (minutes * ibis.ifelse(zone.startswith("-"), -1, 1)).fill_null(0)
