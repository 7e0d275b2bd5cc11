"""A small picture without a drawing library: points and a line over two axes, as SVG."""

from xml.sax.saxutils import escape

import numpy as np

from learners.problem import Floats

WIDTH, HEIGHT, MARGIN = 640, 400, 48
TICKS = 5


def chart(points: Floats, line: Floats, x_name: str, title: str) -> str:
    """Return an SVG of `points` and `line`, both (n, 2); nothing of it is outside the axes."""
    every = np.concatenate([points, line])
    every = every if len(every) else np.zeros((1, 2))
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    inner = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])

    def placed(some: Floats) -> Floats:
        share: Floats = (some - low) / span
        share[:, 1] = 1 - share[:, 1]
        share *= inner
        share += MARGIN
        return share

    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in placed(points))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed(line))
    marks = low + np.linspace(0, 1, TICKS)[:, None] * span
    labels = "".join(
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{mark[0]:g}</text>'
        f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{mark[1]:.3g}</text>'
        for mark, (x, y) in zip(marks, placed(marks.copy()), strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{WIDTH / 2}" y="24" text-anchor="middle" font-size="13">{escape(title)}</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_name)}</text>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{inner[0]}" height="{inner[1]}" fill="none" stroke="#999"/>'
        f'{labels}<g fill="#1f77b4" fill-opacity="0.7">{dots}</g>'
        f'<polyline points="{path}" fill="none" stroke="#d62728" stroke-width="2"/></svg>\n'
    )
