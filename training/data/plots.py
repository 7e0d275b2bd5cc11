"""From the buckets of eda.json to figures: which kind of bar, what is written below, which colours mean what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from data import figures

REST = "other values"
FEWEST_FOR_A_MEAN = 5


def of_column(column: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """The figure of a column, with its caption; empty when it has no buckets."""
    buckets = column.get("buckets")
    if not buckets or not sum(buckets["rows"]):
        return ""
    stacks, kinds = _stacks(buckets, target)
    drawn = (
        _values(column, buckets, stacks, kinds)
        if buckets["kind"] == "values"
        else _bins(column, buckets, stacks, kinds)
    )
    return (
        f"<figure><figcaption><b>{escape(column['name'])}</b> <span class=role>{column['role']}</span>"
        f"<br>{escape(_said(column))}</figcaption>{drawn}</figure>"
    )


def legend(target: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> str:
    """What the colours mean; of those that occur."""
    shown = [column["buckets"] for column in columns if column.get("buckets")]
    if target["name"] is None:
        return "<p class=note>Bars: rows.</p>"
    if target["classes"] is None:
        return f"<p class=note>Bars: rows. Line, and what follows a count: the mean of {escape(target['name'])}.</p>"
    every = [*target["classes"], "another class", "no label"]
    met = [place for place in range(len(every)) if any(sum(buckets["classes"][place]) for buckets in shown)]
    keys = "".join(
        f'<span class=key><i style="background:{figures.colour(place)}"></i>'
        f"{escape(figures.short(every[place], 40))}</span>"
        for place in met
    )
    share = f"“{escape(figures.short(every[1], 40))}”" if len(target["classes"]) == 2 else "all rows"
    name = escape(target["name"])
    return f"<p class=note>Bars: rows, by {name}: {keys}What follows a count is the share of {share}.</p>"


def _stacks(buckets: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[list[list[int]], list[str]]:
    if target["classes"] is None:
        return [[rows] for rows in buckets["rows"]], ["rows"]
    kinds = [*target["classes"], "another class", "no label"]
    return [list(stack) for stack in zip(*buckets["classes"], strict=True)], kinds


def _values(
    column: Mapping[str, Any],
    buckets: Mapping[str, Any],
    stacks: Sequence[Sequence[int]],
    kinds: Sequence[str],
) -> str:
    names = [*buckets["values"], REST]
    there = [place for place, stack in enumerate(stacks) if sum(stack)]
    total = sum(buckets["rows"]) or 1
    beside = [f"{buckets['rows'][place]:,}{_told(buckets, place, total)}" for place in there]
    title = f"The most frequent values of {column['name']} and how many rows have them"
    return figures.rows(
        title, [stacks[place] for place in there], [names[place] for place in there], kinds, beside
    )


def _told(buckets: Mapping[str, Any], place: int, total: int) -> str:
    """The mean of a number; of two classes the share of the second; of more, the share of the rows."""
    if buckets.get("mean"):
        return f" · {figures.number(buckets['mean'][place])}"
    own = [kind[place] for kind in buckets["classes"]]
    if len(own) == 4 and sum(own[:2]):
        return f" · {own[1] / sum(own[:2]):.0%}"
    return f" · {buckets['rows'][place] / total:.0%}"


def _bins(
    column: Mapping[str, Any],
    buckets: Mapping[str, Any],
    stacks: Sequence[Sequence[int]],
    kinds: Sequence[str],
) -> str:
    low, width, count = buckets["low"], buckets["width"], len(stacks)
    unit = " characters" if buckets["kind"] == "length" else ""
    write = _date if buckets["kind"] == "date" else figures.number
    single = width == 1 and unit == "" and buckets["kind"] == "number"
    names = [_name(low + place * width, width, write, single) + unit for place in range(count)]
    if buckets["open_low"]:
        names[0] = f"below {write(low + width)}{unit}"
    if buckets["open_high"]:
        names[-1] = f"{write(low + (count - 1) * width)}{unit} and more"
    offset = 0.5 if single and count <= 30 else 0.0
    step = max(1, -(-count // (4 if buckets["kind"] == "date" else 6)))
    ticks = [(place + offset, write(low + place * width)) for place in range(0, count + (offset == 0), step)]
    if buckets["open_high"]:
        ticks = [tick for tick in ticks if tick[0] <= count - 1 - step / 2] + [
            (count - 1, "≥ " + write(low + (count - 1) * width))
        ]
    title = f"How many rows lie where in {column['name']}, from {write(low)} to {write(low + count * width)}{unit}"
    return figures.columns(title, stacks, names, ticks, kinds, _means(column, buckets))


def _means(column: Mapping[str, Any], buckets: Mapping[str, Any]) -> list[float | None] | None:
    """Of the target, where enough rows are for a mean to say something; not beside the target itself."""
    if column["role"] == "label" or not buckets.get("mean"):
        return None
    pairs = zip(buckets["mean"], buckets["rows"], strict=True)
    return [mean if rows >= FEWEST_FOR_A_MEAN else None for mean, rows in pairs]


def _name(start: float, width: float, write: Any, single: bool) -> str:
    return str(write(start)) if single else f"{write(start)} to {write(start + width)}"


def _date(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.strftime("%Y-%m-%d %H:%M")
    return re.sub(r" 00:00$", "", text)


def _said(column: Mapping[str, Any]) -> str:
    """The figures of a column in one line."""
    parts = [f"{column['distinct']:,} values" if "length" not in column else f"{column['distinct']:,} texts"]
    if "length" in column:
        parts.append(
            f"{figures.number(column['length']['mean'])} characters on average, {column['length']['max']:,} at most"
        )
    elif "mean" in column:
        middle = (column.get("quantiles") or {}).get("0.5")
        parts.append(
            f"{figures.number(column['min'])} to {figures.number(column['max'])}, half below {figures.number(middle)}"
        )
    elif "min" in column:
        parts.append(f"{str(column['min'])[:16]} to {str(column['max'])[:16]}".replace("T00:00", ""))
    if column["nulls"]:
        parts.append(f"{column['nulls']:,} missing")
    return "; ".join(parts)
