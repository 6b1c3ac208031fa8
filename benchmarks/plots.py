"""Ratios as a plot: a dot, its spread, its goal; on a scale of logarithms, where 1 is the peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from report import Figure

#: Greys and hues that are legible on white and on black.
INK, FAINT, MET, MISSED, NEUTRAL = "#7d7d7d", "#7d7d7d55", "#2e8b57", "#d9534f", "#4a90d9"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "flask-s3",  # the same figures make the same file
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
WIDTH, A_ROW, MARGIN = 9.0, 0.3, 0.8


def write_plot(path: Path, figures: Sequence[Figure]) -> None:
    """Writes the plot as SVG, with a transparent background."""
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH, MARGIN + A_ROW * len(figures)), layout="constrained")
        axes = canvas.add_subplot()
        axes.set_xscale("log")
        axes.axvline(1, color=INK, linewidth=1)
        for row, figure in enumerate(figures):
            draw(axes, row, figure)
        label(axes, figures)
        canvas.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def draw(axes: Axes, row: int, figure: Figure) -> None:
    """One figure: its goal's side, its spread, its median."""
    color = {"met": MET, "MISSED": MISSED}.get(figure.verdict, NEUTRAL)
    if figure.spread:
        axes.plot(figure.spread, (row, row), color=color, linewidth=2, solid_capstyle="round")
    axes.plot(figure.value, row, "o", color=color, markersize=7)
    if figure.goal:
        axes.plot(figure.goal.bound, row, "|", color=INK, markersize=14, markeredgewidth=2)


def label(axes: Axes, figures: Sequence[Figure]) -> None:
    """Names and numbers, from top to bottom."""
    axes.set_yticks(range(len(figures)), [f"{f.name} · {f.value:.3g}" for f in figures])
    axes.set_ylim(len(figures) - 0.5, -0.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("ratio; dot: median, line: least to most, |: goal, green: met, red: missed")
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
