"""Colours of a page and what every figure has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Theme:
    """Colours of a page: ink for text, faint for grids, first and second for what is compared, others besides."""

    paper: str
    ink: str
    faint: str
    first: str
    second: str
    others: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the colours of lines, in their order."""
        return (self.first, self.second, *self.others)


LIGHT = Theme("#ffffff", "#24292f", "#d0d7de", "#2563c9", "#d9730d", ("#1a7f37", "#8250df", "#bf3989"))
DARK = Theme("#161b22", "#e6edf3", "#3d444d", "#6ea8fe", "#f2a65a", ("#56d364", "#bc8cff", "#f778ba"))
Draw = Callable[[Any, Theme], None]


def grid(axes: Any, theme: Theme, which: str) -> None:
    """Draw a grid behind what is shown."""
    axes.grid(visible=True, axis=which, color=theme.faint, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)


def legend(axes: Any, theme: Theme) -> None:
    """Name the lines, where they leave room."""
    axes.legend(frameon=False, labelcolor=theme.ink, fontsize=8)


def short(name: str, length: int = 18) -> str:
    """Return a name that fits beside an axis."""
    text = str(name).replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"
