"""Small figures as inline SVG text: bars, lying bars, tables of colour. No library, no script; colours are the page's.

Each figure says in words what it shows (`role=img`, title, desc), and each mark has a title of its own, which browsers
show when it is pointed at. Colours are CSS variables (`--accent`, `--c0` …): right on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, PLOT = 460, 150  # units of the view box: pixels when shown at full width
_LEFT, _RIGHT, _TOP, _FOOT = 46, 8, 8, 22
_ROW = 20


def number(value: float | None) -> str:
    """A number short enough for an axis: 1,234, 0.0312, 1.2M."""
    if value is None:
        return "-"
    size = abs(value)
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            return f"{value / (1e3 if letter == 'k' else unit):.3g}{letter}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.3g}" if size < 100 else f"{value:,.1f}"


def short(text: str, most: int) -> str:
    """A text cut to a length, on one line."""
    line = " ".join(str(text).split()) or "(blank)"
    return line if len(line) <= most else line[: most - 1] + "…"


def colour(place: int) -> str:
    """The fill of the class at a place."""
    return f"var(--c{place % 10})"


def columns(
    title: str, stacks: Sequence[Sequence[int]], names: Sequence[str], ticks: Sequence[tuple[float, str]],
    kinds: Sequence[str], line: Sequence[float | None] | None = None,
) -> str:  # fmt: skip
    """Standing bars side by side, each a stack.

    Args:
        title: what is shown, in words
        stacks: for each bar, how many of each kind
        names: what each bar is
        ticks: places on the axis in bars from the left (0 is its start) and what is written there
        kinds: what the parts of a stack are
        line: a value for each bar, drawn over them on a scale of its own (its ends are written at the right)
    """
    highest = max((sum(stack) for stack in stacks), default=0) or 1
    right = 52 if line else _RIGHT
    step = (WIDTH - _LEFT - right) / max(1, len(stacks))
    body = [_scale(highest, right)]
    for place, stack in enumerate(stacks):
        body += _stack(place, stack, step, highest, f"{names[place]}: {sum(stack):,}", kinds)
    body += [
        f'<text x="{_LEFT + at * step:.1f}" y="{_TOP + PLOT + 15}" class="tick" text-anchor="middle">'
        f"{escape(text)}</text>"
        for at, text in ticks
    ]
    if line:
        body.append(_line(line, step, names))
    return _figure(title, _TOP + PLOT + _FOOT, body)


def _scale(highest: float, right: float) -> str:
    lines = ""
    for share in (0, 0.5, 1):
        y = _TOP + PLOT * (1 - share)
        lines += f'<line x1="{_LEFT}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        if share:
            told = number(round(highest * share))
            lines += f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="tick" text-anchor="end">{told}</text>'
    return lines


def _stack(
    place: int, stack: Sequence[int], step: float, highest: float, name: str, kinds: Sequence[str]
) -> list[str]:
    told = ", ".join(f"{kind} {count:,}" for kind, count in zip(kinds, stack, strict=True) if count)
    hint = escape(f"{name} ({told})" if len(kinds) > 1 and told else name)
    gap = min(2.0, step * 0.12)
    foot, found = float(_TOP + PLOT), []
    for kind, count in enumerate(stack):
        tall = PLOT * count / highest
        if tall:
            foot -= tall
            found.append(
                f'<rect x="{_LEFT + place * step + gap / 2:.1f}" y="{foot:.1f}" width="{step - gap:.1f}" '
                f'height="{max(tall, 0.6):.1f}" fill="{_fill(kind, len(kinds))}"><title>{hint}</title></rect>'
            )
    return found


def _fill(kind: int, kinds: int) -> str:
    return colour(kind) if kinds > 1 else "var(--accent)"


def _line(values: Sequence[float | None], step: float, names: Sequence[str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    points = [
        (
            _LEFT + (place + 0.5) * step,
            _TOP + PLOT - PLOT * (0.06 + 0.88 * (value - low) / spread),
            place,
            value,
        )
        for place, value in enumerate(values)
        if value is not None
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot"><title>{escape(names[place])}: mean {number(value)}'
        "</title></circle>"
        for x, y, place, value in points
    )
    ends = "".join(
        f'<text x="{WIDTH - 46}" y="{_TOP + PLOT - PLOT * at + 4:.1f}" class="tick second">{number(value)}</text>'
        for at, value in {0.06: low, 0.94: high}.items()
    )
    return f'<polyline points="{path}" class="line"/>{dots}{ends}'


def rows(
    title: str, stacks: Sequence[Sequence[int]], names: Sequence[str], kinds: Sequence[str],
    beside: Sequence[str] | None = None,
) -> str:  # fmt: skip
    """Lying bars below one another, each a stack; `beside` replaces the counts at their ends."""
    highest = max((sum(stack) for stack in stacks), default=0) or 1
    left, right = 136, 96
    body = []
    for place, stack in enumerate(stacks):
        y = 4 + place * _ROW
        total = sum(stack)
        told = ", ".join(f"{kind} {count:,}" for kind, count in zip(kinds, stack, strict=True) if count)
        hint = escape(f"{names[place]}: {total:,}" + (f" ({told})" if len(kinds) > 1 and told else ""))
        body.append(
            f'<text x="{left - 8}" y="{y + 13}" class="name" text-anchor="end">{escape(short(names[place], 17))}'
            f"<title>{hint}</title></text>"
        )
        x = float(left)
        for kind, count in enumerate(stack):
            wide = (WIDTH - left - right) * count / highest
            if wide:
                body.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{max(wide, 0.6):.1f}" height="{_ROW - 5}" '
                    f'fill="{_fill(kind, len(kinds))}"><title>{hint}</title></rect>'
                )
                x += wide
        end = beside[place] if beside else f"{total:,}"
        body.append(f'<text x="{x + 6:.1f}" y="{y + 12}" class="tick">{escape(end)}</text>')
    return _figure(title, 8 + _ROW * len(stacks), body)


def heat(
    title: str, values: Sequence[Sequence[float | None]], down: Sequence[str], across: Sequence[str]
) -> str:
    """A table of colour for numbers from -1 to 1: blue above 0, orange below, the stronger the further from 0."""
    left, top = 118, 84
    side = max(16.0, min(40.0, (2 * WIDTH - left - 40) / max(1, len(across))))
    body = []
    for place, name in enumerate(across):
        x = left + (place + 0.5) * side
        body.append(
            f'<text transform="translate({x + 3:.1f} {top - 6}) rotate(-40)" class="name">'
            f"{escape(short(name, 15))}</text>"
        )
    for row, (name, line) in enumerate(zip(down, values, strict=True)):
        y = top + row * side
        body.append(
            f'<text x="{left - 8}" y="{y + side / 2 + 4:.1f}" class="name" text-anchor="end">'
            f"{escape(short(name, 17))}</text>"
        )
        body += [
            _cell(left + place * side, y, side, value, f"{name} and {across[place]}")
            for place, value in enumerate(line)
        ]
    return _figure(title, top + side * len(down) + 4, body, left + side * len(across) + 60)


def _cell(x: float, y: float, side: float, value: float | None, what: str) -> str:
    strong = 0.0 if value is None else min(1.0, abs(value))
    fill = "var(--accent)" if (value or 0) >= 0 else "var(--second)"
    said = "no value" if value is None else f"{value:.2f}"
    text = ""
    if side >= 30 and value is not None:
        ink = "var(--paper)" if strong > 0.6 else "var(--ink)"
        text = (
            f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" class="cell" text-anchor="middle" '
            f'style="fill:{ink}">{value:.2f}</text>'
        )
    return (
        f'<g><title>{escape(what)}: {said}</title><rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}" '
        f'height="{side - 1:.1f}" fill="{fill}" fill-opacity="{strong:.2f}" class="cellbox"/>{text}</g>'
    )


def _figure(title: str, tall: float, body: Sequence[str], wide: float = WIDTH) -> str:
    said = escape(title)
    style = f' style="max-width:{wide:.0f}px"' if wide != WIDTH else ""
    return (
        f'<svg viewBox="0 0 {wide:.0f} {tall:.0f}" role="img" aria-label="{said}"{style}><title>{said}</title>'
        f"{''.join(body)}</svg>"
    )
